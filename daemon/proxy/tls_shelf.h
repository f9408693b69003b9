// SPDX-License-Identifier: Apache-2.0
#pragma once
// TlsShelf: the TLS contexts of the configuration in force: certificates, ticket keys, what
// replicas are verified with. It makes them for a snapshot, looks whether their files have changed,
// and keeps the old ones where the new ones are bad. Neighbours: net/tls_server.h, net/tls_client.h
// make one; snapshot.h asks for them.

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/config/model.h"
#include "daemon/net/tls_client.h"
#include "daemon/net/tls_failure.h"
#include "daemon/net/tls_files.h"
#include "daemon/net/tls_server.h"
#include "daemon/net/tls_tickets.h"

namespace limpet {

/// What a listener has on the shelf.
struct ServerTls {
  std::shared_ptr<const TlsServerContext> context;
  std::shared_ptr<TicketKeys> tickets;
  std::shared_ptr<TlsFailureLog> failures;
};

/// The contexts, by the names of listeners and pools. A snapshot is built in a round: what it asks
/// for is made or found, and is in force when the round is committed.
/// Thread: main.
class TlsShelf {
 public:
  /// Whether files are read anew in this round (a reload), or only where they have changed since.
  enum class Round : std::uint8_t { kFresh, kSame };
  void begin_round(Round round);
  /// Mistakes are reported through the model's settings.
  /// Errors: an empty one after a reported mistake.
  [[nodiscard]] ServerTls server(const ListenerModel& listener, Instant now);
  [[nodiscard]] std::shared_ptr<const TlsClientContext> client(const PoolModel& pool);
  void commit_round();

  /// Turns ticket keys over, and looks whether files have changed. Returns whether a round is due.
  /// What has become bad on disk is logged once and stays as it was.
  [[nodiscard]] bool look(const Model& model, Instant now);

 private:
  struct Server {
    ServerTls tls;
    Duration rotate{};
    std::string ticket_file;
  };
  struct Complaint {
    std::string text;
    std::vector<FileMark> files;  ///< as they were then
  };
  [[nodiscard]] std::shared_ptr<TicketKeys> tickets_for(const ListenerModel& listener, Instant now);
  [[nodiscard]] bool renew(const ListenerModel& listener, Server& server);
  [[nodiscard]] bool renew(const PoolModel& pool, std::shared_ptr<const TlsClientContext>& client);
  /// Logs what is wrong with `files`, once until they change again.
  void complain_once(const std::string& whose, const std::string& text,
                     std::span<const FileMark> files);

  std::map<std::string, Server> servers_;
  std::map<std::string, std::shared_ptr<const TlsClientContext>> clients_;
  std::map<std::string, Server> next_servers_;
  std::map<std::string, std::shared_ptr<const TlsClientContext>> next_clients_;
  std::map<std::string, Complaint> complaints_;
  Round round_ = Round::kFresh;
};

}  // namespace limpet
