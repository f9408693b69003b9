// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/token.h"

#include <string>

#include <doctest/doctest.h>

#include "daemon/base/text.h"

namespace limpet::affinity {
namespace {

std::shared_ptr<const KeyRing> ring_of(std::string_view text) {
  return KeyRing::parse(text, "test").value();
}

std::string key_line(char fill) { return text::base64url(std::string(32, fill)) + "\n"; }

TokenFacts some_facts() {
  TokenFacts facts;
  facts.replica = replica_mark("a");
  facts.pool = pool_mark("web");
  facts.incarnation = 77;
  facts.issued = WallSeconds(std::chrono::seconds(1'780'000'000));
  facts.last_seen = WallSeconds(std::chrono::seconds(1'780'000'123));
  return facts;
}

std::string seal(TokenBox& box, const TokenFacts& facts, Purpose purpose = Purpose::kCookie,
                 std::string_view bound = {}) {
  std::string text(kTokenLetters, '\0');
  REQUIRE(box.seal(facts, purpose, bound, text.data()));
  return text;
}

TEST_CASE("a sealed token opens to what was sealed") {
  const auto ring = ring_of(key_line('k'));
  TokenBox box(ring->keys());
  const std::string token = seal(box, some_facts());
  TokenFacts facts;
  CHECK(box.open(token, Purpose::kCookie, {}, facts) == Opening::kOpened);
  CHECK(facts == some_facts());
}

TEST_CASE("a token is 77 letters and digits, whatever it says") {
  const auto ring = ring_of(key_line('k'));
  TokenBox box(ring->keys());
  TokenFacts facts = some_facts();
  facts.replica = replica_mark(std::string(500, 'x'));
  for (const TokenFacts& each : {some_facts(), facts, TokenFacts{}}) {
    const std::string token = seal(box, each);
    CHECK(token.size() == 77);
    CHECK(
        token.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") ==
        std::string::npos);
  }
}

TEST_CASE("the same facts never seal to the same text") {
  const auto ring = ring_of(key_line('k'));
  TokenBox box(ring->keys());
  std::string last;
  for (int i = 0; i < 100; ++i) {
    const std::string token = seal(box, some_facts());
    CHECK(token != last);
    last = token;
  }
}

TEST_CASE("no altered letter of a token is accepted") {
  const auto ring = ring_of(key_line('k'));
  TokenBox box(ring->keys());
  const std::string token = seal(box, some_facts());
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (const char letter : {'0', '1', 'A', 'z', '-', '\0', '\xff'}) {
      std::string altered = token;
      altered[i] = letter;
      if (altered == token) continue;
      TokenFacts facts;
      CHECK(box.open(altered, Purpose::kCookie, {}, facts) != Opening::kOpened);
      CHECK(facts == TokenFacts{});
    }
  }
}

TEST_CASE("a token of another length is malformed") {
  const auto ring = ring_of(key_line('k'));
  TokenBox box(ring->keys());
  const std::string token = seal(box, some_facts());
  TokenFacts facts;
  CHECK(box.open(token.substr(1), Purpose::kCookie, {}, facts) == Opening::kMalformed);
  CHECK(box.open(token + "0", Purpose::kCookie, {}, facts) == Opening::kMalformed);
  CHECK(box.open({}, Purpose::kCookie, {}, facts) == Opening::kMalformed);
  CHECK(box.open(std::string(77, 'z'), Purpose::kCookie, {}, facts) == Opening::kMalformed);
}

TEST_CASE("a token holds for one purpose and one bound id only") {
  const auto ring = ring_of(key_line('k'));
  TokenBox box(ring->keys());
  const std::string cookie = seal(box, some_facts());
  const std::string session = seal(box, some_facts(), Purpose::kSession, "id-1");
  TokenFacts facts;
  CHECK(box.open(cookie, Purpose::kSession, {}, facts) == Opening::kForged);
  CHECK(box.open(session, Purpose::kCookie, "id-1", facts) == Opening::kForged);
  CHECK(box.open(session, Purpose::kSession, "id-2", facts) == Opening::kForged);
  CHECK(box.open(session, Purpose::kSession, "id-", facts) == Opening::kForged);
  CHECK(box.open(session, Purpose::kSession, "id-1", facts) == Opening::kOpened);
}

TEST_CASE("every key of the ring opens, the first seals") {
  const auto old_ring = ring_of(key_line('o'));
  const auto both = ring_of(key_line('n') + key_line('o'));
  const auto new_ring = ring_of(key_line('n'));
  TokenBox old_box(old_ring->keys());
  TokenBox both_box(both->keys());
  TokenBox new_box(new_ring->keys());
  TokenFacts facts;
  CHECK(both_box.open(seal(old_box, some_facts()), Purpose::kCookie, {}, facts) ==
        Opening::kOpened);
  const std::string token = seal(both_box, some_facts());
  CHECK(new_box.open(token, Purpose::kCookie, {}, facts) == Opening::kOpened);
  CHECK(old_box.open(token, Purpose::kCookie, {}, facts) == Opening::kUnknownKey);
  CHECK(TokenBox::key_id(token) == new_ring->keys().front().id);
  CHECK(TokenBox::key_id("nonsense") == -1);
}

TEST_CASE("keys that share an id are each tried") {
  // Two of 64 fills with the same id; 64 values in 256 places nearly always hold such a pair, and
  // these fills are fixed.
  std::string ring_text;
  int seen[256] = {};
  bool is_found = false;
  for (int first = 0; first < 64 && !is_found; ++first) {
    const auto ring = ring_of(key_line(static_cast<char>('!' + first)));
    const std::uint8_t id = ring->keys().front().id;
    if (seen[id] != 0) {
      ring_text = key_line(static_cast<char>(seen[id])) + key_line(static_cast<char>('!' + first));
      is_found = true;
    }
    seen[id] = '!' + first;
  }
  REQUIRE(is_found);
  const auto pair = ring_of(ring_text);
  REQUIRE(pair->keys()[0].id == pair->keys()[1].id);
  TokenBox second(pair->keys().subspan(1));
  TokenBox both(pair->keys());
  TokenFacts facts;
  CHECK(both.open(seal(second, some_facts()), Purpose::kCookie, {}, facts) == Opening::kOpened);
}

TEST_CASE("a box without keys neither seals nor opens") {
  TokenBox box({});
  std::string text(kTokenLetters, 'x');
  TokenFacts facts;
  CHECK_FALSE(box.seal(some_facts(), Purpose::kCookie, {}, text.data()));
  const auto ring = ring_of(key_line('k'));
  TokenBox other(ring->keys());
  CHECK(box.open(seal(other, some_facts()), Purpose::kCookie, {}, facts) == Opening::kUnknownKey);
}

TEST_CASE("every value has one spelling") {
  std::array<std::uint8_t, kTokenBytes> bytes{};
  std::array<std::uint8_t, kTokenBytes> back{};
  std::string text(kTokenLetters, '\0');
  for (const int fill : {0, 1, 127, 128, 255}) {
    bytes.fill(static_cast<std::uint8_t>(fill));
    write_letters(bytes.data(), text.data());
    REQUIRE(read_letters(text, back.data()));
    CHECK(bytes == back);
  }
  // One above the largest 64-bit number, in the last block.
  bytes.fill(255);
  write_letters(bytes.data(), text.data());
  text.back() = static_cast<char>(text.back() + 1);
  CHECK_FALSE(read_letters(text, back.data()));
}

TEST_CASE("the marks of replicas, pools and incarnations are apart") {
  CHECK(replica_mark("x") != pool_mark("x"));
  CHECK(replica_mark("a") != replica_mark("b"));
  CHECK(incarnation_mark(0) == 0);
  CHECK(incarnation_mark(0x0000000100000001) == 1);
  CHECK(incarnation_mark(5) != 0);
}

}  // namespace
}  // namespace limpet::affinity
