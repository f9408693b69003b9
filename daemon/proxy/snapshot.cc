// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/snapshot.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/base/text.h"

namespace limpet {

namespace {

// The chain of exchanges that no pool is concerned with: they are named, counted and logged like
// others.
constexpr std::array<std::string_view, 3> kBareChain = {"request_id", "metrics", "access_log"};

Http2FloodLimits flood_limits(const Http2FloodsModel& floods) {
  const bool is_enforced = floods.mode == FloodAnswer::kEnforce;
  return {is_enforced ? FloodMode::kEnforce : FloodMode::kReport,
          floods.window,
          floods.resets,
          floods.provoked_resets,
          floods.continuations,
          floods.settings,
          floods.pings,
          floods.empty_data,
          floods.priorities,
          floods.other_frames,
          floods.connection_bytes};
}

Http2Settings http2_settings(const LimitsModel& limits) {
  // A window smaller than a frame would only cost round trips.
  constexpr std::uint64_t kWindowAtLeast = 16 * 1024;
  constexpr std::uint64_t kWindowAtMost = 16 * 1024 * 1024;
  Http2Settings settings;
  settings.streams_max = static_cast<std::uint32_t>(limits.http2_streams);
  settings.stream_window_bytes = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(limits.buffer_bytes, kWindowAtLeast, kWindowAtMost));
  settings.floods = flood_limits(limits.http2_floods);
  return settings;
}

/// Builds one snapshot and collects what is wrong with its configuration.
class Builder {
 public:
  Builder(Config& config, const SnapshotContext& context)
      : config_(config), context_(context), snapshot_(std::make_shared<Snapshot>()) {}

  std::shared_ptr<const Snapshot> build() {
    const Model& model = config_.model();
    snapshot_->revision = context_.revision;
    snapshot_->limits = model.limits;
    snapshot_->timeouts = model.timeouts;
    snapshot_->drain_timeout = model.daemon.drain_timeout;
    snapshot_->codec_limits = {model.limits.request_line_bytes, model.limits.header_bytes,
                               model.limits.header_fields, CodecLimits{}.chunk_line_bytes};
    snapshot_->http2 = http2_settings(model.limits);
    refuse_what_is_not_there_yet();
    for (const PoolModel& pool : model.pools)
      build_pool(pool);
    build_bare_chain();
    build_listeners();
    build_routes();
    std::vector<std::string_view> names;
    for (const ModuleKind& kind : context_.kinds)
      names.push_back(kind.name);
    config_.report_unknown_keys(names);
    if (!config_.is_valid()) {
      context_.book.abandon_rounds();
      return nullptr;
    }
    context_.book.commit_rounds(context_.now, context_.wall);
    context_.shelf.commit_round();
    start_health();
    return snapshot_;
  }

 private:
  void refuse_what_is_not_there_yet() {
    const Model& model = config_.model();
    for (const PoolModel& pool : model.pools) {
      if (pool.discovery.type == DiscoveryType::kDns) {
        pool.discovery.settings.mistake(
            "type", "this release does not discover by DNS yet; use \"static\" or \"file\"");
      }
    }
    for (const ModuleModel& module : model.modules) {
      module.settings.mistake("path", "this release does not load modules from files yet");
    }
  }

  const ModuleKind* kind_named(std::string_view name) const {
    const auto at = std::find_if(context_.kinds.begin(), context_.kinds.end(),
                                 [&](const ModuleKind& kind) { return kind.name == name; });
    return at == context_.kinds.end() ? nullptr : &*at;
  }

