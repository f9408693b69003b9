// SPDX-License-Identifier: Apache-2.0
#pragma once
// ClientSide: what the worker sees of a client's connection, whatever it speaks and however far it
// has come: something that is counted, drained and cut. Neighbours: doorway.h comes first where
// there is TLS or a PROXY header, then client_connection.h or http2_client.h.

#include <cstdint>
#include <memory>
#include <string>

#include "daemon/base/list.h"
#include "daemon/module/exchange.h"
#include "daemon/proxy/client_census.h"

namespace limpet {

struct ListenerAtWork;
class WorkerRoom;

/// What a client speaks, as far as it is known.
enum class ClientProtocol : std::uint8_t { kUnknown, kHttp1, kHttp2 };

/// Who a client is; goes from the doorway to the connection behind it.
struct ClientOrigin {
  std::string address;  ///< of the peer, or what a trusted proxy's header said; without port
  std::unique_ptr<std::string> tls_subject;  ///< of the client's certificate, or null
  std::unique_ptr<ClientTicket> ticket;      ///< that it is counted, where clients are
  const std::string* bind = nullptr;         ///< of the socket it came to; the room's
  std::uint16_t port = 0;
  bool is_trusted = false;
  bool is_secure = false;
  bool shall_leave = false;  ///< was asked to, on its way in

  /// The same as facts for modules.
  /// Borrows: this.
  void describe(ClientFacts& facts) const noexcept {
    facts.address = address;
    facts.port = port;
    facts.is_trusted = is_trusted;
    facts.is_secure = is_secure;
    if (tls_subject != nullptr) facts.tls_subject = *tls_subject;
  }
};

/// A client's connection, one of the worker's.
/// Lifetime: buried when closed.
class ClientSide : public ListNode<ClientSide> {
 public:
  ClientSide(const ListenerAtWork& listener, const ClientOrigin& origin) noexcept
      : listener_(&listener), bind_(origin.bind) {}
  ClientSide(const ClientSide&) = delete;
  ClientSide& operator=(const ClientSide&) = delete;

  /// Finishes what runs and takes nothing new; what is idle closes at once.
  virtual void drain() = 0;
  /// Closes whatever is going on, which then has ended by `ending`.
  virtual void cut(Ending ending) = 0;
  [[nodiscard]] const ListenerAtWork& listener() const noexcept { return *listener_; }
  /// Where it came to.
  [[nodiscard]] const std::string& bind() const noexcept { return *bind_; }

 protected:
  ~ClientSide() = default;

 private:
  const ListenerAtWork* listener_;
  const std::string* bind_;
};

}  // namespace limpet
