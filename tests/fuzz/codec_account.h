// SPDX-License-Identifier: Apache-2.0
#pragma once
// codec_account: what the HTTP/1 fuzz targets share: a codec fed in pieces, everything it said as
// one text, and the message carried on to the next hop.
// Not a target itself.

#include <cstdint>
#include <cstdlib>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/http/http1_codec.h"

namespace limpet::fuzz {

/// Ends the run: the fuzzer keeps the input.
inline void require(bool condition) {
  if (!condition) std::abort();
}

class Home : public HeadHome {
 public:
  [[nodiscard]] Arena& arena_for(std::uint32_t) override { return arenas_.emplace_back(); }

 private:
  std::list<Arena> arenas_;
};

/// One message as it was read.
struct Message {
  const RequestHead* request = nullptr;
  const ResponseHead* response = nullptr;
  const HeaderList* trailers = nullptr;
  std::string body;
  bool is_complete = false;
};

/// A codec, its memory and what it said.
class Account {
 public:
  Account(CodecRole role, const CodecLimits& limits) : limits_(limits), codec(role, limits_) {}

  /// Feeds `piece` behind what was not used; goes on with the next message as long as the
  /// connection is kept.
  void feed(std::string_view piece) {
    pending.append(piece);
    for (;;) {
      StreamEvents events;
      const std::size_t used = codec.feed(pending, home, events);
      require(used <= pending.size());
      for (const StreamEvent& event : events)
        note(event);
      pending.erase(0, used);
      if (!codec.has_read_message() || !codec.keeps_alive() || pending.empty() || is_single) return;
      codec.next_message();
    }
  }
  void end() {
    StreamEvents events;
    codec.on_end_of_bytes(events);
    for (const StreamEvent& event : events)
      note(event);
  }

  [[nodiscard]] std::size_t complete_messages() const {
    std::size_t count = 0;
    for (const Message& message : messages)
      count += message.is_complete ? 1U : 0U;
    return count;
  }

 private:
  void note(const StreamEvent& event) {
    using Kind = StreamEvent::Kind;
    text += static_cast<char>('A' + static_cast<int>(event.kind));
    switch (event.kind) {
      case Kind::kRequestHead:
        messages.emplace_back().request = event.request;
        text.append(event.request->method_text).append(" ").append(event.request->target);
        note(event.request->fields);
        break;
      case Kind::kResponseHead:
        messages.emplace_back().response = event.response;
        [[fallthrough]];
      case Kind::kInformational:
        text += std::to_string(event.response->status);
        note(event.response->fields);
        break;
      case Kind::kBody:
        require(!event.bytes.empty());
        text.pop_back();  // pieces differ with the cuts: only what they sum up to counts
        messages.back().body.append(event.bytes);
        break;
      case Kind::kTrailers:
        messages.back().trailers = event.trailers;
        note(*event.trailers);
        break;
      case Kind::kEnd:
        messages.back().is_complete = true;
        text.append(messages.back().body);
        break;
      case Kind::kFault:
        require(event.reason != nullptr);
        require(!codec.keeps_alive());
        fault = event.fault;
        if (!messages.empty()) text.append(messages.back().body);
        text += std::to_string(static_cast<int>(event.fault));
        break;
      case Kind::kDrained:
      case Kind::kConcluded:
      case Kind::kGoaway:
        std::abort();
    }
  }
  void note(const HeaderList& fields) {
    for (const Field& field : fields.fields()) {
      if (field.is_removed()) continue;
      require(field.id == known_name(field.name()));
      text.append("|").append(field.name()).append(":").append(field.value());
    }
    text += '\n';
  }

  CodecLimits limits_;

 public:
  Http1Codec codec;
  Home home;
  std::string pending;
  std::string text;
  std::vector<Message> messages;
  Fault fault = Fault::kNone;
  bool is_single = false;  ///< stop at the end of the first message
};

/// The bytes of `body` as the writer frames them, in two pieces, with the end of the message.
inline void write_body(Http1Codec& writer, const Message& message, Buffer& out) {
  const std::string_view body = message.body;
  const std::size_t half = body.size() / 2;
  for (const std::string_view piece : {body.substr(0, half), body.substr(half)}) {
    if (piece.empty() || !writer.carries_body()) continue;
    writer.write_body_prefix(piece.size(), out);
    out.append(piece);
    out.append(writer.body_suffix());
  }
  writer.write_end(message.trailers, out);
}

/// Small bounds where the first byte is odd, so that the limits are met as well.
[[nodiscard]] inline CodecLimits limits_for(std::uint8_t choice) {
  if ((choice & 1) == 0) return {};
  return {64, 200, 4, 16};
}

}  // namespace limpet::fuzz
