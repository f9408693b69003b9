// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/replica_caller.h"

#include <utility>

#include "daemon/proxy/connection_cache.h"
#include "daemon/proxy/replica_stream.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {
constexpr std::chrono::seconds kConnectWithin{2};
}  // namespace

std::unique_ptr<ReplicaCall> ReplicaCaller::call(CallRequest request, CallOwner& owner) {
  auto handle = std::make_unique<CallHandle>();
  auto* call = new CallAtWork(room_, std::move(request), owner);
  calls_.push_back(*call);
  call->begin(*handle);
  return handle;
}

void ReplicaCaller::give_up_all() {
  while (CallAtWork* call = calls_.front())
    call->give_up();
}

CallAtWork::CallAtWork(WorkerRoom& room, CallRequest request, CallOwner& owner)
    : room_(room),
      request_(std::move(request)),
      owner_(&owner),
      arena_(room.arenas().take()),
      lease_(*this) {}

CallAtWork::~CallAtWork() { room_.arenas().give(arena_); }

void CallAtWork::begin(CallHandle& handle) {
  handle_ = &handle;
  handle.call_ = this;
  room_.loop().run_soon(*this);
}

void CallAtWork::on_errand() {
  if (!is_over_) dial();
  room_.after_callback();
}

void CallAtWork::dial() {
  if (slot_ == nullptr) {
    slot_ = &room_.slot_of(*request_.replica);
    slot_->count_in();
  }
  LendWish wish;
  wish.freshness = has_redialled_ ? LendWish::Freshness::kNew : LendWish::Freshness::kChecked;
  wish.connect_timeout = kConnectWithin;
  const Lent lent = slot_->lend(lease_, wish);
  if (lent.cause != FailureCause::kNone) return on_attempt_failed(lent.cause);
  was_reused_ = lent.is_reused;
  if (lent.is_connected) send();
}

void CallAtWork::on_leased() { send(); }

void CallAtWork::send() {
  Arena& memory = *arena_;
  RequestHead head(memory);
  head.method = request_.method;
  head.method_text = request_.method_text;
  head.target = request_.target;
  const std::string_view target = request_.target;
  head.path = target.substr(0, target.find('?'));
  head.scheme = slot_->reach().tls == nullptr ? "http" : "https";
  head.authority = request_.authority.empty() ? request_.replica->address_text : request_.authority;
  head.fields.add(FieldName::kHost, head.authority);
  for (const auto& [name, value] : request_.fields)
    head.fields.add(known_name(name), name, value);
  if (!request_.body.empty()) {
    head.body = {BodyLength::Kind::kKnown, request_.body.size()};
    head.fields.add(FieldName::kContentLength, memory.copy(std::to_string(request_.body.size())));
  }
  ReplicaStream& stream = *lease_.stream();
  stream.send_head(head);
  if (!request_.body.empty()) stream.send_body(request_.body);
  stream.send_end(nullptr);
  stream.expect_within(request_.head_within, FailureCause::kHeadTimeout,
                       *room_.counters().timeout_response_head);
  stream.flush();
}

void CallAtWork::on_response_head(ResponseHead& head) {
  has_answered_ = true;
  lease_.stream()->expect_within(request_.silence_max, FailureCause::kBodyTimeout,
                                 *room_.counters().timeout_response_body);
  owner_->on_call_head(head);
}

void CallAtWork::on_response_body(std::string_view bytes) {
  if (!is_over_) owner_->on_call_body(bytes);
}

void CallAtWork::on_response_end() {
  if (is_over_) return;
  if (lease_.stream() != nullptr) lease_.stream()->finish(true);
  CallOwner& owner = *owner_;
  end();
  owner.on_call_end();
}

void CallAtWork::on_attempt_failed(FailureCause cause) {
  if (is_over_) return;
  // A kept connection that was stale says nothing of the replica.
  if (was_reused_ && !has_answered_ && !has_redialled_ &&
      (cause == FailureCause::kUnsent || cause == FailureCause::kReset)) {
    has_redialled_ = true;
    return dial();
  }
  if (cause == FailureCause::kConnectRefused)
    request_.replica->vitals->note_death(room_.loop().wall_now());
  CallOwner& owner = *owner_;
  end();
  owner.on_call_failed(cause);
}

void CallAtWork::give_up() {
  if (is_over_) return;
  end();
}

void CallAtWork::end() {
  is_over_ = true;
  if (lease_.stream() != nullptr) lease_.stream()->cancel();
  if (slot_ != nullptr) std::exchange(slot_, nullptr)->count_out();
  if (handle_ != nullptr) std::exchange(handle_, nullptr)->call_ = nullptr;
  ListNode<CallAtWork>::unlink();
  room_.loop().bury(std::unique_ptr<Mortal>(this));
}

}  // namespace limpet
