// SPDX-License-Identifier: Apache-2.0
#pragma once
// Listener: one listening socket of one worker, and ListenerAtWork: what its connections share. It
// accepts while there is room and stops accepting, instead of accepting and closing, when there is
// not.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/fd.h"
#include "daemon/event/timer.h"
#include "daemon/event/watch.h"
#include "daemon/http/forwarded.h"
#include "daemon/metrics/counter.h"
#include "daemon/net/tls_failure.h"
#include "daemon/net/tls_server.h"
#include "daemon/proxy/snapshot.h"

namespace limpet {

class WorkerRoom;

/// What is counted of a listener's TLS handshakes.
struct TlsCounters {
  enum class Kind : std::uint8_t { kFull, kResumed };

  TlsCounters(MetricSet& metrics, const std::string& listener);
  /// `version` as TlsSession::protocol() says it.
  void done(std::string_view version, Kind kind) noexcept;
  void failed(TlsFailureCause cause) noexcept {
    all_failed->add();
    by_cause[static_cast<std::size_t>(cause)]->add();
  }

  /// By version, 1.2 and 1.3, then by Kind.
  std::array<std::array<Counter*, 2>, 2> by_kind{};
  Counter* all_failed;
  std::array<Counter*, kTlsFailureCauses> by_cause{};
};

/// One listener of the configuration, in one worker; kept by name across reloads.
struct ListenerAtWork final : AddressPredicate {
  std::string name;
  std::vector<Network> trusted;
  /// Its connections of one protocol. What is not known yet is open as HTTP/1, and is counted as
  /// opened when it is known, or gone.
  struct Counts {
    Gauge* open = nullptr;
    Counter* opened = nullptr;
  };
  Counts http1;
  Counts http2;
  Counter* proxy_errors = nullptr;
  bool speaks_http2 = true;
  bool reads_proxy_header = false;
  bool asks_for_certificate = false;
  std::shared_ptr<const TlsServerContext> tls;  ///< null: plain
  Duration handshake_timeout{};
  std::uint32_t handshakes_max = 0;      ///< at a time, 0: no limit
  mutable std::uint32_t handshakes = 0;  ///< running
  std::unique_ptr<TlsCounters> tls_counters;
  std::shared_ptr<TlsFailureLog> tls_failures;

  [[nodiscard]] bool has_doorway() const noexcept { return tls != nullptr || reads_proxy_header; }

  [[nodiscard]] bool trusts(const Address& peer) const;
  [[nodiscard]] bool contains(std::string_view address) const override;
};

/// One listening socket.
/// Owns: the descriptor. Thread: its worker.
class Listener final : private Watch::Owner, private Timer::Owner {
 public:
  Listener(WorkerRoom& room, const ListenerAtWork& at_work, std::string bind, Fd fd);

  void start();
  /// Its connections are that listener's from now on.
  void serve(const ListenerAtWork& at_work) noexcept { at_work_ = &at_work; }
  /// Takes what waits in the kernel's queue, before the socket is closed.
  void accept_rest();
  /// Stops asking the kernel for connections; they wait in its queue.
  void pause() { watch_.stop(); }
  [[nodiscard]] const std::string& bind() const noexcept { return bind_; }

 private:
  void on_ready(Readiness ready) override;
  void on_timer(Timer& timer) override;
  bool accept_one();

  WorkerRoom& room_;
  const ListenerAtWork* at_work_;
  std::string bind_;
  Fd fd_;
  Watch watch_;
  Timer timer_;  ///< after running out of descriptors
};

}  // namespace limpet
