// SPDX-License-Identifier: Apache-2.0
// Requests from anywhere: no cut of the bytes changes what is read, and what is written for the
// next hop is read there as the same messages, no more and no fewer. Input: one byte that chooses
// limits and cuts, then the bytes of a connection.

#include <algorithm>

#include "tests/fuzz/codec_account.h"

using namespace limpet;
using limpet::fuzz::Account;
using limpet::fuzz::Message;
using limpet::fuzz::require;

namespace {

void relay(const Account& read) {
  const CodecLimits wide = {1 << 20, 1 << 20, 1000, 256};
  Account next_hop(CodecRole::kServer, wide);
  Http1Codec writer(CodecRole::kClient, wide);
  std::size_t sent = 0;
  for (const Message& message : read.messages) {
    if (!message.is_complete) break;
    Buffer out;
    writer.write_request_head(*message.request, out);
    fuzz::write_body(writer, message, out);
    writer.next_message();
    // The replica is asked for one thing at a time, and reads just that.
    next_hop.feed(out.view());
    ++sent;
    if (next_hop.fault != Fault::kNone) {
      // HTTP/1.0 may come without a Host to forward; the next hop must not take that for HTTP/1.1.
      require(message.request->version == HttpVersion::kHttp10 &&
              message.request->authority.empty());
      return;
    }
    require(next_hop.complete_messages() == sent);
    require(next_hop.pending.empty());
    const Message& arrived = next_hop.messages.back();
    require(arrived.request->method_text == message.request->method_text);
    require(arrived.request->target == message.request->target);
    require(arrived.body == message.body);
    require((arrived.trailers == nullptr) == (message.trailers == nullptr));
    require(arrived.request->upgrade == message.request->upgrade);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const CodecLimits limits = fuzz::limits_for(choice);

  Account at_once(CodecRole::kServer, limits);
  at_once.feed(bytes);
  at_once.end();

  const std::size_t piece = (choice >> 1) % 16 + 1;
  Account in_pieces(CodecRole::kServer, limits);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    in_pieces.feed(std::string_view(bytes).substr(at, piece));
  in_pieces.end();

  require(at_once.text == in_pieces.text);
  require(at_once.fault == in_pieces.fault);
  require(at_once.pending == in_pieces.pending);
  relay(at_once);
  return 0;
}
