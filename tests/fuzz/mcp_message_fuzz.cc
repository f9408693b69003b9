// SPDX-License-Identifier: Apache-2.0
// JSON-RPC from anywhere: bodies of clients, answers of replicas, tokens, and records that were
// kept in a store. Views stay inside the text, what is read prints to what reads the same, and
// what was not understood is never called safe to repeat.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/check.h"
#include "daemon/module/principal.h"
#include "modules/mcp/json.h"
#include "modules/mcp/listen_merge.h"
#include "modules/mcp/lost_session.h"
#include "modules/mcp/modern.h"
#include "modules/mcp/redis_text.h"
#include "modules/mcp/rpc_answer.h"
#include "modules/mcp/rpc_glance.h"
#include "modules/mcp/rpc_message.h"
#include "modules/mcp/server_match.h"
#include "modules/mcp/session_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace limpet::mcp {
namespace {

bool is_inside(std::string_view part, std::string_view whole) noexcept {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void read_values(std::string_view text, unsigned depth) {
  std::vector<JsonMember> members;
  if (read_members(text, members)) {
    for (const JsonMember& member : members) {
      CHECK_THAT(!member.value.raw.empty() && is_inside(member.value.raw, text));
      if (depth < 4) read_values(member.value.raw, depth + 1);
    }
  }
  std::vector<JsonItem> items;
  if (!read_items(text, items)) return;
  for (const JsonItem& item : items) {
    CHECK_THAT(!item.raw.empty() && is_inside(item.raw, text));
    const std::optional<std::string> plain = text_of(item);
    if (!plain) continue;
    std::string quoted;
    append_quoted(quoted, *plain);
    CHECK_THAT(text_of(JsonItem{JsonKind::kText, quoted}) == plain);
  }
}

void read_messages(std::string_view text) {
  const RpcMessage message = read_message(text);
  for (const std::string_view view :
       {message.id, message.capabilities, message.meta, message.notifications})
    CHECK_THAT(is_inside(view, text));
  if (message.kind != RpcKind::kRequest) CHECK_THAT(!is_safe_to_repeat(message));
  if (message.kind == RpcKind::kRequest) {
    const std::string body = error_body(message.id, -32001, "Session not found");
    const RpcAnswer answer = read_answer(body);
    CHECK_THAT(answer.kind == RpcAnswer::Kind::kError && answer.id == message.id);
  }
  CHECK_THAT(make_birth(message, text, text, {}) == nullptr ||
             message.method == RpcMethod::kInitialize);
  if (const std::optional<RpcGlance> glance = glance_at(text)) {
    CHECK_THAT(glance->kind == message.kind && glance->method == message.method);
    CHECK_THAT(glance->name == message.name && is_inside(glance->name, text));
    CHECK_THAT(glance->id == message.id && is_inside(glance->id, text));
    const RpcAnswer answer = read_answer(text);
    const bool is_answer =
        answer.kind == RpcAnswer::Kind::kResult || answer.kind == RpcAnswer::Kind::kError;
    CHECK_THAT(is_answer == (glance->kind == RpcKind::kResponse));
    CHECK_THAT(!is_answer || (answer.id == glance->id && answer.has_id == !glance->id.empty()));
  }
}

void read_answers(std::string_view text) {
  const RpcAnswer answer = read_answer(text);
  CHECK_THAT(is_inside(answer.id, text) && is_inside(answer.result, text) &&
             is_inside(answer.data, text));
  for (const std::uint16_t status : {200, 400, 404, 500, 503}) {
    for (const std::string_view type : {"application/json", "text/event-stream", "text/plain"}) {
      const SessionAnswer given{status, type, text, true};
      CHECK_THAT(judge_answer({Method::kPost, false, RpcMethod::kOther}, given) == Loss::kNotLost);
      static_cast<void>(judge_answer({Method::kPost, true, RpcMethod::kOther}, given));
      static_cast<void>(judge_ping(given));
      static_cast<void>(speaks_modern(status, type, text));
      static_cast<void>(speaks_sessions(status, type, text));
    }
  }
  static_cast<void>(created_task(text));
  static_cast<void>(covers(text, text));
}

void read_values_of_headers(std::string_view text) {
  static_cast<void>(decoded_value(text));
  static_cast<void>(jwt_principal(text));
  static_cast<void>(bearer_token(text));
  if (is_modern_version(text)) CHECK_THAT(is_version(text));
}

void read_stored(std::string_view text) {
  const std::optional<SessionRecord> record = read_record(text);
  if (record) {
    const std::string printed = print_record(*record);
    CHECK_THAT(print_record(read_record(printed).value()) == printed);
  }
  const ListenFilter filter = read_filter(text);
  const std::string printed = print_filter(filter);
  CHECK_THAT(print_filter(read_filter(printed)) == printed);
  const Result<RedisAddress> address = parse_redis_address(text);
  if (address) CHECK_THAT(!address->address.is_empty());
}

}  // namespace
}  // namespace limpet::mcp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace limpet::mcp;  // NOLINT(google-build-using-namespace)
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_values(text, 0);
  read_messages(text);
  read_answers(text);
  read_values_of_headers(text);
  read_stored(text);
  return 0;
}
