// SPDX-License-Identifier: Apache-2.0
#pragma once
// ClientConnection: the client's side. It turns streams into relays and writes what the relays
// answer. HTTP/1: one relay at a time, pipelined requests wait. What happens to a request is the
// relay's business (relay.h).

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "daemon/base/address.h"
#include "daemon/module/exchange.h"
#include "daemon/proxy/client_census.h"
#include "daemon/proxy/connection.h"

namespace limpet {

class Relay;
struct ListenerAtWork;

/// One client's connection.
///
///   kIdle ──first byte──► kHead ──head──► kBusy ──response and request done──► kIdle
///     │                     │408            │                                    │ last of the
///     connection └──── idle, drain ────┴───────────────┴──────────────► kLingering ──► closed
///
/// Owns: its relay. Thread: its worker.
class ClientConnection final : public Connection, private HeadHome {
 public:
  ClientConnection(WorkerRoom& room, Fd fd, const Address& peer, const ListenerAtWork& listener);
  ~ClientConnection() override;

  /// Keeps the proof that this connection is counted.
  void keep_ticket(std::unique_ptr<ClientTicket> ticket) noexcept { ticket_ = std::move(ticket); }
  /// Begins to read.
  void start();

  // -- for the relay
  // ---------------------------------------------------------------------------------------

  void send_informational(const ResponseHead& head);
  void send_head(const ResponseHead& head);
  void send_body(std::string_view bytes);
  void send_end(const HeaderList* trailers);
  /// Both sides agreed to switch protocols; bytes flow until one ends.
  void enter_tunnel();
  /// Ends our half after everything queued (a tunnel's replica has ended its own).
  void end_writing();
  /// The response cannot be finished: the client sees a broken connection, never a complete answer.
  void abort();
  /// The relay is done with this exchange.
  void on_exchange_done(Relay& relay);

  [[nodiscard]] bool is_request_complete() const noexcept { return http1().has_read_message(); }
  /// The response will be the last one of this connection.
  void close_after_this() noexcept { http1().close_after_this(); }
  [[nodiscard]] ClientFacts& facts() noexcept { return facts_; }
  [[nodiscard]] bool carries_body() const noexcept { return http1().carries_body(); }
  /// Whether the client has ended its half.
  [[nodiscard]] bool has_ended_reading() const noexcept { return has_ended_; }

  /// Finishes what runs and takes nothing new; an idle connection closes at once.
  void drain();
  /// Closes whatever is going on, which then has ended by `ending`.
  void cut(Ending ending);

 private:
  enum class State : std::uint8_t { kIdle, kHead, kBusy, kLingering };

  void on_events(StreamEvents& events) override;
  HeadHome& head_home() override { return *this; }
  Arena& arena_for(std::uint32_t stream) override;
  void on_end_of_bytes() override;
  void on_broken() override;
  void on_drained() override;
  void on_progress() override;
  [[nodiscard]] bool wants_input() const override;
  void on_deadline() override;

  void begin_relay(RequestHead& head);
  void on_fault(const StreamEvent& event);
  void refuse(std::uint16_t status, std::string_view detail);
  void become_idle();
  void linger();
  void close();
  void arm(Duration after);
  [[nodiscard]] bool owes_body() const noexcept {
    return !is_tunnel_ && !is_paused_ && !is_request_complete();
  }

  const ListenerAtWork& listener_;
  std::unique_ptr<ClientTicket> ticket_;
  Relay* relay_ = nullptr;
  Arena* fresh_arena_ = nullptr;  ///< for the head that is being read
  std::string address_text_;
  ClientFacts facts_;
  State state_ = State::kIdle;
  bool is_draining_ = false;
  bool is_tunnel_ = false;
  bool ends_after_flush_ = false;
};

}  // namespace limpet
