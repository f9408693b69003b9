// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/websocket.h"

#include <utility>

namespace limpet::demo {
namespace {

// Close codes, RFC 6455 section 7.4.1.
constexpr std::uint16_t kNormal = 1000;
constexpr std::uint16_t kProtocolError = 1002;
constexpr std::uint16_t kInvalidPayload = 1007;
constexpr std::uint16_t kTooBig = 1009;
constexpr std::size_t kControlBytesMax = 125;

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes)
    value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

void append_big_endian(std::string& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = bytes; i-- > 0;)
    out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

bool is_control(Opcode opcode) { return static_cast<std::uint8_t>(opcode) >= 0x8; }

bool is_known(std::uint8_t opcode) { return opcode <= 0x2 || (opcode >= 0x8 && opcode <= 0xa); }

// Which codes may stand in a close frame, RFC 6455 section 7.4.
bool is_close_code(std::uint64_t code) {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1011);
}

// How many bytes a UTF-8 sequence has by its first byte, and the bounds of its second byte
// (RFC 3629 section 4: they are what keeps overlong forms and surrogates out).
struct Utf8Form {
  std::size_t bytes = 0;
  std::uint8_t second_min = 0x80;
  std::uint8_t second_max = 0xbf;
};

Utf8Form utf8_form(std::uint8_t first) {
  if (first < 0x80) return {1};
  if (first >= 0xc2 && first <= 0xdf) return {2};
  if (first == 0xe0) return {3, 0xa0, 0xbf};
  if (first == 0xed) return {3, 0x80, 0x9f};
  if (first >= 0xe1 && first <= 0xef) return {3};
  if (first == 0xf0) return {4, 0x90, 0xbf};
  if (first >= 0xf1 && first <= 0xf3) return {4};
  if (first == 0xf4) return {4, 0x80, 0x8f};
  return {};
}

}  // namespace

void append_frame(std::string& out, Opcode opcode, std::string_view payload) {
  out.push_back(static_cast<char>(0x80 | static_cast<std::uint8_t>(opcode)));
  if (payload.size() < 126) {
    out.push_back(static_cast<char>(payload.size()));
  } else if (payload.size() <= 0xffff) {
    out.push_back(126);
    append_big_endian(out, payload.size(), 2);
  } else {
    out.push_back(127);
    append_big_endian(out, payload.size(), 8);
  }
  out.append(payload);
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Form form = utf8_form(static_cast<std::uint8_t>(text.front()));
    if (form.bytes == 0 || form.bytes > text.size()) return false;
    for (std::size_t i = 1; i < form.bytes; ++i) {
      const auto byte = static_cast<std::uint8_t>(text[i]);
      const std::uint8_t least = i == 1 ? form.second_min : 0x80;
      const std::uint8_t most = i == 1 ? form.second_max : 0xbf;
      if (byte < least || byte > most) return false;
    }
    text.remove_prefix(form.bytes);
  }
  return true;
}

void WebSocketEcho::feed(std::string_view bytes, std::string& out) {
  if (is_over_) return;
  input_.append(bytes);
  Frame frame;
  while (!is_over_ && take_frame(frame, out) == Step::kFrame)
    on_frame(std::move(frame), out);
}

WebSocketEcho::Step WebSocketEcho::take_frame(Frame& frame, std::string& out) {
  const std::string_view input = input_;
  if (input.size() < 2) return Step::kNeedsMore;
  const auto first = static_cast<std::uint8_t>(input[0]);
  const auto second = static_cast<std::uint8_t>(input[1]);
  const bool is_masked = (second & 0x80) != 0;
  // RFC 6455 sections 5.2 (reserved bits and codes) and 5.1 (clients mask).
  if ((first & 0x70) != 0 || !is_known(first & 0x0f) || !is_masked) {
    close(kProtocolError, out);
    return Step::kOver;
  }
  const std::uint8_t short_length = second & 0x7f;
  const std::size_t length_bytes = short_length == 127 ? 8 : short_length == 126 ? 2 : 0;
  const std::size_t head_bytes = 2 + length_bytes + 4;
  if (input.size() < head_bytes) return Step::kNeedsMore;
  const std::uint64_t length =
      length_bytes == 0 ? short_length : big_endian(input.substr(2, length_bytes));
  frame.opcode = Opcode{static_cast<std::uint8_t>(first & 0x0f)};
  frame.is_final = (first & 0x80) != 0;
  // RFC 6455 section 5.5: control frames are short and whole. Section 5.2: lengths are minimal.
  const bool is_overlong =
      (length_bytes == 2 && length < 126) || (length_bytes == 8 && length <= 0xffff);
  if (is_overlong || (is_control(frame.opcode) && (length > kControlBytesMax || !frame.is_final))) {
    close(kProtocolError, out);
    return Step::kOver;
  }
  if (length > kMessageBytesMax) {
    close(kTooBig, out);
    return Step::kOver;
  }
  if (input.size() < head_bytes + length) return Step::kNeedsMore;
  const std::string_view mask = input.substr(head_bytes - 4, 4);
  frame.payload = input.substr(head_bytes, length);
  for (std::size_t i = 0; i < frame.payload.size(); ++i) {
    frame.payload[i] = static_cast<char>(frame.payload[i] ^ mask[i % 4]);
  }
  input_.erase(0, head_bytes + length);
  return Step::kFrame;
}

void WebSocketEcho::on_frame(Frame frame, std::string& out) {
  switch (frame.opcode) {
    case Opcode::kPing:
      append_frame(out, Opcode::kPong, frame.payload);
      break;
    case Opcode::kPong:
      break;
    case Opcode::kClose:
      on_close(frame.payload, out);
      break;
    default:
      on_data(std::move(frame), out);
      break;
  }
}

void WebSocketEcho::on_data(Frame frame, std::string& out) {
  const bool is_first = frame.opcode != Opcode::kContinuation;
  // RFC 6455 section 5.4: the fragments of two messages do not mix.
  if (is_first == is_in_message_) return close(kProtocolError, out);
  if (is_first) message_opcode_ = frame.opcode;
  is_in_message_ = true;
  message_.append(frame.payload);
  if (message_.size() > kMessageBytesMax) return close(kTooBig, out);
  if (!frame.is_final) return;
  // RFC 6455 section 8.1: text is UTF-8.
  if (message_opcode_ == Opcode::kText && !is_utf8(message_)) return close(kInvalidPayload, out);
  append_frame(out, message_opcode_, message_);
  message_.clear();
  is_in_message_ = false;
}

void WebSocketEcho::on_close(std::string_view payload, std::string& out) {
  if (payload.empty()) return close(kNormal, out);
  const std::uint64_t code = big_endian(payload.substr(0, 2));
  // RFC 6455 section 7.1.5: a status code has two bytes; section 5.5.1: the reason is UTF-8.
  if (payload.size() == 1 || !is_close_code(code) || !is_utf8(payload.substr(2))) {
    return close(kProtocolError, out);
  }
  close(static_cast<std::uint16_t>(code), out);
}

void WebSocketEcho::close(std::uint16_t code, std::string& out) {
  std::string payload;
  append_big_endian(payload, code, 2);
  append_frame(out, Opcode::kClose, payload);
  is_over_ = true;
}

}  // namespace limpet::demo
