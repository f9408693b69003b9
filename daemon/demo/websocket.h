// SPDX-License-Identifier: Apache-2.0
#pragma once
// WebSocketEcho: one WebSocket that says every message back, as bytes in and bytes out. It is the
// server half of RFC 6455 without extensions. No sockets here: demo/connection.cc has them; the
// handshake is in http/websocket.h. The balancer itself never reads a frame; it carries them as a
// tunnel.

#include <cstdint>
#include <string>
#include <string_view>

namespace limpet::demo {

/// The operation codes of frames, RFC 6455 section 5.2.
enum class Opcode : std::uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xa,
};

/// Appends one whole, unmasked frame, as servers send them.
void append_frame(std::string& out, Opcode opcode, std::string_view payload);

/// Whether `text` is well-formed UTF-8 (RFC 3629): no surrogates, no overlong forms.
[[nodiscard]] bool is_utf8(std::string_view text);

/// Reads a client's frames and answers: messages with themselves, pings with pongs, a close with a
/// close. A breach of the protocol is answered with a close that says which.
class WebSocketEcho {
 public:
  static constexpr std::size_t kMessageBytesMax = 1024 * 1024;

  /// Reads `bytes` and appends what is to be sent to `out`.
  void feed(std::string_view bytes, std::string& out);
  /// Whether the close frame was sent: the connection ends once it has left.
  [[nodiscard]] bool is_over() const noexcept { return is_over_; }

 private:
  struct Frame {
    std::string payload;
    Opcode opcode = Opcode::kContinuation;
    bool is_final = false;
  };
  enum class Step : std::uint8_t { kFrame, kNeedsMore, kOver };

  Step take_frame(Frame& frame, std::string& out);
  void on_frame(Frame frame, std::string& out);
  void on_data(Frame frame, std::string& out);
  void on_close(std::string_view payload, std::string& out);
  void close(std::uint16_t code, std::string& out);

  std::string input_;
  std::string message_;  ///< the fragments of a message so far
  Opcode message_opcode_ = Opcode::kContinuation;
  bool is_in_message_ = false;
  bool is_over_ = false;
};

}  // namespace limpet::demo
