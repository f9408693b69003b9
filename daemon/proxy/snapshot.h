// SPDX-License-Identifier: Apache-2.0
#pragma once
// Snapshot: the immutable result of one configuration: listeners, routes, pools with their module
// plans. Built off the workers, shared by them, never changed. What one worker makes of it is a
// Generation (generation.h).

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/load.h"
#include "daemon/http/http2_codec.h"
#include "daemon/http/stream_event.h"
#include "daemon/module/module.h"
#include "daemon/proxy/replica_book.h"
#include "daemon/proxy/replica_reach.h"
#include "daemon/proxy/tls_shelf.h"

namespace limpet {

/// One module of one chain.
struct ChainLink {
  std::string_view name;  ///< static, of the ModuleKind
  std::unique_ptr<const ModulePlan> plan;
};

/// A pool with everything that decides for it.
struct PoolPlan {
  std::uint32_t index = 0;  ///< place in Snapshot::pools
  PoolFacts facts;
  PoolTimeoutsModel timeouts;
  std::vector<ChainLink> chain;
  ReplicaReach reach;
  ReplicaLimits limits;
  std::uint32_t panic_threshold_percent = 0;
  std::uint32_t attempts_max = 1;
};

/// A route and what it leads to: a pool, a redirect, or a fixed answer.
struct RoutePlan {
  std::string host;  ///< lower case; "*" any, "*.example.org" any below
  std::string path;  ///< whole segments; "/" any
  const PoolPlan* pool = nullptr;
  std::string redirect_to;
  std::uint16_t status = 0;  ///< of the redirect or answer
  std::string body;
};

/// What a listener is, without its sockets.
struct ListenerPlan {
  std::string name;
  std::vector<Network> trusted;
  std::vector<BindModel> binds;
  bool speaks_http2 = true;
  bool reads_proxy_header = false;
  bool asks_for_certificate = false;
  ServerTls tls;  ///< empty: plain
  Duration handshake_timeout{};
  std::uint32_t handshakes_max = 0;
};

/// One configuration, ready to work.
/// Thread: immutable after building; any.
struct Snapshot {
  std::uint64_t revision = 0;  ///< counts the configurations of this process from 1
  std::vector<std::unique_ptr<PoolPlan>> pools;
  std::vector<RoutePlan> routes;
  std::vector<ListenerPlan> listeners;
  std::vector<ChainLink> bare_chain;  ///< for exchanges that no pool is concerned with
  LimitsModel limits;
  CodecLimits codec_limits;
  Http2Settings http2;
  TimeoutsModel timeouts;
  Duration drain_timeout{};

  [[nodiscard]] const PoolPlan* find_pool(std::string_view name) const noexcept;
};

/// What an operator asked for at run time, over what the file says.
struct RuntimeWishes {
  enum class Affinity : std::uint8_t { kSticky, kNone };
  std::map<std::string, Affinity> affinity;  ///< by pool
};

/// Where snapshots come from.
struct SnapshotContext {
  std::span<const ModuleKind> kinds;
  ReplicaBook& book;
  TlsShelf& shelf;
  std::uint64_t revision;
  const RuntimeWishes& wishes;
  /// Replicas of pools with discovery.type = "file", by pool, read by the caller.
  const std::map<std::string, std::vector<ReplicaModel>>& discovered;
  Instant now;
  WallSeconds wall;
  bool is_trial = false;  ///< for --check and --dump: nothing is made in the state directory,
                          ///< nothing will serve
};

/// Builds a snapshot from a configuration. Mistakes (those of loading, of modules, of what this
/// daemon cannot do) are in config.mistakes(); with any, the result is null and the book is as
/// before. Thread: main.
[[nodiscard]] std::shared_ptr<const Snapshot> build_snapshot(Config& config,
                                                             const SnapshotContext& context);

}  // namespace limpet
