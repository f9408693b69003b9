// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/rpc_answer.h"

#include <vector>

#include "daemon/base/text.h"
#include "modules/mcp/json.h"
#include "modules/mcp/sse_scanner.h"

namespace limpet::mcp {

namespace {

// Keeps the data of the first event that has some.
class FirstData final : public SseSink {
 public:
  explicit FirstData(std::string& data) noexcept : data_(data) {}
  void on_event(const SseEvent& event) override {
    if (!data_.empty() || event.data.empty() || event.is_cut) return;
    data_ = event.data;
  }

 private:
  std::string& data_;
};

void read_error(std::string_view raw, RpcAnswer& answer) {
  std::vector<JsonMember> error;
  if (!read_members(raw, error)) return;
  if (const JsonItem* code = find(error, "code"); code != nullptr)
    answer.code = number_of(*code).value_or(0);
  answer.message = text_of(error, "message");
  if (const JsonItem* data = find(error, "data"); data != nullptr) answer.data = data->raw;
}

}  // namespace

BodyForm form_of(std::string_view content_type) noexcept {
  constexpr std::string_view kJson = "application/json";
  if (text::begins_with(content_type, "application/json") && content_type.size() == kJson.size())
    return BodyForm::kJson;
  const std::string_view type = text::trim(text::cut(content_type, ';'));
  if (text::equals_ignoring_case(type, "application/json")) return BodyForm::kJson;
  if (text::equals_ignoring_case(type, "text/event-stream")) return BodyForm::kEvents;
  return BodyForm::kOther;
}

RpcAnswer read_answer(std::string_view json) {
  RpcAnswer answer;
  std::vector<JsonMember> members;
  if (!read_members(json, members)) return answer;
  const JsonItem* id = find(members, "id");
  if (id != nullptr && (id->kind == JsonKind::kNumber || id->kind == JsonKind::kText)) {
    answer.has_id = true;
    answer.id = id->raw;
  }
  const JsonItem* error = find(members, "error");
  const JsonItem* result = find(members, "result");
  if (error != nullptr && error->kind == JsonKind::kObject) {
    answer.kind = RpcAnswer::Kind::kError;
    read_error(error->raw, answer);
  } else if (result != nullptr) {
    answer.kind = RpcAnswer::Kind::kResult;
    answer.result = result->raw;
  } else if (find(members, "method") != nullptr) {
    answer.kind = RpcAnswer::Kind::kOther;
  }
  return answer;
}

std::string_view json_in(BodyForm form, std::string_view body, std::string& holder) {
  if (form == BodyForm::kJson) return body;
  if (form != BodyForm::kEvents) return {};
  holder.clear();
  FirstData sink(holder);
  SseScanner scanner;
  scanner.feed(body, &sink);
  return holder;
}

}  // namespace limpet::mcp
