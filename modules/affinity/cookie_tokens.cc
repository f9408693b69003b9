// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/cookie_tokens.h"

#include <algorithm>

namespace limpet::affinity {

namespace {

constexpr char kSeparator = '.';
// Opened while others are looked for; a text of many that are none of ours costs no more.
constexpr std::size_t kOpenedMax = 2 * kCookieTokensMax;

bool is_letter(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// TOKEN.TOKEN…, whatever they are worth.
bool is_list(std::string_view value) noexcept {
  constexpr std::size_t kStep = kTokenLetters + 1;
  if ((value.size() + 1) % kStep != 0 || value.size() >= kCookieTokensMax * kStep) return false;
  for (std::size_t at = kTokenLetters; at < value.size(); at += kStep) {
    if (value[at] != kSeparator) return false;
  }
  return true;
}

// The next run of as many letters as a token has; `rest` is moved behind it.
std::string_view take_run(std::string_view& rest) noexcept {
  while (!rest.empty()) {
    const auto begin = std::find_if(rest.begin(), rest.end(), is_letter);
    const auto end = std::find_if_not(begin, rest.end(), is_letter);
    const std::string_view run(begin, end);
    rest = std::string_view(end, rest.end());
    if (run.size() == kTokenLetters) return run;
  }
  return {};
}

}  // namespace

std::optional<std::string_view> CookieTokens::next() noexcept {
  if (!is_begun_) {
    is_begun_ = true;
    if (!is_list(all_)) {
      rest_ = {};
      return all_;
    }
  }
  if (rest_.empty()) return std::nullopt;
  const std::string_view token = rest_.substr(0, kTokenLetters);
  rest_.remove_prefix(std::min(rest_.size(), kTokenLetters + 1));
  return token;
}

std::string_view with_other_tokens(Arena& arena, TokenBox& box, std::uint64_t pool,
                                   std::string_view token, std::string_view text) {
  std::string_view value = token;
  std::size_t tokens = token.empty() ? 0 : 1;
  for (std::size_t opened = 0; opened < kOpenedMax && tokens < kCookieTokensMax; ++opened) {
    const std::string_view run = take_run(text);
    if (run.empty()) break;
    TokenFacts facts;
    if (box.open(run, Purpose::kCookie, {}, facts) != Opening::kOpened || facts.pool == pool)
      continue;
    if (value.find(run) != std::string_view::npos) continue;
    value = value.empty() ? run : arena.join(value, ".", run);
    ++tokens;
  }
  return value;
}

}  // namespace limpet::affinity
