// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/answer_reader.h"

#include "modules/mcp/json.h"

namespace limpet::mcp {

AnswerReader::AnswerReader(std::string_view id, BodyForm form, std::size_t bytes_max)
    : id_(id),
      scanner_(bytes_max),
      bytes_max_(bytes_max),
      form_(form),
      state_(form == BodyForm::kOther ? State::kMissing : State::kReading) {}

bool AnswerReader::is_awaited(std::string_view json) const {
  const RpcAnswer answer = read_answer(json);
  const bool is_ours = is_same_value(answer.id, id_);
  if (answer.kind == RpcAnswer::Kind::kResult) return is_ours;
  return answer.kind == RpcAnswer::Kind::kError && (!answer.has_id || is_ours);
}

void AnswerReader::on_event(const SseEvent& event) {
  if (state_ != State::kReading || event.data.empty()) return;
  // An event that long may have been the answer.
  if (event.is_cut) {
    state_ = State::kTooLarge;
    return;
  }
  if (!is_awaited(event.data)) return;
  json_ = event.data;
  state_ = State::kAnswered;
}

AnswerReader::State AnswerReader::feed(std::string_view bytes) {
  if (state_ != State::kReading) return state_;
  if (form_ == BodyForm::kEvents) {
    scanner_.feed(bytes, this);
    return state_;
  }
  if (json_.size() + bytes.size() > bytes_max_) {
    json_ = std::string();
    return state_ = State::kTooLarge;
  }
  json_.append(bytes);
  return state_;
}

AnswerReader::State AnswerReader::finish() {
  if (state_ != State::kReading) return state_;
  const bool is_answered = form_ == BodyForm::kJson && is_awaited(json_);
  return state_ = is_answered ? State::kAnswered : State::kMissing;
}

}  // namespace limpet::mcp