  void build_pool(const PoolModel& model) {
    auto plan = std::make_unique<PoolPlan>();
    plan->index = static_cast<std::uint32_t>(snapshot_->pools.size());
    plan->timeouts = model.timeouts;
    plan->facts.name = model.name;
    plan->facts.forwards_client_host = model.forward_host == ForwardHost::kClient;
    for (const auto& [revision, share] : model.revisions) {
      plan->facts.revisions.emplace_back(revision, static_cast<std::uint32_t>(share));
    }
    const bool has_affinity =
        std::find(model.chain.begin(), model.chain.end(), "affinity") != model.chain.end();
    build_replicas(model, *plan,
                   has_affinity ? ReplicaBook::Sessions::kKept : ReplicaBook::Sessions::kNone);
    build_chain(model, *plan);
    plan->reach.protocol = model.protocol;
    plan->reach.proxy_header = model.send_proxy_protocol;
    if (model.tls.enabled) plan->reach.tls = context_.shelf.client(model);
    snapshot_->pools.push_back(std::move(plan));
  }

  void build_replicas(const PoolModel& model, PoolPlan& plan, ReplicaBook::Sessions sessions) {
    std::vector<Replica>& replicas = plan.facts.replicas;
    const auto add = [&](const ReplicaModel& from, std::shared_ptr<Vitals> vitals) {
      Replica replica;
      replica.id = from.id;
      replica.index = static_cast<std::uint32_t>(replicas.size());
      replica.address = from.address;
      replica.address_text = from.address.print();
      replica.weight = from.weight;
      replica.revision = from.revision;
      replica.is_backup = from.backup;
      replica.vitals = std::move(vitals);
      replicas.push_back(std::move(replica));
    };
    std::vector<ReplicaModel> configured = model.replicas;
    if (const auto found = context_.discovered.find(model.name);
        found != context_.discovered.end()) {
      configured.insert(configured.end(), found->second.begin(), found->second.end());
    }
    for (const ReplicaModel& replica : configured) {
      ReplicaBook::Entry entry = context_.book.enter(model.name, replica, context_.wall);
      if (entry.is_new)
        new_vitals_.push_back({plan.index, replica.id, entry.vitals, entry.was_down});
      add(replica, std::move(entry.vitals));
    }
    for (const ReplicaModel& leaving :
         context_.book.end_round(model.name, context_.now, context_.wall, sessions)) {
      add(leaving, context_.book.vitals_of(model.name, leaving.id));
    }
    for (const Replica& replica : replicas)
      plan.facts.index_by_id.emplace(replica.id, replica.index);
  }

  // Without a directory keys are made in memory.
  std::string state_dir() const {
    return context_.is_trial ? std::string() : config_.model().daemon.state_dir;
  }

  void build_chain(const PoolModel& model, PoolPlan& plan) {
    const auto wish = context_.wishes.affinity.find(model.name);
    const bool is_switched = wish != context_.wishes.affinity.end();
    PlanContext context{&plan.facts, config_.root(), state_dir()};
    context.wants_affinity = is_switched && wish->second == RuntimeWishes::Affinity::kSticky;
    const bool without_affinity = is_switched && wish->second == RuntimeWishes::Affinity::kNone;
    read_tables_outside(model, context);
    for (std::size_t i = 0; i < model.chain.size(); ++i) {
      const ModuleKind* kind = kind_named(model.chain[i]);
      if (kind == nullptr) {
        report_unknown_module(model, i);
        continue;
      }
      // Read in any case, so that its keys are known.
      auto module = kind->read(model.settings.table(kind->name), context);
      if (module == nullptr || (without_affinity && kind->name == "affinity")) continue;
      plan.chain.push_back({kind->name, std::move(module)});
    }
    for (const ChainLink& link : plan.chain) {
      if (const auto limits = link.plan->limits()) plan.limits = *limits;
      if (const auto percent = link.plan->panic_threshold_percent())
        plan.panic_threshold_percent = percent;
      if (const auto attempts = link.plan->attempts_max()) plan.attempts_max = attempts;
    }
    plan.attempts_max = std::clamp<std::uint32_t>(plan.attempts_max, 1, Exchange::kAttemptsMax);
    if (plan.chain.size() > Exchange::kNotesMax) {
      model.settings.mistake(
          "chain", "at most " + std::to_string(Exchange::kNotesMax) + " modules fit a chain");
    }
  }

