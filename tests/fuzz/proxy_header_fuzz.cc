// SPDX-License-Identifier: Apache-2.0
// PROXY headers from anywhere: a verdict comes within the bound, does not change with what follows,
// is not there before the last byte, and what was read is written so that it reads back the same.

#include <string>

#include "daemon/http/proxy_header.h"
#include "tests/fuzz/codec_account.h"

using namespace limpet;
using limpet::fuzz::require;
using State = ProxyReading::State;

namespace {

void require_same(const ProxyHeader& a, const ProxyHeader& b) {
  require(a.kind == b.kind && a.source == b.source && a.destination == b.destination);
}

void require_reads_back(const ProxyHeader& header) {
  if (header.kind != ProxyHeader::Kind::kForwarded || header.source.is_empty()) return;
  for (const ProxyVersion version : {ProxyVersion::k1, ProxyVersion::k2}) {
    Buffer out;
    append_proxy_header(out, version, header.source, header.destination);
    const ProxyReading again = read_proxy_header(out.view());
    require(again.state == State::kDone && again.bytes == out.size());
    const bool is_sayable =
        header.source.is_ip() || (version == ProxyVersion::k2 && !header.destination.is_empty());
    if (is_sayable) require_same(header, again.header);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const ProxyReading whole = read_proxy_header(input);
  if (whole.state == State::kNeedsMore) {
    require(size < kProxyHeaderBytesMax);
    return 0;
  }
  if (whole.state == State::kRefused) {
    require(whole.reason != nullptr);
    require(read_proxy_header(std::string(input) + "x").state == State::kRefused);
    return 0;
  }
  require(whole.bytes <= size && whole.bytes <= kProxyHeaderBytesMax);
  for (std::size_t length = 0; length < whole.bytes; ++length)
    require(read_proxy_header(input.substr(0, length)).state == State::kNeedsMore);
  const ProxyReading exact = read_proxy_header(input.substr(0, whole.bytes));
  require(exact.state == State::kDone && exact.bytes == whole.bytes);
  require_same(whole.header, exact.header);
  require_reads_back(whole.header);
  return 0;
}
