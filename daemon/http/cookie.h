// SPDX-License-Identifier: Apache-2.0
#pragma once
// cookie: reading one cookie's values out of Cookie fields, taking it out of them, and writing
// Set-Cookie. It does not know what a value means (modules/affinity), and it is no cookie jar.
// Neighbours: headers.h, whose fields it walks and edits.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/http/headers.h"

namespace limpet {

/// Walks the values of one cookie name over all Cookie fields, in order. Clients may send several
/// of one name. Borrows: the list and the name. Cost: one pass over the fields, no memory.
class CookieScan {
 public:
  CookieScan(const HeaderList& fields, std::string_view name) noexcept
      : fields_(fields.may_have(FieldName::kCookie) ? fields.fields() : std::span<const Field>{}),
        name_(name) {}

  /// The next value as it stands (quotes belong to it), or nothing when there is no more.
  /// RFC: 6265bis section 5.8.3; names are case-sensitive.
  [[nodiscard]] std::optional<std::string_view> next() noexcept;

 private:
  std::span<const Field> fields_;
  std::string_view name_;
  std::string_view rest_;  ///< of the field at hand, behind what was read
};

/// Takes every cookie `name` out of the Cookie fields and returns how many there were. What remains
/// stays octet for octet; a field that had nothing else is removed.
std::size_t remove_cookie(HeaderList& fields, std::string_view name);

enum class SameSite : std::uint8_t { kUnset, kLax, kStrict, kNone };
/// RFC: 6265bis section 4.1.3.
enum class CookiePrefix : std::uint8_t { kNone, kSecure, kHost };

/// Everything of a Set-Cookie but the value.
struct CookieAttributes {
  std::string name;
  std::string path = "/";
  std::string domain;                           ///< empty: the host alone
  std::optional<std::chrono::seconds> max_age;  ///< none: until the browser ends
  SameSite same_site = SameSite::kLax;
  CookiePrefix prefix = CookiePrefix::kNone;
  bool is_secure = false;
  bool is_http_only = true;
  bool is_partitioned = false;
};

/// The name as it goes over the wire, with its prefix.
[[nodiscard]] std::string full_name(const CookieAttributes& cookie);
/// What stands behind the value: "; Path=/; HttpOnly; …". Made once, used for many.
/// RFC: 6265bis section 4.1. A prefix, SameSite=None and Partitioned bring Secure along; __Host-
/// has Path=/ and no Domain.
[[nodiscard]] std::string attributes_text(const CookieAttributes& cookie);
/// The value of one Set-Cookie field, in the arena.
[[nodiscard]] std::string_view mint_set_cookie(Arena& arena, std::string_view name,
                                               std::string_view value, std::string_view attributes);

/// Whether a cookie may have that name: a token.
[[nodiscard]] bool is_cookie_name(std::string_view name) noexcept;
/// Whether a cookie may have that value without quotes: cookie-octets, perhaps none.
/// RFC: 6265bis section 4.1.1.
[[nodiscard]] bool is_cookie_value(std::string_view value) noexcept;

}  // namespace limpet
