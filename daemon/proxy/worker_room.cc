// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/worker_room.h"

#include <algorithm>
#include <utility>

#include "daemon/base/check.h"
#include "daemon/proxy/doorway.h"
#include "daemon/proxy/http2_client.h"
#include "daemon/proxy/relay.h"

namespace limpet {

namespace {
constexpr std::chrono::milliseconds kHousekeepingEvery{1000};
}  // namespace

WorkerRoom::WorkerRoom(Worker& worker)
    : worker_(worker),
      mailbox_(loop_),
      services_(worker.setup_.index, worker.metrics_, nullptr),
      counters_(worker.metrics_),
      caller_(*this),
      watches_(loop_, *this),
      scratch_(kScratchBytes),
      housekeeping_(*this) {
  services_.set_calls(&caller_);
  services_.set_watches(&watches_);
  loop_.observe(this);
  on_turn(loop_.now(), loop_.wall_now());
}

WorkerRoom::~WorkerRoom() {
  while (ClientSide* client = clients_.front())
    client->cut(Ending::kShutdown);
  destroy_dead_relays();
  retired_.clear();
  generation_.reset();
  caller_.give_up_all();
  while (ReplicaSide* replica = replicas_.front())
    replica->drop();
  loop_.empty_graveyard();  // while what the dead give back to is still there
  listeners_.clear();
  if (spare_arena_ != nullptr) arenas_.give(spare_arena_);
}

void WorkerRoom::run() {
  housekeeping_.arm(loop_.timers(), loop_.now() + kHousekeepingEvery);
  loop_.run();
}

void WorkerRoom::on_turn(Instant now, WallSeconds wall) { services_.set_now(now, wall); }

StreamEvents& WorkerRoom::borrow_events() {
  DCHECK_THAT(!are_events_borrowed_);
  are_events_borrowed_ = true;
  return events_;
}

void WorkerRoom::return_events(StreamEvents& events) noexcept {
  events.clear();
  are_events_borrowed_ = false;
}

Arena& WorkerRoom::spare_arena() noexcept {
  if (spare_arena_ == nullptr) spare_arena_ = arenas_.take();
  spare_arena_->reset();
  return *spare_arena_;
}

const AddressPredicate& WorkerRoom::trust_of(std::string_view listener) const {
  const auto found = listeners_at_work_.find(listener);
  CHECK_THAT(found !=
             listeners_at_work_.end());  // listeners are never forgotten while their clients live
  return *found->second;
}

// Relays and connections
// ------------------------------------------------------------------------------------

Relay* WorkerRoom::make_relay(ClientStream& client, Arena& arena, RequestHead& head) {
  return new (arena.allocate(sizeof(Relay))) Relay(*this, client, arena, head);
}

void WorkerRoom::bury_relay(Relay& relay) noexcept { dead_relays_.push_front(relay); }

void WorkerRoom::destroy_dead_relays() {
  while (Relay* relay = dead_relays_.front()) {
    Arena& arena = relay->memory();
    relay->~Relay();  // which leaves the list
    arenas_.give(&arena);
  }
  for (Arena* arena : dead_arenas_)
    arenas_.give(arena);
  dead_arenas_.clear();
}

void WorkerRoom::bury(Connection& connection) { loop_.bury(std::unique_ptr<Mortal>(&connection)); }

bool WorkerRoom::count_client(const Address& client, ClientOrigin& origin) {
  const std::uint64_t most = generation_->snapshot().limits.connections_per_client;
  if (most == 0 || worker_.setup_.census == nullptr || !client.is_ip()) return true;
  origin.ticket = worker_.setup_.census->try_enter(client, most);
  if (origin.ticket == nullptr) counters_.limit_client_connections->add();
  return origin.ticket != nullptr;
}

void WorkerRoom::welcome(Fd fd, const Address& peer, const ListenerAtWork& listener,
                         const std::string& bind) {
  ClientOrigin origin;
  origin.address = peer.print_host();
  origin.port = peer.port();
  origin.is_trusted = listener.trusts(peer);
  // Who is behind a proxy is counted when its header has been read.
  const bool is_proxy = listener.reads_proxy_header && origin.is_trusted;
  if (!is_proxy && !count_client(peer, origin)) return;
  origin.bind = &*binds_.insert(bind).first;
  ++clients_count_;
  listener.http1.open->add(1);
  worker_.connections_.store(clients_count_, std::memory_order_relaxed);
  if (listener.has_doorway()) {
    auto* doorway = new Doorway(*this, std::move(fd), std::move(origin),
                                listener);  // NOLINT(cppcoreguidelines-owning-memory)
    clients_.push_back(*doorway);
    doorway->start();
  } else {
    admit_http1(Transport(std::move(fd)), std::move(origin), listener);
  }
  if (clients_count_ >= worker_.setup_.connections_max) pause_or_resume_accepting();
}

void WorkerRoom::admit_http1(Transport transport, ClientOrigin origin,
                             const ListenerAtWork& listener) {
  const bool shall_leave = is_draining_ || origin.shall_leave;
  auto* client = new ClientConnection(*this, std::move(transport), std::move(origin),
                                      listener);  // NOLINT(cppcoreguidelines-owning-memory)
  clients_.push_back(*client);
  client->start();
  if (shall_leave) client->drain();
}

void WorkerRoom::admit_http2(Transport transport, ClientOrigin origin,
                             const ListenerAtWork& listener, Buffer read_already) {
  listener.http1.open->add(-1);
  listener.http2.open->add(1);
  listener.http2.opened->add();
  const bool shall_leave = is_draining_ || origin.shall_leave;
  auto* client = new Http2Client(*this, std::move(transport), std::move(origin),
                                 listener);  // NOLINT(cppcoreguidelines-owning-memory)
  clients_.push_back(*client);
  client->start(std::move(read_already));
  if (shall_leave) client->drain();
}

void WorkerRoom::on_client_closed(const ListenerAtWork& listener, ClientProtocol spoken) {
  --clients_count_;
  (spoken == ClientProtocol::kHttp2 ? listener.http2 : listener.http1).open->add(-1);
  if (spoken == ClientProtocol::kUnknown) listener.http1.opened->add();
  worker_.connections_.store(clients_count_, std::memory_order_relaxed);
  if (!is_accepting_) pause_or_resume_accepting();
  if (is_draining_) finish_drain_if_empty();
}

void WorkerRoom::pause_or_resume_accepting() {
  const bool may = may_accept();
  if (may == is_accepting_) return;
  is_accepting_ = may;
  if (!may && !is_draining_) counters_.limit_connections->add();
  for (auto& listener : listeners_) {
    if (may) {
      listener->start();
    } else {
      listener->pause();
    }
  }
}

void WorkerRoom::close_idle_replicas() {
  for (auto& [vitals, row] : slots_) {
    for (auto& slot : row)
      slot->close_idle();
  }
}

ReplicaSlot& WorkerRoom::slot_of(const Replica& replica) {
  auto& row = slots_[replica.vitals.get()];
  for (auto& slot : row) {
    if (slot->address() == replica.address) return *slot;
  }
  row.push_back(std::make_unique<ReplicaSlot>(*this, replica.vitals, replica.address));
  return *row.back();
}

WaitingRoom& WorkerRoom::waiting_room(const std::string& pool) {
  auto& place = waiting_rooms_[pool];
  if (!place) place = std::make_unique<WaitingRoom>(*this, pool);
  return *place;
}

// Configurations
// --------------------------------------------------------------------------------------------

void WorkerRoom::adopt(Adoption adoption) {
  services_.set_access_log(adoption.access_log);
  for (auto& [vitals, row] : slots_) {
    for (auto& slot : row)
      slot->mark_unwanted();
  }
  auto fresh = std::make_unique<Generation>(adoption.snapshot, *this);
  // Those that the new configuration does not want close their idle connections; running exchanges
  // finish.
  for (auto& [vitals, row] : slots_) {
    for (auto& slot : row) {
      if (!slot->is_wanted()) slot->retire();
    }
  }
  if (generation_) retired_.push_back(std::move(generation_));
  generation_ = std::move(fresh);
  buffer_bytes_max_ = adoption.snapshot->limits.buffer_bytes;
  codec_limits_ = adoption.snapshot->codec_limits;
  http2_settings_ = adoption.snapshot->http2;
  adopt_listeners(*adoption.snapshot, std::move(adoption.sockets));
  for (auto& [pool, waiting] : waiting_rooms_)
    waiting->on_reload();
  after_callback();
  retire_generations();
}

ListenerAtWork& WorkerRoom::at_work_for(const ListenerPlan& plan) {
  auto& at_work = listeners_at_work_[plan.name];
  if (at_work) return *at_work;
  at_work = std::make_unique<ListenerAtWork>();
  at_work->name = plan.name;
  const auto counts = [&](const char* protocol) {
    const Labels labels = {{"listener", plan.name}, {"proto", protocol}};
    return ListenerAtWork::Counts{&services_.metrics().gauge("limpet_connections", labels),
                                  &services_.metrics().counter("limpet_connections_total", labels)};
  };
  at_work->http1 = counts("http1");
  at_work->http2 = counts("http2");
  at_work->proxy_errors =
      &services_.metrics().counter("limpet_proxy_protocol_errors_total", {{"listener", plan.name}});
  return *at_work;
}

// A client of a listener that is no more, or of an address that it has left, is asked to come
// again.
void WorkerRoom::drain_clients_of_gone_listeners(const Snapshot& snapshot,
                                                 const std::vector<WorkerSocket>& sockets) {
  clients_.for_each_now([&](ClientSide& client) {
    const bool has_listener =
        std::any_of(snapshot.listeners.begin(), snapshot.listeners.end(),
                    [&](const ListenerPlan& plan) { return plan.name == client.listener().name; });
    const bool has_socket =
        std::any_of(sockets.begin(), sockets.end(),
                    [&](const WorkerSocket& socket) { return socket.bind == client.bind(); });
    if (!has_listener || !has_socket) client.drain();
  });
}

void WorkerRoom::adopt_listeners(const Snapshot& snapshot, std::vector<WorkerSocket> sockets) {
  for (const ListenerPlan& plan : snapshot.listeners) {
    ListenerAtWork& at_work = at_work_for(plan);
    at_work.trusted = plan.trusted;
    at_work.speaks_http2 = plan.speaks_http2;
    at_work.reads_proxy_header = plan.reads_proxy_header;
    at_work.asks_for_certificate = plan.asks_for_certificate;
    at_work.tls = plan.tls.context;
    // Handshakes that have begun may still fail where the listener has become a plain one.
    if (plan.tls.failures != nullptr) at_work.tls_failures = plan.tls.failures;
    at_work.handshake_timeout = plan.handshake_timeout;
    at_work.handshakes_max = plan.handshakes_max;
    if (at_work.tls != nullptr && at_work.tls_counters == nullptr)
      at_work.tls_counters = std::make_unique<TlsCounters>(services_.metrics(), plan.name);
  }
  const auto has_socket = [&](const std::string& bind) {
    return std::any_of(sockets.begin(), sockets.end(),
                       [&](const WorkerSocket& s) { return s.bind == bind; });
  };
  // What the kernel has accepted for us already is not reset, but asked to come again.
  for (auto& listener : listeners_) {
    if (!has_socket(listener->bind())) listener->accept_rest();
  }
  drain_clients_of_gone_listeners(snapshot, sockets);
  std::erase_if(listeners_, [&](const auto& listener) { return !has_socket(listener->bind()); });
  for (WorkerSocket& socket : sockets) {
    const auto at_work = listeners_at_work_.find(socket.listener);
    if (at_work == listeners_at_work_.end()) continue;
    const auto known =
        std::find_if(listeners_.begin(), listeners_.end(),
                     [&](const auto& listener) { return listener->bind() == socket.bind; });
    if (known != listeners_.end()) {
      (*known)->serve(*at_work->second);  // perhaps under another name, with another trust
      continue;
    }
    listeners_.push_back(
        std::make_unique<Listener>(*this, *at_work->second, socket.bind, std::move(socket.fd)));
    if (is_accepting_ && !is_draining_) listeners_.back()->start();
  }
}

void WorkerRoom::retire_generations() {
  std::erase_if(retired_, [](const auto& generation) { return generation->is_unused(); });
  for (auto row = slots_.begin(); row != slots_.end();) {
    // A slot that a retired generation still names stays.
    if (retired_.empty())
      std::erase_if(row->second, [](const auto& slot) { return slot->is_unused(); });
    row = row->second.empty() ? slots_.erase(row) : std::next(row);
  }
}

void WorkerRoom::on_timer(Timer&) {
  housekeeping_.arm(loop_.timers(),
                    std::max(std::min(drain_deadline_, loop_.now() + kHousekeepingEvery),
                             loop_.now() + std::chrono::milliseconds(20)));
  worker_.busy_ratio_.store(loop_.take_busy_ratio(), std::memory_order_relaxed);
  if (!retired_.empty()) retire_generations();
  // What still runs in a retired generation is looked after there.
  for (const auto& generation : retired_)
    generation->tick(loop_.now());
  if (generation_ != nullptr) generation_->tick(loop_.now());
  if (is_draining_ && loop_.now() >= drain_deadline_) {
    while (ClientSide* client = clients_.front())
      client->cut(Ending::kShutdown);
  }
  after_callback();
}

// The end
// ---------------------------------------------------------------------------------------------------

void WorkerRoom::drain(Instant deadline, std::function<void()> on_drained) {
  // What the kernel has accepted for us already is not reset.
  for (auto& listener : listeners_)
    listener->accept_rest();
  is_draining_ = true;
  drain_deadline_ = deadline;
  on_drained_ = std::move(on_drained);
  listeners_.clear();
  clients_.for_each_now([](ClientSide& client) { client.drain(); });
  housekeeping_.arm(loop_.timers(), std::min(deadline, loop_.now() + kHousekeepingEvery));
  finish_drain_if_empty();
  after_callback();
}

void WorkerRoom::finish_drain_if_empty() {
  if (clients_count_ > 0 || !on_drained_) return;
  std::exchange(on_drained_, nullptr)();
}

}  // namespace limpet
