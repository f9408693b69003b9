// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/cookie.h"

#include <algorithm>
#include <cstring>

#include "daemon/base/text.h"
#include "daemon/http/char_class.h"

namespace limpet {

namespace {

// The value of `pair` if it is a cookie `name`.
[[nodiscard]] std::optional<std::string_view> value_of(std::string_view pair,
                                                       std::string_view name) noexcept {
  pair = text::trim(pair);
  if (pair.size() <= name.size() || !pair.starts_with(name)) return std::nullopt;
  const std::string_view behind = text::trim(pair.substr(name.size()));
  if (behind.empty() || behind.front() != '=') return std::nullopt;
  return text::trim(behind.substr(1));
}

[[nodiscard]] std::size_t pair_end(std::string_view cookies, std::size_t from) noexcept {
  return std::min(cookies.find(';', from), cookies.size());
}

// Copies `cookies` without those called `name` to `out` and returns the end. Of the separators
// around a cookie taken out the one before it goes with it, or the one behind where it was the
// first.
char* copy_without(std::string_view cookies, std::string_view name, char* out,
                   std::size_t& removed) {
  char* at = out;
  bool has_kept = false;
  bool is_first_removed = false;
  for (std::size_t start = 0; start <= cookies.size();) {
    const std::size_t end = pair_end(cookies, start);
    std::string_view pair = cookies.substr(start, end - start);
    if (value_of(pair, name)) {
      ++removed;
      is_first_removed = is_first_removed || !has_kept;
    } else {
      if (has_kept) {
        *at++ = ';';
      } else if (is_first_removed) {
        while (!pair.empty() && text::is_space(pair.front()))
          pair.remove_prefix(1);
      }
      if (!pair.empty()) std::memcpy(at, pair.data(), pair.size());
      at += pair.size();
      has_kept = true;
    }
    start = end + 1;
  }
  return at;
}

[[nodiscard]] std::string_view same_site_text(SameSite same_site) noexcept {
  switch (same_site) {
    case SameSite::kUnset:
      break;
    case SameSite::kLax:
      return "; SameSite=Lax";
    case SameSite::kStrict:
      return "; SameSite=Strict";
    case SameSite::kNone:
      return "; SameSite=None";
  }
  return "";
}

}  // namespace

std::optional<std::string_view> CookieScan::next() noexcept {
  for (;;) {
    while (rest_.empty()) {
      if (fields_.empty()) return std::nullopt;
      const Field& field = fields_.front();
      fields_ = fields_.subspan(1);
      if (field.id == FieldName::kCookie && !field.is_removed()) rest_ = field.value();
    }
    const std::optional<std::string_view> value = value_of(text::cut(rest_, ';'), name_);
    if (value) return value;
  }
}

std::size_t remove_cookie(HeaderList& fields, std::string_view name) {
  std::size_t removed = 0;
  if (!fields.may_have(FieldName::kCookie)) return removed;
  for (Field& field : fields.fields()) {
    if (field.id != FieldName::kCookie || field.is_removed()) continue;
    // Most fields do not have it and must not be copied.
    if (field.value().find(name) == std::string_view::npos) continue;
    char* const copy = fields.arena().allocate_text(field.value().size());
    const std::size_t before = removed;
    char* const end = copy_without(field.value(), name, copy, removed);
    if (removed == before) continue;
    const std::string_view left{copy, static_cast<std::size_t>(end - copy)};
    fields.replace(field, left);
    if (text::trim(left).empty()) fields.remove(field);
  }
  return removed;
}

std::string full_name(const CookieAttributes& cookie) {
  switch (cookie.prefix) {
    case CookiePrefix::kNone:
      break;
    case CookiePrefix::kSecure:
      return "__Secure-" + cookie.name;
    case CookiePrefix::kHost:
      return "__Host-" + cookie.name;
  }
  return cookie.name;
}

std::string attributes_text(const CookieAttributes& cookie) {
  const bool is_host = cookie.prefix == CookiePrefix::kHost;
  std::string text;
  if (is_host) {
    text += "; Path=/";
  } else {
    if (!cookie.path.empty()) text += "; Path=" + cookie.path;
    if (!cookie.domain.empty()) text += "; Domain=" + cookie.domain;
  }
  if (cookie.max_age) text += "; Max-Age=" + std::to_string(cookie.max_age->count());
  // Browsers drop the cookie when one of these comes without Secure.
  if (cookie.is_secure || cookie.prefix != CookiePrefix::kNone || cookie.is_partitioned ||
      cookie.same_site == SameSite::kNone) {
    text += "; Secure";
  }
  if (cookie.is_http_only) text += "; HttpOnly";
  text += same_site_text(cookie.same_site);
  if (cookie.is_partitioned) text += "; Partitioned";
  return text;
}

std::string_view mint_set_cookie(Arena& arena, std::string_view name, std::string_view value,
                                 std::string_view attributes) {
  return arena.join(name, "=", value, attributes);
}

bool is_cookie_name(std::string_view name) noexcept { return chars::is_token(name); }

bool is_cookie_value(std::string_view value) noexcept {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
  });
}

}  // namespace limpet
