// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/lost_session.h"

#include <algorithm>
#include <array>
#include <string>

#include "daemon/base/text.h"
#include "modules/mcp/byte_scan.h"
#include "modules/mcp/rpc_answer.h"

namespace limpet::mcp {

namespace {

// Words that make a sentence about a session one about a session that is not there.
constexpr std::array<std::string_view, 16> kAbsence = {
    "not found",  "no valid",     "not valid", "invalid", "unknown",         "expired",
    "terminated", "not exist",    "no such",   "missing", "not initialized", "no longer",
    "closed",     "unrecognized", "no active", "stale"};

// Codes that answer the request and prove that somebody read it.
constexpr bool is_of_request(std::int64_t code) noexcept {
  return code == -32700 || code == -32601 || code == -32602 || code == -32020 || code == -32022;
}

bool contains(std::string_view lower_case, std::string_view word) noexcept {
  return lower_case.find(word) != std::string_view::npos;
}

// The sentences of SDKs that speak of the session without naming it.
bool is_known_sentence(std::string_view lower_case) noexcept {
  return contains(lower_case, "server not initialized") ||
         contains(lower_case, "no transport found") || contains(lower_case, "transport not found");
}

// A second initialize on a live session, and whatever else speaks of one that is there.
bool is_about_live(std::string_view lower_case) noexcept {
  return contains(lower_case, "already") || contains(lower_case, "protocol version");
}

// What the SDKs answer where the revisions demand 404.
constexpr std::int64_t kSessionNotFound = -32001;

// The id with which Python's SDK answers what it has not read.
constexpr std::string_view kMadeUpId = R"("server-error")";

struct Reading {
  RpcAnswer answer;
  bool says_gone = false;
  bool says_live = false;
};

Reading read(const SessionAnswer& answer) {
  Reading reading;
  const BodyForm form = form_of(answer.content_type);
  std::string holder;
  const std::string_view body = answer.body.substr(0, kLostBodyBytes);
  const bool is_readable =
      form == BodyForm::kEvents || (answer.is_whole && answer.body.size() <= kLostBodyBytes);
  const std::string_view json = is_readable ? json_in(form, body, holder) : std::string_view{};
  reading.answer = json.empty() ? RpcAnswer{} : read_answer(json);
  if (reading.answer.id == kMadeUpId) reading.answer.has_id = false;
  // The views are of `holder`; what follows needs flags and copies only.
  reading.answer.id = reading.answer.result = reading.answer.data = {};
  const bool is_error = reading.answer.kind == RpcAnswer::Kind::kError;
  const bool is_text = reading.answer.kind == RpcAnswer::Kind::kNone;
  const std::string words = text::to_lower(is_error ? std::string_view(reading.answer.message)
                                                    : (is_text ? body : std::string_view{}));
  reading.says_gone = says_no_session(words);
  reading.says_live = is_about_live(words);
  return reading;
}

// JSON-RPC errors of the transport have no id, or a made-up one, since it did not read the request.
bool is_of_transport(const RpcAnswer& answer) noexcept {
  return answer.kind == RpcAnswer::Kind::kError && !answer.has_id;
}

Loss judge_bad_request(const Reading& reading) noexcept {
  const RpcAnswer& answer = reading.answer;
  const bool is_error = answer.kind == RpcAnswer::Kind::kError;
  if (reading.says_live) return Loss::kNotLost;
  if (reading.says_gone) {
    // With the request's id it may be about a session of the application's.
    const bool is_certain = !is_error || !answer.has_id || answer.code == kSessionNotFound;
    return is_certain ? Loss::kLost : Loss::kDoubtful;
  }
  return is_error && is_of_request(answer.code) ? Loss::kNotLost : Loss::kDoubtful;
}

Loss judge_success(const Reading& reading) noexcept {
  if (reading.answer.kind != RpcAnswer::Kind::kError || !reading.says_gone) return Loss::kNotLost;
  return is_of_transport(reading.answer) ? Loss::kLost : Loss::kDoubtful;
}

}  // namespace

bool says_no_session(std::string_view text) noexcept {
  const std::string words = text::to_lower(text.substr(0, kLostBodyBytes));
  if (is_known_sentence(words)) return true;
  if (!contains(words, "session")) return false;
  return std::any_of(kAbsence.begin(), kAbsence.end(),
                     [&](std::string_view word) { return contains(words, word); });
}

std::size_t bytes_to_judge(const AskedOfSession& asked, const ResponseHead& head) noexcept {
  if (!asked.has_session_id || asked.call == RpcMethod::kInitialize) return 0;
  switch (head.status) {
    case 200: {
      // A GET that is answered is a stream. Lost sessions are told in few words.
      const bool is_long =
          head.body.kind == BodyLength::Kind::kKnown && head.body.bytes > kLostBodyBytes;
      const BodyForm form = form_of(head.fields.value(FieldName::kContentType));
      return asked.method == Method::kPost && form == BodyForm::kJson && !is_long ? kLostBodyBytes
                                                                                  : 0;
    }
    case 400:
    case 404:
    case 410:
    case 422:
    case 500:
    case 503:
      return kLostBodyBytes;
    default:
      return 0;
  }
}

Loss judge_answer(const AskedOfSession& asked, const SessionAnswer& answer) {
  if (!asked.has_session_id || asked.call == RpcMethod::kInitialize) return Loss::kNotLost;
  switch (answer.status) {
    case 404:
    case 410: {
      const Reading reading = read(answer);
      const bool names_method = reading.answer.kind == RpcAnswer::Kind::kError &&
                                reading.answer.code == -32601 && !reading.says_gone;
      return names_method ? Loss::kNotLost : Loss::kLost;
    }
    case 400:
    case 422:
      return judge_bad_request(read(answer));
    case 500:
      return read(answer).says_gone ? Loss::kDoubtful : Loss::kNotLost;
    case 503:
      return read(answer).says_gone ? Loss::kLost : Loss::kNotLost;
    case 200: {
      // Most answers hold no error, and need no reading.
      const bool may_be_lost = asked.method == Method::kPost && holds(answer.body, "\"error\"");
      return may_be_lost ? judge_success(read(answer)) : Loss::kNotLost;
    }
    default:
      return Loss::kNotLost;
  }
}

Loss judge_ping(const SessionAnswer& answer) {
  const Reading reading = read(answer);
  switch (answer.status) {
    case 404:
    case 410:
      return reading.answer.kind == RpcAnswer::Kind::kError && reading.answer.code == -32601
                 ? Loss::kNotLost
                 : Loss::kLost;
    case 400:
    case 422: {
      const bool is_answered =
          reading.answer.kind == RpcAnswer::Kind::kError && is_of_request(reading.answer.code);
      return is_answered ? Loss::kNotLost : Loss::kLost;
    }
    case 503:
      return reading.says_gone ? Loss::kLost : Loss::kNotLost;
    case 200:
      return reading.answer.kind == RpcAnswer::Kind::kError && reading.says_gone ? Loss::kLost
                                                                                 : Loss::kNotLost;
    default:
      return Loss::kNotLost;
  }
}

}  // namespace limpet::mcp
