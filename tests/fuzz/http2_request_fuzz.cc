// SPDX-License-Identifier: Apache-2.0
// Frames from anywhere, to the side that serves: no cut of the bytes changes what is read; each
// request that is read arrives at the next hop as that one request, in HTTP/1 and in HTTP/2; and
// responses written meanwhile make whole frames. Input: one byte that chooses limits and cuts, then
// the bytes behind the preface.

#include <algorithm>
#include <string>

#include "tests/fuzz/http2_account.h"

using namespace limpet;
using limpet::fuzz::Account;
using limpet::fuzz::Http2Account;
using limpet::fuzz::Message;
using limpet::fuzz::require;

namespace {

const CodecLimits kWide = {1 << 20, 1 << 20, 1000, 256};

// A body that is longer or shorter than announced is the relay's to notice; here it is whole.
void relay_to_http1(const Message& message) {
  Http1Codec writer(CodecRole::kClient, kWide);
  Account next_hop(CodecRole::kServer, kWide);
  Buffer out;
  writer.write_request_head(*message.request, out);
  fuzz::write_body(writer, message, out);
  next_hop.feed(out.view());
  require(next_hop.fault == Fault::kNone);
  require(next_hop.complete_messages() == 1 && next_hop.pending.empty());
  const Message& arrived = next_hop.messages.back();
  require(arrived.request->method_text == message.request->method_text);
  require(arrived.request->target == message.request->target);
  require(arrived.request->authority == message.request->authority);
  require(arrived.request->upgrade == message.request->upgrade);
  require(arrived.body == message.body || !message.request->upgrade.empty());
}

void relay_to_http2(const Message& message) {
  Http2Account writer(CodecRole::kClient, kWide, {});
  Http2Account next_hop(CodecRole::kServer, kWide, {});
  next_hop.feed(writer.collect());
  writer.feed(next_hop.collect());
  const std::uint32_t number = writer.codec.write_request(*message.request);
  require(number == 1);
  Buffer out;
  writer.codec.write_body(number, message.body, out);
  writer.codec.write_end(number, message.trailers);
  next_hop.feed(out.view());
  for (int turn = 0; turn < 64 && !next_hop.messages[number].is_complete; ++turn) {
    next_hop.feed(writer.collect());
    next_hop.codec.credit(number, 65535);
    writer.feed(next_hop.collect());
  }
  const Message& arrived = next_hop.messages[number];
  require(arrived.is_complete && arrived.request != nullptr);
  require(arrived.request->method_text == message.request->method_text);
  require(arrived.request->target == message.request->target);
  require(arrived.request->authority == message.request->authority);
  require(arrived.request->upgrade == message.request->upgrade);
  require(arrived.body == message.body);
  require((arrived.trailers == nullptr) == (message.trailers == nullptr));
}

// Every head gets an answer at once, in one of a few shapes.
void serve(const std::string& bytes, std::size_t piece, const CodecLimits& limits,
           const Http2Settings& settings) {
  Http2Account side(CodecRole::kServer, limits, settings);
  std::uint32_t answered = 0;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    side.feed(std::string_view(bytes).substr(at, piece));
    for (const auto& [number, message] : side.messages) {
      if (number <= answered || message.request == nullptr) continue;
      answered = number;
      ResponseHead head(side.home.arena_for(0));
      head.status = static_cast<std::uint16_t>(message.request->upgrade.empty() ? 200 : 101);
      const std::string body(number * 977 % 40000, 'x');
      head.body = number % 3 == 0 ? BodyLength{BodyLength::Kind::kKnown, body.size()}
                                  : BodyLength{BodyLength::Kind::kUnknown, 0};
      head.fields.add(FieldName::kSetCookie, "a=b");
      side.codec.write_response(number, head);
      Buffer out;
      side.codec.write_body(number, body, out);
      if (number % 7 != 0) side.codec.write_end(number, number % 5 == 0 ? &head.fields : nullptr);
      if (number % 11 == 0) side.codec.stop_reading(number);
      side.codec.credit(number, message.body.size());
    }
    static_cast<void>(side.collect());
  }
  side.codec.announce_end();
  static_cast<void>(side.collect());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  const std::string bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                            std::string(reinterpret_cast<const char*>(data) + 1, size - 1);
  const CodecLimits limits = fuzz::limits_for(choice);
  Http2Settings settings = fuzz::settings_for(choice);
  const std::size_t piece = (choice >> 2) % 32 + 1;
  if ((choice & 2) != 0) {
    serve(bytes, piece * 7, limits, settings);
    return 0;
  }
  // A stream that is being reset counts until the reset is sent, which the cuts decide.
  settings.streams_max = 2000;
  Http2Account at_once(CodecRole::kServer, limits, settings);
  at_once.feed(bytes);
  Http2Account in_pieces(CodecRole::kServer, limits, settings);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    in_pieces.feed(std::string_view(bytes).substr(at, piece));
  // A breach that is found early keeps what stands before it in the same piece from being read.
  if (!at_once.is_concluded && !in_pieces.is_concluded) {
    require(at_once.text() == in_pieces.text());
  }
  static_cast<void>(at_once.collect());
  for (const auto& [number, message] : in_pieces.messages) {
    if (!message.is_complete || message.request == nullptr ||
        message.request->method == Method::kConnect) {
      continue;
    }
    relay_to_http1(message);
    relay_to_http2(message);
  }
  return 0;
}
