// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/worker_room.h"

#include <algorithm>
#include <utility>

#include "daemon/base/check.h"
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
      scratch_(kScratchBytes),
      housekeeping_(*this) {
  loop_.observe(this);
  on_turn(loop_.now(), loop_.wall_now());
}

WorkerRoom::~WorkerRoom() {
  while (Connection* client = clients_.front())
    static_cast<ClientConnection*>(client)->cut(Ending::kShutdown);
  destroy_dead_relays();
  while (Connection* replica = replicas_.front())
    static_cast<ReplicaConnection*>(replica)->cancel();
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

Relay* WorkerRoom::make_relay(ClientConnection& client, Arena& arena, RequestHead& head) {
  return new (arena.allocate(sizeof(Relay))) Relay(*this, client, arena, head);
}

void WorkerRoom::destroy_dead_relays() {
  for (std::size_t i = 0; i < dead_relays_.size(); ++i) {
    Relay* relay = dead_relays_[i];
    Arena& arena = relay->arena();
    relay->~Relay();
    arenas_.give(&arena);
  }
  dead_relays_.clear();
}

void WorkerRoom::bury(Connection& connection) {
  connection.unlink();
  loop_.bury(std::unique_ptr<Mortal>(&connection));
}

ReplicaConnection& WorkerRoom::take_in(std::unique_ptr<ReplicaConnection> connection) {
  ReplicaConnection& taken = *connection.release();
  replicas_.push_back(taken);
  return taken;
}

void WorkerRoom::welcome(Fd fd, const Address& peer, const ListenerAtWork& listener) {
  const std::uint64_t most = generation_->snapshot().limits.connections_per_client;
  std::unique_ptr<ClientTicket> ticket;
  if (most > 0 && worker_.setup_.census != nullptr && peer.is_ip()) {
    ticket = worker_.setup_.census->try_enter(peer, most);
    if (ticket == nullptr) {
      counters_.limit_client_connections->add();
      return;
    }
  }
  auto* client = new ClientConnection(*this, std::move(fd), peer,
                                      listener);  // NOLINT(cppcoreguidelines-owning-memory)
  client->keep_ticket(std::move(ticket));
  clients_.push_back(*client);
  ++clients_count_;
  listener.open->add(1);
  listener.opened->add();
  worker_.connections_.store(clients_count_, std::memory_order_relaxed);
  client->start();
  if (clients_count_ >= worker_.setup_.connections_max) pause_or_resume_accepting();
}

void WorkerRoom::on_client_closed(const ListenerAtWork& listener) {
  --clients_count_;
  listener.open->add(-1);
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
  adopt_listeners(*adoption.snapshot, std::move(adoption.sockets));
  retire_generations();
}

void WorkerRoom::adopt_listeners(const Snapshot& snapshot, std::vector<WorkerSocket> sockets) {
  for (const ListenerPlan& plan : snapshot.listeners) {
    auto& at_work = listeners_at_work_[plan.name];
    if (!at_work) {
      at_work = std::make_unique<ListenerAtWork>();
      at_work->name = plan.name;
      const Labels labels = {{"listener", plan.name}, {"protocol", "http1"}};
      at_work->open = &services_.metrics().gauge("limpet_connections", labels);
      at_work->opened = &services_.metrics().counter("limpet_connections_total", labels);
    }
    at_work->trusted = plan.trusted;
  }
  const auto has_socket = [&](const std::string& bind) {
    return std::any_of(sockets.begin(), sockets.end(),
                       [&](const WorkerSocket& s) { return s.bind == bind; });
  };
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
  if (is_draining_ && loop_.now() >= drain_deadline_) {
    while (Connection* client = clients_.front())
      static_cast<ClientConnection*>(client)->cut(Ending::kShutdown);
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
  for (Connection* client = clients_.front(); client != nullptr;) {
    Connection* next = clients_.after(*client);
    static_cast<ClientConnection*>(client)->drain();
    client = next;
  }
  housekeeping_.arm(loop_.timers(), std::min(deadline, loop_.now() + kHousekeepingEvery));
  finish_drain_if_empty();
  after_callback();
}

void WorkerRoom::finish_drain_if_empty() {
  if (clients_count_ > 0 || !on_drained_) return;
  std::exchange(on_drained_, nullptr)();
}

}  // namespace limpet
