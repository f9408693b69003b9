// SPDX-License-Identifier: Apache-2.0
// Answers to gRPC health checks from anywhere: the verdict comes within the bound and only once the
// message is whole; a name of a service of any bytes makes a message that is read as one; an
// encoded message is visible ASCII and decodes to what it was.

#include <string>

#include "daemon/http/char_class.h"
#include "daemon/http/grpc.h"
#include "tests/fuzz/codec_account.h"

using namespace limpet;
using limpet::fuzz::require;

namespace {

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    require(text[i] >= 0x20 && text[i] <= 0x7e);
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    require(i + 2 < text.size());
    out += static_cast<char>(chars::hex_value(text[i + 1]) << 4 | chars::hex_value(text[i + 2]));
    i += 2;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const GrpcHealth health = read_grpc_health(input);
  if (health == GrpcHealth::kNeedsMore) require(size < kGrpcHealthBytesMax);
  if (health == GrpcHealth::kServing || health == GrpcHealth::kNotServing) {
    require(size <= kGrpcHealthBytesMax);
    for (std::size_t length = 0; length < size; ++length)
      require(read_grpc_health(input.substr(0, length)) == GrpcHealth::kNeedsMore);
  }

  // A request has the form of an answer whose status is missing.
  const std::string request = grpc_health_request(input.substr(0, 1000));
  require(read_grpc_health(request) == GrpcHealth::kNotServing);

  std::string message;
  append_grpc_message(message, input);
  require(decoded(message) == input);
  static_cast<void>(is_grpc(input));
  return 0;
}
