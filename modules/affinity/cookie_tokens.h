// SPDX-License-Identifier: Apache-2.0
#pragma once
// Cookie tokens: the tokens in one cookie's value, "TOKEN" or "TOKEN.TOKEN…". Pools whose cookies
// have one name share the browser's one cookie of that name; each has its token in it, the one that
// was placed last in front. It opens no token but to see whether it is one: token.h.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/base/arena.h"
#include "modules/affinity/token.h"

namespace limpet::affinity {

/// Pools that share a cookie; a token more makes the one that was placed first give way.
inline constexpr std::size_t kCookieTokensMax = 4;

/// Walks the tokens of a cookie's value. Borrows: the value.
class CookieTokens {
 public:
  explicit CookieTokens(std::string_view value) noexcept : all_(value), rest_(value) {}

  /// The next token, or nothing where there is no more. A value that is not of the form is one
  /// token, which opens nowhere.
  [[nodiscard]] std::optional<std::string_view> next() noexcept;
  /// The whole value.
  [[nodiscard]] std::string_view all() const noexcept { return all_; }

 private:
  std::string_view all_;
  std::string_view rest_;
  bool is_begun_ = false;
};

/// `token`, which may be empty, and behind it the tokens of other pools than that of mark `pool` in
/// `text`, which is a cookie's value or a whole Cookie field: what the cookie of that name shall be
/// from now on. Lifetime: the arena's, or `token`'s where nothing is behind it.
[[nodiscard]] std::string_view with_other_tokens(Arena& arena, TokenBox& box, std::uint64_t pool,
                                                 std::string_view token, std::string_view text);

}  // namespace limpet::affinity
