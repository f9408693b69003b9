// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/listen_fan.h"

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/http/mcp_head.h"
#include "modules/mcp/rpc_answer.h"

namespace limpet::mcp {

namespace {

// What belongs to the client's connection or to the body that it sent.
constexpr std::array<std::string_view, 5> kNotRepeated = {"host", "content-length", "expect", "te",
                                                          "trailer"};

bool is_event_stream(const ResponseHead& head) noexcept {
  return head.status == 200 &&
         form_of(head.fields.value(FieldName::kContentType)) == BodyForm::kEvents;
}

}  // namespace

// The call that is one leg.
class ListenFan::Leg final : public CallOwner {
 public:
  Leg(ListenFan& fan, std::uint32_t index, Instant now) : fan_(fan), index_(index), opened_(now) {
    call_ = fan_.context_.services.worker.calls()->call(
        fan_.request_for(fan_.context_.services.pool->replicas[index]), *this);
  }

  [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
  [[nodiscard]] Instant opened() const noexcept { return opened_; }
  [[nodiscard]] bool is_over() const noexcept { return is_over_; }

  void on_call_head(const ResponseHead& head) override {
    is_stream_ = is_event_stream(head);
    status_ = head.status;
  }
  void on_call_body(std::string_view bytes) override {
    std::string out;
    if (is_stream_)
      fan_.merge_.feed(index_, bytes, out);
    else
      keep(bytes);
    fan_.tell(std::move(out));
  }
  void on_call_end() override { end(); }
  void on_call_failed(FailureCause) override { end(); }

 private:
  // Half an answer says nothing, so one that is too long is not kept at all.
  void keep(std::string_view bytes) {
    if (answer_bytes_ <= ListenMerge::kEventBytesMax) answer_ += bytes;
    answer_bytes_ += bytes.size();
    if (answer_bytes_ > ListenMerge::kEventBytesMax) answer_.clear();
  }
  void end() {
    is_over_ = true;
    std::string out;
    if (!is_stream_) fan_.merge_.fail(index_, answer_);
    fan_.merge_.finish(index_, out);
    // What it would have told is missed until it is open again.
    fan_.owes_changes_ |= is_stream_;
    fan_.tell(std::move(out));
  }

  ListenFan& fan_;
  std::uint32_t index_;
  Instant opened_;
  std::uint16_t status_ = 0;
  bool is_stream_ = false;
  bool is_over_ = false;
  std::string answer_;
  std::size_t answer_bytes_ = 0;
  std::unique_ptr<ReplicaCall> call_;
};

ListenFan::ListenFan(ListenFans& owner, Exchange& exchange, const PartContext& context,
                     EraFilter& eras, std::string_view id)
    : owner_(owner),
      exchange_(exchange),
      context_(context),
      eras_(eras),
      open_(context.numbers, exchange),
      merge_(id),
      first_(exchange.replica->index),
      began_(context.services.worker.now()),
      first_opened_(began_) {}

ListenFan::~ListenFan() {
  note_drops();
  owner_.on_fan_over(*this);
}

void ListenFan::note_drops() {
  const ListenMerge::Drops drops = merge_.take_drops();
  context_.numbers.note_listen_drops(ListenDrop::kUnreadable, drops.unreadable);
  context_.numbers.note_listen_drops(ListenDrop::kUnwanted, drops.unwanted);
}

void ListenFan::begin() {
  static_cast<void>(merge_.add(first_));
  open_missing(began_);
}

bool ListenFan::is_worth_asking(const Replica& replica) const noexcept {
  const Vitals& vitals = *replica.vitals;
  return vitals.admin.load(std::memory_order_relaxed) == AdminState::kReady &&
         vitals.health.load(std::memory_order_relaxed) != Health::kDown &&
         !vitals.is_ejected(context_.services.worker.now()) &&
         eras_.at(replica.index).of(Era::kModern) != Speaks::kNo;
}

ListenFan::Leg* ListenFan::leg_on(std::uint32_t index) const noexcept {
  const auto at = std::find_if(legs_.begin(), legs_.end(),
                               [&](const auto& leg) { return leg->index() == index; });
  return at == legs_.end() ? nullptr : at->get();
}

void ListenFan::open_missing(Instant now) {
  if (context_.services.worker.calls() == nullptr) return;
  for (const Replica& replica : context_.services.pool->replicas) {
    if (replica.index == first_ && !is_first_lost_) continue;
    const Leg* held = leg_on(replica.index);
    if (held != nullptr && (!held->is_over() || now - held->opened() < kOpenAgainAfter)) continue;
    if (!is_worth_asking(replica) || !merge_.add(replica.index)) continue;
    std::erase_if(legs_, [&](const auto& leg) { return leg->index() == replica.index; });
    legs_.push_back(std::make_unique<Leg>(*this, replica.index, now));
  }
}

CallRequest ListenFan::request_for(const Replica& replica) const {
  const RequestHead& head = exchange_.request;
  CallRequest request;
  request.pool = context_.services.pool;
  request.replica = &replica;
  if (request.pool->forwards_client_host) request.authority = head.authority;
  request.target = head.target;
  request.body = exchange_.request_body;
  for (const Field& field : head.fields.fields()) {
    const bool is_own =
        std::find(kNotRepeated.begin(), kNotRepeated.end(), field.name()) != kNotRepeated.end();
    if (!field.is_removed() && !is_own)
      request.fields.emplace_back(std::string(field.name()), std::string(field.value()));
  }
  return request;
}

std::string_view ListenFan::on_body(std::string_view bytes, Buffer& scratch) {
  std::string out = std::move(pending_);
  pending_.clear();
  merge_.feed(first_, bytes, out);
  if (owes_changes_ && merge_.is_acknowledged() &&
      merge_.state_of(first_) == ListenMerge::Leg::kOpen) {
    owes_changes_ = false;
    merge_.tell_everything_changed(out);
  }
  scratch.append(out);
  return scratch.view();
}

// Its replica has ended the stream in order: so does the client's end, and it asks anew.
std::string_view ListenFan::on_end(Buffer& scratch) {
  std::string out = std::move(pending_);
  pending_.clear();
  merge_.finish(first_, out);
  merge_.conclude(out);
  if (!merge_.is_acknowledged() && !merge_.failure().empty()) {
    std::string line = merge_.failure();
    std::replace(line.begin(), line.end(), '\n', ' ');
    out += "event: message\ndata: " + line + "\n\n";
  }
  scratch.append(out);
  return scratch.view();
}

ResponseHook::Mend ListenFan::on_lost(Exchange& exchange, const Failure& failure, Buffer&) {
  if (exchange.arena.extra_bytes() > kContinuedBytesMax) return Mend::kBreak;
  const bool was_running =
      failure.cause == FailureCause::kTruncated || failure.cause == FailureCause::kReset;
  const bool is_quick = context_.services.worker.now() - first_opened_ < std::chrono::seconds(1);
  if (was_running) quick_losses_ = is_quick ? quick_losses_ + 1 : 0;
  if (quick_losses_ > kQuickLossesMax) return Mend::kBreak;
  is_first_lost_ = true;
  owes_changes_ = true;
  return Mend::kContinue;
}

bool ListenFan::on_continued(Exchange& exchange, const ResponseHead& head) {
  if (!is_event_stream(head) || head.fields.find("content-encoding") != nullptr) return false;
  std::string out;
  merge_.finish(first_, out);
  first_ = exchange.replica->index;
  open_.move(exchange);
  first_opened_ = context_.services.worker.now();
  is_first_lost_ = false;
  std::erase_if(legs_, [&](const auto& leg) { return leg->index() == first_; });
  pending_ += out;
  return merge_.add(first_);
}

void ListenFan::tell(std::string out) {
  pending_ += out;
  if (pending_.size() > kPendingBytesMax) {
    context_.numbers.note_listen_drops(ListenDrop::kSlowClient, ListenMerge::count(pending_));
    pending_.clear();
    owes_changes_ = true;
  }
  if (pending_.empty() || exchange_.door == nullptr) return;
  std::string bytes = std::exchange(pending_, std::string());
  if (!exchange_.door->put(bytes)) pending_ = std::move(bytes);
}

void ListenFan::on_tick(Instant now) {
  note_drops();
  open_missing(now);
  std::string out;
  if (now - began_ >= kAcknowledgeWithin) merge_.acknowledge(out);
  const bool is_any_opening = std::any_of(legs_.begin(), legs_.end(), [&](const auto& leg) {
    return merge_.state_of(leg->index()) == ListenMerge::Leg::kOpening;
  });
  if (owes_changes_ && !is_first_lost_ && !is_any_opening && merge_.is_acknowledged()) {
    owes_changes_ = false;
    merge_.tell_everything_changed(out);
  }
  tell(std::move(out));
}

void ListenFan::end_in_order() {
  if (exchange_.door == nullptr || is_first_lost_) return;
  std::string out = std::exchange(pending_, std::string());
  merge_.conclude(out);
  StreamDoor& door = *exchange_.door;
  if (!out.empty() && !door.put(out)) {
    pending_ = std::move(out);
    return;
  }
  door.end();
}

}  // namespace limpet::mcp
