// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/stream_watch.h"

#include "modules/mcp/json.h"
#include "modules/mcp/rpc_answer.h"

namespace limpet::mcp {

namespace {

// Of events that are looked at: an answer that is longer is taken for the awaited one.
constexpr std::size_t kEventBytes = 16 * 1024;
constexpr std::size_t kEventIdBytesMax = 1024;
constexpr std::int64_t kConnectionClosed = -32000;
constexpr std::string_view kComment = ": keep-alive\n\n";
constexpr std::string_view kRetry = "retry: 500\n\n";
// Behind an event that was cut, so that nobody takes it for a whole one.
constexpr std::string_view kEndOfCutEvent = "\nevent: limpet-cut\n\n";

}  // namespace

StreamWatch::StreamWatch(Desk& desk, StreamOwner& owner, Exchange& exchange, Kind kind,
                         const RpcGlance* asked, BodyForm form)
    : desk_(desk),
      owner_(owner),
      exchange_(exchange),
      asked_(asked),
      scanner_(kEventBytes),
      opened_(desk.worker.now()),
      kind_(kind),
      is_events_(form == BodyForm::kEvents) {
  if (kind == Kind::kInitialize)
    reader_ = std::make_unique<AnswerReader>(asked->id, form, kInitializeBytesMax);
  if (!is_events_) return;
  open_.emplace(desk_.numbers, exchange);
  if (kind == Kind::kGet) desk_.hands.streams.insert(this);
  exchange.keep_alive_every = desk.settings.keep_alive;
  exchange.keep_alive_bytes = kComment;
}

StreamWatch::~StreamWatch() {
  if (!is_events_) return;
  desk_.hands.streams.erase(this);
}

std::string_view StreamWatch::on_body(std::string_view bytes, Buffer&) {
  if (reader_ != nullptr && reader_->feed(bytes) == AnswerReader::State::kAnswered) {
    owner_.on_opened(reader_->json());
    reader_.reset();
  }
  if (is_events_) scanner_.feed(bytes, this);
  return bytes;
}

std::string_view StreamWatch::on_end(Buffer& scratch) {
  if (reader_ != nullptr && reader_->finish() == AnswerReader::State::kAnswered) {
    owner_.on_opened(reader_->json());
    reader_.reset();
  }
  // A stream that can be resumed may be ended before its answer (2025-11-25, transports); any other
  // would leave its client waiting.
  if (!is_answer_missing() || can_be_resumed_) return {};
  scratch.clear();
  close_event(scratch);
  append_error(scratch);
  return scratch.view();
}

bool StreamWatch::is_between() const noexcept { return is_events_ && scanner_.is_between_events(); }

void StreamWatch::on_event(const SseEvent& event) {
  if (event.has_id && event.id.size() <= kEventIdBytesMax && !event.is_cut) {
    last_event_id_ = event.id;
    can_be_resumed_ = true;
  }
  if (asked_ == nullptr || is_answered_ || event.data.empty()) return;
  if (event.is_cut) {
    is_answered_ = true;
    return;
  }
  is_answered_ = is_the_answer(event.data);
}

bool StreamWatch::is_the_answer(std::string_view json) const {
  if (const std::optional<RpcGlance> said = glance_at(json))
    return said->kind == RpcKind::kResponse &&
           (said->id.empty() || is_same_value(said->id, asked_->id));
  const RpcAnswer answer = read_answer(json);
  const bool is_answer =
      answer.kind == RpcAnswer::Kind::kResult || answer.kind == RpcAnswer::Kind::kError;
  return is_answer && (!answer.has_id || is_same_value(answer.id, asked_->id));
}

// A batch may await several answers: then nobody knows which are missing.
bool StreamWatch::is_answer_missing() const noexcept {
  return is_events_ && asked_ != nullptr && asked_->kind == RpcKind::kRequest && !is_answered_;
}

void StreamWatch::close_event(Buffer& last) {
  if (scanner_.is_between_events()) return;
  last.append(kEndOfCutEvent);
  scanner_ = SseScanner(kEventBytes);
}

void StreamWatch::append_error(Buffer& last) {
  is_answered_ = true;
  desk_.numbers.note_unanswered();
  last.append("event: message\ndata: ");
  last.append(
      error_body(asked_->id, kConnectionClosed,
                 "The server was lost before it answered; the call may have been executed"));
  last.append("\n\n");
}

ResponseHook::Mend StreamWatch::on_lost(Exchange& exchange, const Failure& failure, Buffer& last) {
  if (!is_events_) return Mend::kBreak;
  if (kind_ == Kind::kGet) return reopen(exchange, failure, last);
  if (asked_ == nullptr || asked_->kind != RpcKind::kRequest) return Mend::kBreak;
  if (is_answered_) {
    close_event(last);
    return Mend::kEnd;
  }
  close_event(last);
  append_error(last);
  return Mend::kEnd;
}

// The replica may live and have cut this connection only, so it is asked first; where it is gone,
// select finds that out, and the session is carried over.
ResponseHook::Mend StreamWatch::reopen(Exchange& exchange, const Failure& failure, Buffer& last) {
  if (failure.cause == FailureCause::kBodyTimeout || failure.cause == FailureCause::kOwnLimit)
    return Mend::kBreak;
  const Instant now = desk_.worker.now();
  quick_losses_ = now - opened_ < std::chrono::seconds(1) ? quick_losses_ + 1 : 0;
  if (quick_losses_ > kQuickLossesMax || !owner_.may_reopen()) return Mend::kBreak;
  if (exchange.arena.extra_bytes() > kContinuedBytesMax) {
    close_event(last);
    last.append(kRetry);
    return Mend::kEnd;
  }
  const bool was_running =
      failure.cause == FailureCause::kTruncated || failure.cause == FailureCause::kReset;
  if (exchange.attempts_count > 0)
    exchange.attempts[exchange.attempts_count - 1U].may_be_tried_again = was_running;
  close_event(last);
  exchange.request.fields.remove(FieldName::kLastEventId);
  if (!last_event_id_.empty())
    exchange.request.fields.set(FieldName::kLastEventId, exchange.arena.copy(last_event_id_));
  return Mend::kContinue;
}

bool StreamWatch::on_continued(Exchange& exchange, const ResponseHead& head) {
  const bool is_stream = head.status == 200 &&
                         form_of(head.fields.value(FieldName::kContentType)) == BodyForm::kEvents;
  if (!is_stream) return false;
  scanner_ = SseScanner(kEventBytes);
  opened_ = desk_.worker.now();
  open_->move(exchange);
  const std::string events = owner_.announcement_due();
  if (!events.empty() && exchange.door != nullptr) static_cast<void>(exchange.door->put(events));
  return true;
}

bool StreamWatch::close_politely() {
  if (exchange_.door == nullptr || !exchange_.door->put(kRetry)) return false;
  exchange_.door->end();
  return true;
}

}  // namespace limpet::mcp
