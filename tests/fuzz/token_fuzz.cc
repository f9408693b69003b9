// SPDX-License-Identifier: Apache-2.0
// What affinity reads from outside: tokens and session ids of clients, Cache-Control of replicas,
// lists, policies and keys of operators. A token never opens unless it was sealed; what is read
// prints to what reads the same.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/base/arena.h"
#include "daemon/base/check.h"
#include "modules/affinity/cookie_form.h"
#include "modules/affinity/keyring.h"
#include "modules/affinity/policy.h"
#include "modules/affinity/rpc_error.h"
#include "modules/affinity/source.h"
#include "modules/affinity/token.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace limpet::affinity {
namespace {

TokenBox& box() {
  static const std::shared_ptr<const KeyRing> kRing =
      KeyRing::parse(std::string(43, 'k'), "fuzz").value();
  static TokenBox box(kRing->keys());
  return box;
}

// Outside text is no token of ours, and a spelling that reads is the only one of its bytes.
void try_open(std::string_view text) {
  TokenFacts facts;
  CHECK_THAT(box().open(text, Purpose::kCookie, {}, facts) != Opening::kOpened);
  if (text.size() > kTokenLetters) {
    const std::string_view token = text.substr(0, kTokenLetters);
    CHECK_THAT(box().open(token, Purpose::kSession, text.substr(kTokenLetters), facts) !=
               Opening::kOpened);
  }
  CHECK_THAT(facts == TokenFacts{});
  std::array<std::uint8_t, kTokenBytes> bytes{};
  if (!read_letters(text, bytes.data())) return;
  std::array<char, kTokenLetters> back{};
  write_letters(bytes.data(), back.data());
  CHECK_THAT(std::string_view(back.data(), back.size()) == text);
}

// What was sealed opens to the same; with one letter changed, or bound to another id, it does not.
void seal_and_alter(std::string_view input) {
  std::array<std::uint8_t, 32> raw{};
  std::memcpy(raw.data(), input.data(), std::min(input.size(), raw.size()));
  TokenFacts facts;
  std::memcpy(&facts.replica, raw.data(), 8);
  std::memcpy(&facts.pool, raw.data() + 8, 8);
  std::memcpy(&facts.incarnation, raw.data() + 16, 4);
  std::uint32_t issued = 0;
  std::memcpy(&issued, raw.data() + 20, 4);
  facts.issued = WallSeconds(std::chrono::seconds(issued));
  facts.last_seen = WallSeconds(std::chrono::seconds(issued / 2));

  std::string token(kTokenLetters, '\0');
  CHECK_THAT(box().seal(facts, Purpose::kSession, input, token.data()));
  TokenFacts opened;
  CHECK_THAT(box().open(token, Purpose::kSession, input, opened) == Opening::kOpened);
  CHECK_THAT(opened == facts);
  CHECK_THAT(box().open(token, Purpose::kSession, std::string(input) + "x", opened) ==
             Opening::kForged);
  char& letter = token[raw[24] % kTokenLetters];
  const char before = std::exchange(letter, static_cast<char>(raw[25]));
  if (letter != before)
    CHECK_THAT(box().open(token, Purpose::kSession, input, opened) != Opening::kOpened);
}

void read_policies(std::string_view text) {
  for (std::size_t i = 0; i < kCauses; ++i) {
    const PolicyWords words = words_for(static_cast<Cause>(i));
    const Result<Policy> policy = parse_policy(text, words);
    if (!policy) {
      CHECK_THAT(!policy.error().text.empty());
      continue;
    }
    const Result<Policy> again = parse_policy(print_policy(policy.value()), words);
    CHECK_THAT(again && again.value() == policy.value());
  }
}

void guard(std::string_view cache_control) {
  Arena arena;
  HeaderList fields(arena);
  fields.add(FieldName::kCacheControl, cache_control);
  keep_from_shared_caches(fields);
  CHECK_THAT(!fields.value(FieldName::kCacheControl).empty());
}

}  // namespace
}  // namespace limpet::affinity

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace limpet::affinity;  // NOLINT(google-build-using-namespace)
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try_open(text);
  seal_and_alter(text);
  read_policies(text);
  guard(text);
  (void)KeyRing::parse(text, "fuzz");
  (void)parse_source(text);
  (void)query_value(text, "user");
  limpet::Arena arena;
  CHECK_THAT(session_not_found(arena, text).ends_with('}'));
  return 0;
}
