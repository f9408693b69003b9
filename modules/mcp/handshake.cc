// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/handshake.h"

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/base/text.h"
#include "modules/mcp/json.h"

namespace limpet::mcp {

namespace {

constexpr std::size_t kSessionIdBytesMax = 4096;

// Fields that belong to the waiting request's body, session, stream or place.
constexpr std::array<std::string_view, 11> kLeftOut = {
    "host",           "content-length",       "content-type",  "content-encoding",
    "mcp-session-id", "mcp-protocol-version", "last-event-id", "accept",
    "expect",         "mcp-method",           "mcp-name"};

bool is_left_out(const Field& field) noexcept {
  if (field.is_removed() || field.name().starts_with("mcp-param-")) return true;
  return std::find(kLeftOut.begin(), kLeftOut.end(), field.name()) != kLeftOut.end();
}

CallFields common_fields(const HeaderList& waiting) {
  CallFields fields;
  for (const Field& field : waiting.fields()) {
    if (!is_left_out(field)) fields.emplace_back(field.name(), field.value());
  }
  fields.emplace_back("accept", "application/json, text/event-stream");
  return fields;
}

// Visible ASCII, as the revisions demand of a session id (2025-03-26, transports, session
// management).
bool is_session_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= kSessionIdBytesMax &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string call(std::string_view id, std::string_view method, std::string_view key,
                 std::string_view value) {
  std::string body = R"({"jsonrpc":"2.0","id":)";
  body += id;
  body += R"(,"method":")";
  body += method;
  body += R"(","params":{")";
  body += key;
  body += R"(":)";
  append_quoted(body, value);
  body += "}}";
  return body;
}

}  // namespace

Handshake::Handshake(SessionRecord record, CarryPolicy policy, std::size_t bytes_max)
    : record_(std::move(record)), policy_(policy), bytes_max_(bytes_max) {
  if (policy_ == CarryPolicy::kOff)
    refuse(CarryEnd::kOff, "carry_over is off");
  else if (record_.birth == nullptr)
    refuse(CarryEnd::kUnknown, "nothing is known of the session");
  else
    begin(Step::kInitialize);
}

void Handshake::begin(Step step) {
  step_ = step;
  state_ = State::kSend;
  status_ = 0;
  reader_.reset();
  switch (step) {
    case Step::kInitialize:
      body_ = record_.birth->initialize;
      id_ = record_.birth->request_id;
      break;
    case Step::kInitialized:
      body_ = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
      id_.clear();
      break;
    case Step::kLevel:
      id_ = R"("limpet-level")";
      body_ = call(id_, "logging/setLevel", "level", record_.level);
      break;
    case Step::kSubscribe:
      id_ = "\"limpet-subscribe-" + std::to_string(subscription_) + "\"";
      body_ = call(id_, "resources/subscribe", "uri", record_.subscriptions[subscription_]);
      break;
  }
}

CallFields Handshake::fields(const HeaderList& waiting) const {
  const bool is_first = step_ == Step::kInitialize;
  // Clients of the revisions before 2025-06-18 send no version.
  const bool has_version = waiting.find(FieldName::kMcpProtocolVersion) != nullptr;
  CallFields fields =
      is_first ? common_fields(waiting)
               : fields_for_session(waiting, new_id_, has_version ? server_.protocol_version : "");
  fields.emplace_back("content-type", "application/json");
  return fields;
}

void Handshake::on_head(const ResponseHead& head) {
  if (state_ != State::kReading || head.status < 200) return;
  status_ = head.status;
  if (step_ == Step::kInitialize) {
    const std::string_view id = text::trim(head.fields.value(FieldName::kMcpSessionId));
    if (is_session_id(id)) offered_id_ = id;
  }
  if (status_ == 401 || status_ == 403)
    return refuse(CarryEnd::kCredentials,
                  "the replica answers the handshake with " + std::to_string(status_));
  if (step_ == Step::kInitialized) {
    if (status_ / 100 == 2) return go_on();
    return refuse(CarryEnd::kRefused,
                  "the replica answers initialized with " + std::to_string(status_));
  }
  reader_ = std::make_unique<AnswerReader>(id_, form_of(head.fields.value(FieldName::kContentType)),
                                           bytes_max_);
  if (reader_->state() != AnswerReader::State::kReading) on_answer();
}

void Handshake::feed(std::string_view bytes) {
  if (state_ != State::kReading || reader_ == nullptr) return;
  if (reader_->feed(bytes) != AnswerReader::State::kReading) on_answer();
}

void Handshake::on_end() {
  if (state_ != State::kReading) return;
  if (reader_ == nullptr) return refuse(CarryEnd::kFailed, "the replica ended without an answer");
  static_cast<void>(reader_->finish());
  on_answer();
}

void Handshake::on_failure(std::string_view what) {
  if (state_ == State::kDone || state_ == State::kRefused) return;
  refuse(CarryEnd::kFailed, std::string(what));
}

void Handshake::on_answer() {
  const bool is_answered = reader_->state() == AnswerReader::State::kAnswered;
  const RpcAnswer answer = is_answered ? reader_->answer() : RpcAnswer{};
  if (step_ == Step::kInitialize) return on_initialize_answer(answer);
  // What cannot be replayed is missing afterwards, which is better than no session.
  if (answer.kind != RpcAnswer::Kind::kResult || status_ / 100 != 2) ++not_replayed_;
  go_on();
}

void Handshake::on_initialize_answer(const RpcAnswer& answer) {
  if (status_ / 100 != 2 || answer.kind != RpcAnswer::Kind::kResult) {
    std::string reason = "the replica answers initialize with " + std::to_string(status_);
    if (answer.kind == RpcAnswer::Kind::kError)
      reason += ", error " + std::to_string(answer.code) + ": " + text::escaped(answer.message);
    return refuse(CarryEnd::kRefused, std::move(reason));
  }
  new_id_ = offered_id_;
  const std::optional<ServerFacts> server = read_initialize_result(answer.result);
  if (!server)
    return refuse(CarryEnd::kRefused, "the replica's answer to initialize has no version");
  server_ = *server;
  if (new_id_.empty()) return refuse(CarryEnd::kStateless, "the replica hands out no session id");
  std::string different = difference(record_.birth->server, server_, policy_);
  if (!different.empty()) return refuse(CarryEnd::kDifferentServer, std::move(different));
  go_on();
}

void Handshake::go_on() {
  if (step_ == Step::kInitialize) return begin(Step::kInitialized);
  if (step_ == Step::kInitialized && !record_.level.empty()) return begin(Step::kLevel);
  if (step_ == Step::kSubscribe) ++subscription_;
  if (subscription_ < record_.subscriptions.size()) return begin(Step::kSubscribe);
  state_ = State::kDone;
}

void Handshake::refuse(CarryEnd end, std::string reason) {
  state_ = State::kRefused;
  end_ = end;
  reason_ = std::move(reason);
}

CallFields fields_for_session(const HeaderList& waiting, std::string_view original_id,
                              std::string_view protocol_version) {
  CallFields fields = common_fields(waiting);
  fields.emplace_back("mcp-session-id", original_id);
  if (!protocol_version.empty()) fields.emplace_back("mcp-protocol-version", protocol_version);
  return fields;
}

std::string ping_body() {
  return R"({"jsonrpc":"2.0","id":)" + std::string(kPingId) + R"(,"method":"ping"})";
}

}  // namespace limpet::mcp
