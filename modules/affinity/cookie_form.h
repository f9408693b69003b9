// SPDX-License-Identifier: Apache-2.0
#pragma once
// CookieForm: limpet's cookie as one pool configures it, over http/cookie.h, ready to be written
// for both kinds of client side; and what a response that sets it says to shared caches. Its value
// is a token (token.h).

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/arena.h"
#include "daemon/http/cookie.h"
#include "daemon/http/headers.h"

namespace limpet::affinity {

/// Whether the client's side of the connection is TLS.
enum class Channel : std::uint8_t { kPlain, kSecure };

/// Writes Set-Cookie values from parts that are made once.
class CookieForm {
 public:
  /// `secure`: always, never, or (nothing) where the client came over TLS.
  CookieForm(const CookieAttributes& attributes, std::optional<bool> secure);

  /// With its prefix.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// The whole Set-Cookie value, in the arena.
  [[nodiscard]] std::string_view setting(Arena& arena, std::string_view value,
                                         Channel channel) const;
  /// The Set-Cookie value that makes a browser forget the cookie.
  [[nodiscard]] std::string_view deletion(Arena& arena, Channel channel) const;

 private:
  std::string name_;
  std::array<std::string, 2> attributes_;  ///< by Channel
  std::array<std::string, 2> deletion_;
};

/// Makes sure that no shared cache keeps a response that sets a cookie: `public` and `s-maxage` are
/// taken out of Cache-Control, and `private` is added unless it or `no-store` stands there. A
/// browser's own cache is not concerned.
void keep_from_shared_caches(HeaderList& response_fields);

}  // namespace limpet::affinity
