// SPDX-License-Identifier: Apache-2.0
// Frames from anywhere, to the side that asks: no cut of the bytes changes what is read; a response
// that is read as whole goes on to an HTTP/1 client as that one response. Input: one byte that
// chooses limits, cuts and what is asked, then the bytes of the replica's connection.

#include <algorithm>
#include <string>

#include "tests/fuzz/http2_account.h"

using namespace limpet;
using limpet::fuzz::Account;
using limpet::fuzz::Http2Account;
using limpet::fuzz::Message;
using limpet::fuzz::require;

namespace {

constexpr std::uint32_t kStreams = 4;

// A GET, a HEAD, a POST with a body under way, and a websocket.
void ask(Http2Account& side) {
  static_cast<void>(side.collect());
  for (std::uint32_t i = 0; i < kStreams; ++i) {
    RequestHead head(side.home.arena_for(0));
    head.method = i == 1 ? Method::kHead : i == 2 ? Method::kPost : Method::kGet;
    head.method_text = i == 1 ? "HEAD" : i == 2 ? "POST" : "GET";
    head.target = "/";
    head.authority = "a.example";
    head.upgrade = i == 3 ? "websocket" : "";
    head.body.kind = i == 2 ? BodyLength::Kind::kUnknown : BodyLength::Kind::kNone;
    const std::uint32_t number = side.codec.write_request(head);
    require(number == 2 * i + 1);
    Buffer out;
    if (i >= 2) side.codec.write_body(number, std::string(3000, 'x'), out);
  }
  static_cast<void>(side.collect());
}

// In order to be read by an HTTP/1 client, which asked with `method`.
void relay_to_http1(const Message& message, Method method) {
  const CodecLimits wide = {1 << 20, 1 << 20, 1000, 256};
  const std::string asked = method == Method::kHead ? "HEAD / HTTP/1.1\r\nhost: a\r\n\r\n"
                                                    : "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
  Account server(CodecRole::kServer, wide);
  server.feed(asked);
  Account client(CodecRole::kClient, wide);
  Buffer request;
  client.codec.write_request_head(*server.messages.back().request, request);
  client.is_single = true;
  Buffer out;
  server.codec.write_response_head(*message.response, out);
  fuzz::write_body(server.codec, message, out);
  client.feed(out.view());
  require(client.fault == Fault::kNone);
  require(client.complete_messages() == 1 && client.pending.empty());
  require(client.messages.back().response->status == message.response->status);
  require(client.messages.back().body == message.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const CodecLimits limits = fuzz::limits_for(choice);
  Http2Settings settings = fuzz::settings_for(choice);

  Http2Account at_once(CodecRole::kClient, limits, settings);
  ask(at_once);
  at_once.feed(bytes);

  const std::size_t piece = (choice >> 2) % 32 + 1;
  Http2Account in_pieces(CodecRole::kClient, limits, settings);
  ask(in_pieces);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    in_pieces.feed(std::string_view(bytes).substr(at, piece));
  if (!at_once.is_concluded && !in_pieces.is_concluded) {
    require(at_once.text() == in_pieces.text());
  }
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto found = at_once.messages.find(2 * i + 1);
    if (found == at_once.messages.end() || !found->second.is_complete) continue;
    if (found->second.response == nullptr) continue;
    relay_to_http1(found->second, i == 1 ? Method::kHead : Method::kGet);
  }
  for (std::uint32_t i = 0; i < kStreams; ++i) {
    Buffer out;
    at_once.codec.write_body(2 * i + 1, "more", out);
    at_once.codec.write_end(2 * i + 1, nullptr);
    at_once.codec.reset(2 * i + 1, Http2Error::kCancel);
  }
  static_cast<void>(at_once.collect());
  return 0;
}
