// SPDX-License-Identifier: Apache-2.0
#pragma once
// http2_account: what the HTTP/2 fuzz targets share: a codec fed in pieces, everything it said as
// one text per stream, and the messages that it read.
// Not a target itself.

#include <map>
#include <string>
#include <string_view>

#include "daemon/http/http2_codec.h"
#include "tests/fuzz/codec_account.h"

namespace limpet::fuzz {

/// Small bounds where the first byte is odd, so that the limits are met as well.
[[nodiscard]] inline Http2Settings settings_for(std::uint8_t choice) {
  Http2Settings settings;
  if ((choice & 1) == 0) return settings;
  settings.streams_max = 4;
  settings.stream_window_bytes = 16384;
  settings.connection_window_bytes = 65535;
  settings.floods = {(choice & 2) == 0 ? FloodMode::kEnforce : FloodMode::kReport,
                     std::chrono::seconds(10),
                     3,
                     3,
                     3,
                     3,
                     3,
                     3,
                     3,
                     64 * 1024};
  return settings;
}

/// An HTTP/2 codec, its memory and what it said.
class Http2Account {
 public:
  Http2Account(CodecRole role, const CodecLimits& limits, const Http2Settings& settings)
      : codec(role, limits, settings) {}

  void feed(std::string_view piece) {
    StreamEvents events;
    codec.feed(piece, Instant{}, home, events);
    for (const StreamEvent& event : events)
      note(event);
    const std::size_t bytes = codec.bytes_in_use();
    require(bytes < std::size_t{64} << 20);
  }
  /// The frames that were made; they are whole.
  std::string collect() {
    Buffer out;
    StreamEvents events;
    codec.collect(out, events);
    for (const StreamEvent& event : events)
      note(event);
    std::string bytes(out.view());
    std::string_view rest = bytes;
    if (rest.starts_with("PRI ")) rest.remove_prefix(24);
    while (!rest.empty()) {
      require(rest.size() >= 9);
      const auto octet = [&rest](std::size_t at) {
        return static_cast<std::size_t>(static_cast<unsigned char>(rest[at]));
      };
      const std::size_t frame_bytes = 9 + (octet(0) << 16 | octet(1) << 8 | octet(2));
      require(rest.size() >= frame_bytes && frame_bytes <= 9 + 16384);
      rest.remove_prefix(frame_bytes);
    }
    return bytes;
  }
  /// What was said of every stream, one after the other.
  [[nodiscard]] std::string text() const {
    std::string all;
    for (const auto& [number, said] : texts)
      all += std::to_string(number) + ":" + said + "\n";
    return all;
  }

  Http2Codec codec;
  Home home;
  std::map<std::uint32_t, Message> messages;
  std::map<std::uint32_t, std::string> texts;
  bool is_concluded = false;

 private:
  void note(const StreamEvent& event) {
    using Kind = StreamEvent::Kind;
    std::string& text = texts[event.stream];
    Message& message = messages[event.stream];
    if (event.kind != Kind::kBody) text += static_cast<char>('A' + static_cast<int>(event.kind));
    switch (event.kind) {
      case Kind::kRequestHead:
        require(message.request == nullptr);
        message.request = event.request;
        text.append(event.request->method_text).append(" ").append(event.request->target);
        note(event.request->fields, text);
        break;
      case Kind::kResponseHead:
        require(message.response == nullptr);
        message.response = event.response;
        [[fallthrough]];
      case Kind::kInformational:
        text += std::to_string(event.response->status);
        note(event.response->fields, text);
        break;
      case Kind::kBody:
        require(!event.bytes.empty() && !message.is_complete);
        message.body.append(event.bytes);
        break;
      case Kind::kTrailers:
        message.trailers = event.trailers;
        note(*event.trailers, text);
        break;
      case Kind::kEnd:
        require(!message.is_complete);
        message.is_complete = true;
        text.append(message.body);  // of a broken one, pieces tell more than the whole does
        break;
      case Kind::kFault:
        // Which of two faults is told first, the cuts may decide.
        require(event.reason != nullptr && event.fault != Fault::kNone);
        break;
      case Kind::kConcluded:
        require(!is_concluded);
        is_concluded = true;
        break;
      case Kind::kDrained:
      case Kind::kGoaway:
        break;
    }
  }
  static void note(const HeaderList& fields, std::string& text) {
    for (const Field& field : fields.fields()) {
      if (field.is_removed()) continue;
      require(field.id == known_name(field.name()));
      require(!field.name().empty() && field.name().front() != ':');
      for (const char c : field.value())
        require(c != '\r' && c != '\n' && c != '\0');
      text.append("|").append(field.name()).append(":").append(field.value());
    }
  }
};

}  // namespace limpet::fuzz
