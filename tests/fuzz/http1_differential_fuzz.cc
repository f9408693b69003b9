// SPDX-License-Identifier: Apache-2.0
// The HTTP/1 codec beside llhttp, the reader of Node.js. Two properties: what limpet takes as one
// request, llhttp takes as one too, with the same method, target, fields and body; and what limpet
// writes, llhttp reads as that one request even with all its leniencies switched on. The other
// direction is not asked: limpet refuses more. Input: the bytes of a connection.

#include <llhttp/llhttp.h>

#include "tests/fuzz/codec_account.h"

using namespace limpet;
using limpet::fuzz::Account;
using limpet::fuzz::Message;
using limpet::fuzz::require;

namespace {

enum class Leniency : std::uint8_t { kStrict, kLenient };

struct Oracle {
  int messages = 0;
  std::size_t fields = 0;  ///< of the head
  bool is_behind_head = false;
  std::string target;
  std::string body;
  std::string method;
  std::string error_line;  ///< what stands before the error in its line
  llhttp_errno_t error = HPE_OK;
};

Oracle& oracle_of(llhttp_t* parser) { return *static_cast<Oracle*>(parser->data); }

int on_url(llhttp_t* parser, const char* at, std::size_t length) {
  oracle_of(parser).target.append(at, length);
  return 0;
}
int on_body(llhttp_t* parser, const char* at, std::size_t length) {
  oracle_of(parser).body.append(at, length);
  return 0;
}
int on_field(llhttp_t* parser) {
  Oracle& oracle = oracle_of(parser);
  if (!oracle.is_behind_head) ++oracle.fields;
  return 0;
}
int on_head(llhttp_t* parser) {
  Oracle& oracle = oracle_of(parser);
  oracle.is_behind_head = true;
  oracle.method = llhttp_method_name(static_cast<llhttp_method_t>(parser->method));
  return 0;
}
int on_message(llhttp_t* parser) {
  ++oracle_of(parser).messages;
  return 0;
}

[[nodiscard]] Oracle ask_llhttp(std::string_view bytes, Leniency leniency) {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_url = on_url;
  settings.on_body = on_body;
  settings.on_header_value_complete = on_field;
  settings.on_headers_complete = on_head;
  settings.on_message_complete = on_message;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  Oracle oracle;
  parser.data = &oracle;
  if (leniency == Leniency::kLenient) {
    llhttp_set_lenient_headers(&parser, 1);
    llhttp_set_lenient_chunked_length(&parser, 1);
    llhttp_set_lenient_keep_alive(&parser, 1);
    llhttp_set_lenient_transfer_encoding(&parser, 1);
  }
  oracle.error = llhttp_execute(&parser, bytes.data(), bytes.size());
  if (const char* at = llhttp_get_error_pos(&parser); at != nullptr) {
    const std::string_view before = bytes.substr(0, static_cast<std::size_t>(at - bytes.data()));
    oracle.error_line = before.substr(before.rfind('\n') + 1);
  }
  return oracle;
}

// What llhttp refuses by its own lights and no reader could count differently.
[[nodiscard]] bool is_known_exception(const Oracle& oracle, const RequestHead& head) {
  // Its list of methods is closed; RFC 9110 section 9.1 leaves it open.
  if (oracle.error == HPE_INVALID_METHOD) return true;
  // It reads the grammar of chunk extensions; limpet skips them up to their CRLF and writes none.
  const bool is_chunk_fault = oracle.error == HPE_STRICT || oracle.error == HPE_INVALID_CHUNK_SIZE;
  if (oracle.is_behind_head && is_chunk_fault && oracle.error_line.find(';') != std::string::npos)
    return true;
  // It reads framing fields in a trailer section as if they framed; limpet drops them (RFC 9110
  // section 6.5.1).
  const bool is_framing_fault = oracle.error == HPE_INVALID_TRANSFER_ENCODING ||
                                oracle.error == HPE_INVALID_CONTENT_LENGTH ||
                                oracle.error == HPE_UNEXPECTED_CONTENT_LENGTH;
  if (oracle.is_behind_head && is_framing_fault) return true;
  // Methods of other protocols that it knows want those protocols' versions (RTSP, ICE), and PRI
  // wants HTTP/2.
  if (oracle.error == HPE_INVALID_CONSTANT && head.method == Method::kOther) return true;
  // A target that begins neither with "/" nor with a scheme it knows, such as the asterisk with
  // another URI behind it.
  return oracle.error == HPE_INVALID_URL && head.target != "*" && !head.scheme.empty();
}

// llhttp stops behind a head that it takes for an upgrade or a CONNECT; the rest of such a message
// it does not read.
[[nodiscard]] bool is_stopped(const Oracle& oracle) { return oracle.error == HPE_PAUSED_UPGRADE; }

[[nodiscard]] std::size_t count_lines(std::string_view head) {
  std::size_t lines = 0;
  for (const char c : head)
    lines += c == '\n' ? 1U : 0U;
  return lines;
}

void compare_accepted(std::string_view bytes, const Message& message) {
  const RequestHead& head = *message.request;
  const Oracle oracle = ask_llhttp(bytes, Leniency::kStrict);
  if (is_known_exception(oracle, head)) return;
  require(oracle.error == HPE_OK || is_stopped(oracle));
  require(oracle.messages == 1);
  require(oracle.method == head.method_text);
  require(oracle.fields == head.fields.fields().size());
  // An absolute target is split by limpet and shown whole by llhttp.
  if (head.scheme.empty()) require(oracle.target == head.target);
  if (!is_stopped(oracle)) require(oracle.body == message.body);
}

void compare_written(const Message& message) {
  const CodecLimits wide = {1 << 20, 1 << 20, 1000, 256};
  Http1Codec writer(CodecRole::kClient, wide);
  Buffer out;
  writer.write_request_head(*message.request, out);
  const std::size_t head_bytes = out.size();
  fuzz::write_body(writer, message, out);
  const Oracle oracle = ask_llhttp(out.view(), Leniency::kLenient);
  if (is_known_exception(oracle, *message.request)) return;
  require(oracle.error == HPE_OK || is_stopped(oracle));
  require(oracle.messages == 1);
  require(oracle.method == message.request->method_text);
  require(oracle.target == message.request->target);
  require(oracle.fields + 2 == count_lines(out.view().substr(0, head_bytes)));
  if (!is_stopped(oracle)) require(oracle.body == message.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Account account(CodecRole::kServer, CodecLimits{});
  account.is_single = true;
  account.feed(bytes);
  if (account.complete_messages() != 1 || account.fault != Fault::kNone) return 0;
  const Message& message = account.messages.front();
  compare_accepted(bytes.substr(0, bytes.size() - account.pending.size()), message);
  compare_written(message);
  return 0;
}
