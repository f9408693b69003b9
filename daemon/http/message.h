// SPDX-License-Identifier: Apache-2.0
#pragma once
// RequestHead, ResponseHead: what every HTTP version says, without how it says it. Connection
// handling (keep-alive, chunking, hop-by-hop fields) stays in the codecs: a codec takes hop-by-hop
// fields out on the way in and writes its own on the way out.

#include <cstdint>
#include <string_view>

#include "daemon/http/headers.h"

namespace limpet {

enum class Method : std::uint8_t {
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kConnect,
  kOptions,
  kTrace,
  kPatch,
  kOther
};

/// Whether sending the request twice does what sending it once does (RFC 9110 section 9.2.2).
[[nodiscard]] constexpr bool is_idempotent(Method m) noexcept {
  return m != Method::kPost && m != Method::kPatch && m != Method::kConnect && m != Method::kOther;
}

enum class HttpVersion : std::uint8_t { kHttp10, kHttp11, kHttp2 };

/// How much body follows a head.
struct BodyLength {
  enum class Kind : std::uint8_t {
    kNone,     ///< no body, by rule or by Content-Length: 0
    kKnown,    ///< `bytes` of it
    kUnknown,  ///< ends by itself: chunked, close-delimited, END_STREAM
    kTunnel,   ///< after 101 or CONNECT: bytes both ways until one side ends
  };
  constexpr BodyLength() noexcept = default;
  constexpr BodyLength(Kind its_kind, std::uint64_t its_bytes) noexcept
      : kind(its_kind), bytes(its_bytes) {}

  Kind kind = Kind::kNone;
  /// kKnown: the head's Content-Length is just these bytes as a number is written, so that it can
  /// be sent on as it stands. Whoever gives a message another length makes a new BodyLength.
  bool is_told = false;
  std::uint64_t bytes = 0;
};

/// The head of a request.
/// Lifetime: that of the arena that holds it.
struct RequestHead {
  explicit RequestHead(Arena& arena) noexcept : fields(arena) {}

  Method method = Method::kOther;
  HttpVersion version = HttpVersion::kHttp11;
  bool expects_continue = false;  ///< Expect: 100-continue
  bool accepts_trailers = false;  ///< TE: trailers
  std::string_view method_text;
  std::string_view scheme;     ///< of an absolute target or :scheme; else empty
  std::string_view authority;  ///< of the absolute target, else Host; as sent, valid by RFC 3986;
                               ///< may be empty for HTTP/1.0
  std::string_view target;     ///< what goes to the replica, octet for octet: "/path?query" or "*"
  std::string_view path;       ///< of target, without the query; "*" for OPTIONS *
  std::string_view query;      ///< behind "?", or empty
  std::string_view upgrade;    ///< the protocol of a wanted upgrade ("websocket"), or empty
  BodyLength body;
  HeaderList fields;  ///< hop-by-hop fields are gone; Host is kept as a field for HTTP/1
};

/// The head of a response, informational ones among them.
struct ResponseHead {
  explicit ResponseHead(Arena& arena) noexcept : fields(arena) {}

  std::uint16_t status = 0;
  HttpVersion version = HttpVersion::kHttp11;
  std::string_view reason;   ///< as received, may be empty
  std::string_view upgrade;  ///< the protocol of a 101, or empty
  BodyLength body;
  HeaderList fields;
};

}  // namespace limpet
