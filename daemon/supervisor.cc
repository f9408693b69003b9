// SPDX-License-Identifier: Apache-2.0
#include "daemon/supervisor.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/units.h"
#include "daemon/cores.h"
#include "daemon/log_block.h"
#include "daemon/net/socket.h"
#include "daemon/notify.h"
#include "daemon/privileges.h"
#include "daemon/version.h"

namespace limpet {

namespace {

// What a drain may take beyond its deadline before the process ends anyway.
constexpr std::chrono::milliseconds kDrainGrace{500};
// How long readiness waits for the first probe of every replica.
constexpr std::chrono::seconds kProofAtMost{3};

void configure_log(const DaemonModel& daemon) {
  static_assert(static_cast<int>(LogLevel::kError) == static_cast<int>(log::Level::kError));
  log::configure(static_cast<log::Level>(daemon.log_level),
                 daemon.log_format == LogFormat::kJson ? log::Format::kJson : log::Format::kText);
}

bool has_unproven(const Snapshot& snapshot) {
  for (const auto& pool : snapshot.pools) {
    for (const Replica& replica : pool->facts.replicas) {
      const Vitals& vitals = *replica.vitals;
      if (vitals.health.load(std::memory_order_relaxed) == Health::kUnproven) return true;
    }
  }
  return false;
}

std::string folder_of(const std::string& file) {
  return std::filesystem::path(file).parent_path().string();
}

}  // namespace

Supervisor::Supervisor(SupervisorSetup setup)
    : setup_(std::move(setup)),
      configurations_(setup_.origin, setup_.kinds),
      crew_(loop_),
      prober_(loop_, metrics_),
      discovery_(loop_, [this] { on_lists_changed(); }),
      admin_(loop_, *this),
      control_(loop_, *this),
      second_(*this),
      drain_end_(*this),
      proof_end_(*this) {
  started_at_ = adopted_at_ = reloaded_at_ = loop_.wall_now();
  prober_.on_change([this] {
    crew_.ping();
    look_for_proof();
  });
}

Supervisor::~Supervisor() = default;

int Supervisor::run() {
  if (!begin()) return 1;
  loop_.run();
  end();
  return 0;
}

bool Supervisor::begin() {
  std::signal(SIGPIPE, SIG_IGN);
  watch_signals();
  Candidate first = configurations_.read(nullptr);
  configure_log(first.config.model().daemon);
  prepare(first);
  if (first.snapshot == nullptr) {
    if (first.access_log != nullptr) first.access_log->withdraw();
    std::fputs(first.config.mistakes().render().c_str(), stderr);
    std::fputs("limpetd: not started, because of the mistakes above\n", stderr);
    return false;
  }
  start_crew(first.config.model());
  take_up(std::move(first), [this] {
    is_adopted_ = true;
    look_for_proof();
  });
  proof_end_.arm(loop_.timers(), monotonic_now() + kProofAtMost);
  beat_ = std::min(beat_, notify::watchdog_interval() / 3);
  second_.arm(loop_.timers(), monotonic_now() + beat_);
  return true;
}

// The order matters: sockets while we may open them, then the user, then the files that belong to
// the user; threads come later. After a mistake the rest is tried all the same, so that one run
// shows every one; but nobody else than the user makes files that stay.
void Supervisor::prepare(Candidate& first) {
  bool is_user = false;
  if (first.config.is_whole()) {
    open_sockets(first.config);
    is_user = become_user(first.config);
    open_access_log(first);
  }
  if (is_user) {
    if (first.config.is_valid())
      configurations_.recall(state_file_.open(first.config.model().daemon.state_dir));
    configurations_.build(first);
  } else {
    configurations_.try_out(first);
  }
}

void Supervisor::watch_signals() {
  const auto watch = [this](int number, std::function<void()> on_signal) {
    signals_.push_back(std::make_unique<SignalWatch>(loop_, number, std::move(on_signal)));
  };
  for (const int number : {SIGTERM, SIGINT, SIGQUIT})
    watch(number, [this] { begin_drain(); });
  watch(SIGHUP, [this] { reload(nullptr); });
  watch(SIGUSR1, [this] {
    if (access_log_ == nullptr) return;
    access_log_->reopen();
    log::info("the access log is opened again", {{"path", access_log_path_}});
  });
}

void Supervisor::open_sockets(Config& config) {
  const Model& model = config.model();
  workers_ = model.daemon.workers ? *model.daemon.workers : usable_cores();
  configurations_.set_workers(workers_);
  listeners_ = std::make_unique<Listeners>(workers_);
  listeners_->take_passed(notify::take_passed_sockets());
  listeners_->open(config);
  open_admin(config);
  open_control(config);
}

void Supervisor::open_admin(Config& config) {
  const AdminModel& model = config.model().admin;
  if (model.bind.is_empty() || config.mistakes().has_at(model.where)) return;
  Result<Fd> opened = open_alone(model.bind);
  if (!opened) return config.mistake(model.where, "admin.bind: " + opened.error().text);
  const Address bound = local_address(opened->number());
  admin_where_ = bound.print();
  admin_.listen(std::move(*opened), bound);
}

void Supervisor::open_control(Config& config) {
  const AdminModel& model = config.model().admin;
  const ConfigReader table = config.root().table("admin");
  if (model.socket.empty() || config.mistakes().has_at(table.position("socket"))) return;
  const std::string& user = config.model().daemon.user;
  const auto refuse = [&](const std::string& why) { table.mistake("socket", "socket: " + why); };
  const auto address = Address::parse("unix:" + model.socket);
  if (!address) return refuse(address.error().text);
  if (Status made = prepare_directory(folder_of(model.socket), user); !made) {
    return refuse(made.error().text);
  }
  const mode_t before = ::umask(0117);  // 0660 from its first moment
  Result<Fd> opened = open_listening(*address);
  ::umask(before);
  if (!opened) return refuse(opened.error().text);
  give_to_user(model.socket, user);
  control_.listen(std::move(*opened), model.socket);
}

bool Supervisor::become_user(Config& config) {
  const DaemonModel& daemon = config.model().daemon;
  const ConfigReader table = config.root().table("daemon");
  bool is_done = true;
  const auto attempt = [&](std::string_view key, const auto& action) {
    const bool is_tried = !config.mistakes().has_at(table.position(key));
    const Status status = is_tried ? action() : Status();
    if (!status) table.mistake(key, std::string(key) + ": " + status.error().text);
    is_done = is_done && is_tried && status;
  };
  attempt("state_dir", [&] { return prepare_directory(daemon.state_dir, daemon.user); });
  attempt("user", [&] { return drop_privileges(daemon.user); });
  return is_done;
}

void Supervisor::start_crew(const Model& model) {
  CrewPlan plan;
  plan.workers = workers_;
  const std::uint64_t descriptors = raise_descriptor_limit();
  plan.connections_max = model.limits.connections.value_or(clients_for(descriptors));
  // Fewer cores than workers: the kernel places them better than a fixed order would.
  const std::vector<int> cores = allowed_cores();
  if (model.daemon.pin && plan.workers <= cores.size()) plan.cores = cores;
  crew_.start(plan);
}

// Ready is said when requests can be served: each replica has been probed once where it starts
// unproven, or has had the time for it.
void Supervisor::look_for_proof() {
  if (stage_ != Stage::kStarting || !is_adopted_) return;
  if (proof_end_.is_armed() && has_unproven(*configurations_.snapshot())) return;
  proof_end_.disarm();
  become_ready();
}

void Supervisor::become_ready() {
  stage_ = Stage::kReady;
  for (const ListenerModel& listener : configurations_.model().listeners) {
    for (const BindModel& bind : listener.bind) {
      log::info("listening", {{"listener", listener.name}, {"address", listeners_->where(bind)}});
    }
  }
  if (!admin_where_.empty()) log::info("admin is listening", {{"address", admin_where_}});
  log::info("limpet is ready", {{"version", kVersion},
                                {"workers", std::to_string(crew_.size())},
                                {"config", configurations_.origin().file}});
  notify::ready(status_line());
  if (setup_.on_ready) setup_.on_ready();
}

// The first call lets running exchanges finish, the second ends at once.
void Supervisor::begin_drain() {
  if (stage_ == Stage::kDraining || stage_ == Stage::kStarting) return loop_.stop();
  stage_ = Stage::kDraining;
  const Duration at_most = configurations_.model().daemon.drain_timeout;
  const std::string words = print_duration(at_most);
  log::info("limpet is going down: running requests may finish; the same signal again ends at once",
            {{"at_most", words}});
  notify::stopping("Draining, at most " + words);
  const Instant deadline = deadline_after(monotonic_now(), at_most);
  crew_.drain(deadline, [this] { loop_.stop(); });
  if (deadline != kNever) drain_end_.arm(loop_.timers(), deadline + kDrainGrace);
}

void Supervisor::end() {
  crew_.stop();
  if (is_adopted_) state_file_.write(configurations_.to_save(), monotonic_now());
  if (access_log_ != nullptr) access_log_->flush();
  listeners_.reset();
  control_.close();
  log::info("limpet has ended");
}

void Supervisor::on_timer(Timer& timer) {
  if (&timer == &drain_end_) return loop_.stop();
  if (&timer == &proof_end_) {
    proof_end_.disarm();
    return look_for_proof();
  }
  tick();
  second_.arm(loop_.timers(), monotonic_now() + beat_);
}

void Supervisor::tick() {
  tend_watchdog();
  control_.tick();
  if (stage_ != Stage::kReady) return;
  if (state_file_.is_due(monotonic_now()))
    state_file_.write(configurations_.to_save(), monotonic_now());
  discovery_.look();
  if (configurations_.shelf().look(configurations_.model(), monotonic_now()))
    static_cast<void>(rebuild(configurations_.lists(), "TLS files have changed", [] {}));
  if (can_rebuild_ && configurations_.has_departed()) {
    static_cast<void>(rebuild(configurations_.lists(), "a replica has departed", [] {}));
  }
}

// systemd hears that we live only while every worker does.
void Supervisor::tend_watchdog() {
  const std::vector<std::size_t> hung = crew_.take_hung();
  if (has_pinged_) {
    for (const std::size_t worker : hung) {
      log::warning("a worker has not turned for a while", {{"worker", std::to_string(worker)}});
    }
    if (hung.empty()) notify::alive();
  }
  has_pinged_ = true;
  crew_.ping();
}

std::string Supervisor::status_line() const {
  const Model& model = configurations_.model();
  return "Serving " + std::to_string(model.pools.size()) + " pool(s) with " +
         std::to_string(crew_.size()) + " worker(s), configuration " +
         std::to_string(configurations_.snapshot()->revision);
}

std::shared_ptr<const Snapshot> Supervisor::snapshot() const { return configurations_.snapshot(); }

control::ProcessFacts Supervisor::facts() const {
  control::ProcessFacts facts;
  facts.stage = stage_;
  facts.config_file = configurations_.origin().file;
  facts.started_at = started_at_;
  facts.adopted_at = adopted_at_;
  facts.reloaded_at = reloaded_at_;
  facts.is_last_reload_good = is_last_reload_good_;
  facts.reloads_failed = reloads_failed_;
  facts.access_log_dropped = lines_dropped_;
  for (const auto& writer : access_logs_)
    facts.access_log_dropped += writer->dropped();
  facts.workers = crew_.facts();
  return facts;
}

std::vector<const MetricSet*> Supervisor::metric_sets() const {
  std::vector<const MetricSet*> sets{&metrics_};
  crew_.list_metrics(sets);
  return sets;
}

}  // namespace limpet
