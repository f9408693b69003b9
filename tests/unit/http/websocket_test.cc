// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/websocket.h"

#include <string>

#include <doctest/doctest.h>

using namespace limpet;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";

std::string key_of(std::string_view bytes) {
  std::array<std::uint8_t, 16> random{};
  for (std::size_t i = 0; i < random.size(); ++i)
    random[i] = static_cast<std::uint8_t>(bytes[i]);
  return std::string(as_text(make_websocket_key(random)));
}

}  // namespace

TEST_CASE("websocket: 16 bytes become the key of RFC 6455 section 1.3") {
  CHECK(key_of("the sample nonce") == kKey);
  CHECK(key_of(std::string(16, '\0')) == "AAAAAAAAAAAAAAAAAAAAAA==");
  CHECK(key_of(std::string(16, '\xff')) == "/////////////////////w==");
  CHECK(is_websocket_key(key_of("the sample nonce")));
  CHECK(is_websocket_key(key_of(std::string(16, '\xff'))));
}

TEST_CASE("websocket: the accept value is the one of RFC 6455 section 1.3") {
  CHECK(as_text(accept_for(kKey)) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(is_accept_for("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", kKey));
}

TEST_CASE("websocket: an accept value for another key, or none, does not fit") {
  CHECK_FALSE(is_accept_for("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "AAAAAAAAAAAAAAAAAAAAAA=="));
  CHECK_FALSE(is_accept_for("S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", kKey));
  CHECK_FALSE(is_accept_for("s3pPLMBiTxaQ9kYGzzhZRbK+xOo", kKey));
  CHECK_FALSE(is_accept_for("", kKey));
}

TEST_CASE("websocket: a key is 16 bytes in base64 and nothing else") {
  CHECK(is_websocket_key(kKey));
  CHECK_FALSE(is_websocket_key(""));
  CHECK_FALSE(is_websocket_key("c2hvcnQ="));
  CHECK_FALSE(is_websocket_key("dGhlIHNhbXBsZSBub25j!Q=="));
  CHECK_FALSE(is_websocket_key("dGhlIHNhbXBsZSBub25jZQ"));    // no padding
  CHECK_FALSE(is_websocket_key("dGhlIHNhbXBsZSBub25jZQQ="));  // 17 bytes
  CHECK_FALSE(is_websocket_key("dGhlIHNhbXBsZSBub25jZR=="));  // bits behind the end
  CHECK_FALSE(is_websocket_key("________________________"));
}
