// SPDX-License-Identifier: Apache-2.0
// Responses from a replica: no cut of the bytes changes what is read, a second response is never
// read, and what is written for the client is read there as exactly one message. Input: one byte
// that chooses the request, limits and cuts, then the bytes.

#include "tests/fuzz/codec_account.h"

using namespace limpet;
using limpet::fuzz::Account;
using limpet::fuzz::Message;
using limpet::fuzz::require;

namespace {

void ask(Account& account, Method method, std::string_view upgrade) {
  RequestHead head(account.home.arena_for(0));
  head.method = method;
  head.method_text = method == Method::kHead ? "HEAD" : "GET";
  head.target = "/";
  head.authority = "a";
  head.upgrade = upgrade;
  Buffer out;
  account.codec.write_request_head(head, out);
  account.codec.write_end(nullptr, out);
  account.is_single = true;
}

void relay(const Account& read, Method method) {
  if (read.complete_messages() != 1) return;
  const Message& message = read.messages.front();
  const CodecLimits wide = {1 << 20, 1 << 20, 1000, 256};
  Account server(CodecRole::kServer, wide);
  server.is_single = true;
  server.feed(method == Method::kHead ? "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
                                      : "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Buffer out;
  server.codec.write_response_head(*message.response, out);
  fuzz::write_body(server.codec, message, out);

  Account client(CodecRole::kClient, wide);
  ask(client, method, {});
  client.feed(out.view());
  require(client.fault == Fault::kNone);
  require(client.complete_messages() == 1);
  require(client.pending.empty());
  require(client.messages.front().response->status == message.response->status);
  require(client.messages.front().body == message.body);
  require(client.codec.keeps_alive() == server.codec.keeps_alive());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const CodecLimits limits = fuzz::limits_for(choice);
  const Method method = (choice & 2) == 0 ? Method::kGet : Method::kHead;
  const std::string_view upgrade = (choice & 4) == 0 ? "" : "websocket";

  Account at_once(CodecRole::kClient, limits);
  ask(at_once, method, upgrade);
  at_once.feed(bytes);
  at_once.end();

  const std::size_t piece = (choice >> 3) % 16 + 1;
  Account in_pieces(CodecRole::kClient, limits);
  ask(in_pieces, method, upgrade);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    in_pieces.feed(std::string_view(bytes).substr(at, piece));
  in_pieces.end();

  require(at_once.text == in_pieces.text);
  require(at_once.fault == in_pieces.fault);
  require(at_once.pending == in_pieces.pending);
  require(at_once.messages.size() <= 1);
  require(at_once.pending.empty() || !at_once.codec.keeps_alive());
  require(at_once.fault == Fault::kNone || at_once.fault == Fault::kBadResponse ||
          at_once.fault == Fault::kTruncated);
  relay(at_once, method);
  return 0;
}