  // A table of a module that the chain leaves out, or names with a typing error, is looked at as
  // any other; what it would make is not kept.
  void read_tables_outside(const PoolModel& model, PlanContext context) const {
    context.is_in_chain = false;
    for (const ModuleKind& kind : context_.kinds) {
      const bool is_named =
          std::find(model.chain.begin(), model.chain.end(), kind.name) != model.chain.end();
      if (is_named || !model.settings.has(kind.name)) continue;
      static_cast<void>(kind.read(model.settings.table(kind.name), context));
    }
  }

  void report_unknown_module(const PoolModel& model, std::size_t index) {
    std::vector<std::string_view> names;
    for (const ModuleKind& kind : context_.kinds)
      names.push_back(kind.name);
    std::string text = "unknown module \"" + model.chain[index] + "\"";
    if (const auto near = text::nearest(model.chain[index], names); !near.empty()) {
      text += ", did you mean \"" + std::string(near) + "\"?";
    }
    model.settings.mistake("chain", index, text);
  }

  void build_bare_chain() {
    for (const std::string_view name : kBareChain) {
      const ModuleKind* kind = kind_named(name);
      if (kind == nullptr) continue;
      auto plan = kind->read(ConfigReader{}, {nullptr, config_.root(), state_dir()});
      if (plan != nullptr) snapshot_->bare_chain.push_back({kind->name, std::move(plan)});
    }
  }

  void build_listeners() {
    for (const ListenerModel& model : config_.model().listeners) {
      ListenerPlan plan;
      plan.name = model.name;
      plan.trusted = model.trusted;
      plan.binds = model.bind;
      plan.speaks_http2 = model.http2;
      plan.reads_proxy_header = model.proxy_protocol;
      if (model.tls) {
        plan.tls = context_.shelf.server(model, context_.now);
        plan.asks_for_certificate = model.tls->client_auth != ClientAuth::kOff;
        plan.handshake_timeout = model.tls->handshake_timeout;
        plan.handshakes_max = static_cast<std::uint32_t>(model.tls->handshakes_max);
      }
      snapshot_->listeners.push_back(std::move(plan));
    }
  }

  void build_routes() {
    for (const RouteModel& model : config_.model().routes) {
      RoutePlan route;
      route.host = model.host;
      route.path = model.path;
      if (!model.pool.empty()) route.pool = snapshot_->find_pool(model.pool);
      if (model.redirect) {
        route.redirect_to = model.redirect->to;
        route.status = model.redirect->status;
      }
      if (model.respond) {
        route.status = model.respond->status;
        route.body = model.respond->body;
      }
      snapshot_->routes.push_back(std::move(route));
    }
  }

  // The state that replicas start in, once it is certain that they start.
  void start_health() {
    for (const auto& [pool, id, vitals, was_down] : new_vitals_) {
      Health initial = Health::kUp;
      for (const ChainLink& link : snapshot_->pools[pool]->chain) {
        if (const auto said = link.plan->initial_health()) initial = *said;
      }
      // One that failed its probes until now proves itself as any other that is down.
      if (initial == Health::kUnproven && was_down) {
        initial = Health::kDown;
        log::warning("replica is down", {{"pool", snapshot_->pools[pool]->facts.name},
                                         {"replica", id},
                                         {"why", "it failed its probes when limpet ended"}});
      }
      vitals->health.store(initial, std::memory_order_relaxed);
    }
  }

  Config& config_;
  const SnapshotContext& context_;
  std::shared_ptr<Snapshot> snapshot_;
  struct NewVitals {
    std::uint32_t pool;
    std::string id;
    std::shared_ptr<Vitals> vitals;
    bool was_down;
  };
  std::vector<NewVitals> new_vitals_;
};

}  // namespace

const PoolPlan* Snapshot::find_pool(std::string_view name) const noexcept {
  for (const auto& pool : pools) {
    if (pool->facts.name == name) return pool.get();
  }
  return nullptr;
}

std::shared_ptr<const Snapshot> build_snapshot(Config& config, const SnapshotContext& context) {
  return Builder(config, context).build();
}

}  // namespace limpet
