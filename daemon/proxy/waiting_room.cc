// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/waiting_room.h"

#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {
constexpr std::chrono::milliseconds kAskAgainAfter{20};
}  // namespace

WaitingRoom::WaitingRoom(WorkerRoom& room, const std::string& pool)
    : room_(room),
      gauge_(&room.services().metrics().gauge("limpet_pool_queue", {{"pool", pool}})),
      timer_(*this) {}

void WaitingRoom::join(Relay& relay) {
  relays_.push_back(relay);
  ++size_;
  gauge_->add(1);
  if (!timer_.is_armed()) timer_.arm(room_.loop().timers(), room_.loop().now() + kAskAgainAfter);
}

void WaitingRoom::leave(Relay& relay) noexcept {
  ListNode<Relay>& node = relay;
  if (!node.is_linked()) return;
  node.unlink();
  --size_;
  gauge_->add(-1);
}

void WaitingRoom::on_room() {
  if (size_ > 0) room_.loop().run_soon(*this);
}

void WaitingRoom::on_reload() {
  // Who goes on waiting comes in again behind those who were told before.
  relays_.for_each_now([](Relay& relay) { relay.on_reload(); });
}

void WaitingRoom::on_errand() {
  ask_again();
  room_.after_callback();
}

void WaitingRoom::on_timer(Timer&) {
  ask_again();
  if (size_ > 0) timer_.arm(room_.loop().timers(), room_.loop().now() + kAskAgainAfter);
  room_.after_callback();
}

void WaitingRoom::ask_again() {
  // Those who wait for one replica (their session's) go before those who would take any.
  for (const bool is_pinned : {true, false}) {
    for (Relay* relay = relays_.front(); relay != nullptr;) {
      Relay* next = relays_.after(*relay);
      if ((relay->awaited() != nullptr) == is_pinned) relay->on_turn_in_queue();
      relay = next;
    }
  }
}

}  // namespace limpet
