// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/authority.h"

#include <array>
#include <cstdint>
#include <cstring>

#include <arpa/inet.h>

#include "daemon/base/text.h"
#include "daemon/http/char_class.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace limpet {

namespace {

#if defined(__SSE2__)
constexpr std::size_t kBlock = 16;

// A text of 4 to 16 bytes in one block; what is short is filled up with its own bytes again, which
// changes no answer to "are all of them ...".
[[nodiscard]] inline __m128i filled_block(const char* text, std::size_t length) noexcept {
  if (length >= 8) {
    const __m128i start = _mm_loadu_si64(text);
    return _mm_unpacklo_epi64(start, _mm_loadu_si64(text + length - 8));
  }
  const __m128i start = _mm_loadu_si32(text);
  const __m128i both = _mm_unpacklo_epi32(start, _mm_loadu_si32(text + length - 4));
  return _mm_unpacklo_epi64(both, both);
}

[[nodiscard]] inline __m128i loaded_block(const char* text) noexcept {
  __m128i block;
  std::memcpy(&block, text, kBlock);
  return block;
}

// 0xff for each byte in [first, last].
[[nodiscard]] inline __m128i between(__m128i block, char first, char last) noexcept {
  const __m128i from_first = _mm_sub_epi8(block, _mm_set1_epi8(first));
  return _mm_cmpeq_epi8(_mm_min_epu8(from_first, _mm_set1_epi8(static_cast<char>(last - first))),
                        from_first);
}

[[nodiscard]] inline bool is_target_block(__m128i block) noexcept {
  const __m128i hash = _mm_cmpeq_epi8(block, _mm_set1_epi8('#'));
  return _mm_movemask_epi8(_mm_andnot_si128(hash, between(block, '!', '~'))) == 0xffff;
}

[[nodiscard]] inline bool has_question_mark(__m128i block) noexcept {
  return _mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8('?'))) != 0;
}

// Letters, digits, "-" and "."; the "/" between them in ASCII is left out by hand.
[[nodiscard]] inline bool is_plain_host_block(__m128i block) noexcept {
  const __m128i letter = between(_mm_or_si128(block, _mm_set1_epi8(0x20)), 'a', 'z');
  const __m128i slash = _mm_cmpeq_epi8(block, _mm_set1_epi8('/'));
  const __m128i other = _mm_andnot_si128(slash, between(block, '-', '9'));
  return _mm_movemask_epi8(_mm_or_si128(letter, other)) == 0xffff;
}
#endif

// What a glance at a request target tells.
struct TargetGlance {
  bool is_allowed;  // visible ASCII without "#"; RFC 3986 is stricter, but browsers send "|", "{"
  bool may_have_query;  // false is certain
};

[[nodiscard]] inline TargetGlance glance_at(std::string_view target) noexcept {
#if defined(__SSE2__)
  if (target.size() >= 4 && target.size() <= kBlock) {
    const __m128i block = filled_block(target.data(), target.size());
    return {is_target_block(block), has_question_mark(block)};
  }
  if (target.size() > kBlock) {
    const std::size_t last = target.size() - kBlock;
    for (std::size_t at = 0; at < last; at += kBlock) {
      if (!is_target_block(loaded_block(target.data() + at))) return {false, true};
    }
    return {is_target_block(loaded_block(target.data() + last)), true};
  }
#endif
  return {chars::are_all(target, chars::kTarget), true};
}

// Whether `host` is a name or IPv4 address without any of the rarer characters of a reg-name. False
// means: look closely.
[[nodiscard]] inline bool is_plain_host([[maybe_unused]] std::string_view host) noexcept {
#if defined(__SSE2__)
  return host.size() >= 4 && host.size() <= kBlock &&
         is_plain_host_block(filled_block(host.data(), host.size()));
#else
  return false;
#endif
}

[[nodiscard]] bool is_ip_literal(std::string_view inside) noexcept {
  if (!inside.empty() && (inside.front() | 0x20) == 'v') {
    // IPvFuture = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
    std::string_view rest = inside.substr(1);
    const std::string_view version = text::cut(rest, '.');
    if (version.empty() || rest.empty() || !chars::are_all(version, chars::kHexDigit)) return false;
    for (const char c : rest) {
      if (c != ':' && !chars::is(c, chars::kRegName)) return false;
    }
    return true;
  }
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (inside.empty() || inside.size() >= terminated.size()) return false;
  std::memcpy(terminated.data(), inside.data(), inside.size());
  in6_addr address{};
  return inet_pton(AF_INET6, terminated.data(), &address) == 1;
}

// The length of the reg-name at the start of `text`, or npos where a percent sign has no two digits
// behind it.
[[nodiscard]] std::size_t reg_name_bytes(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    if (chars::is(text[at], chars::kRegName)) {
      ++at;
    } else if (text[at] == '%') {
      if (text.size() - at < 3 || !chars::are_all(text.substr(at + 1, 2), chars::kHexDigit)) {
        return std::string_view::npos;
      }
      at += 3;
    } else {
      break;
    }
  }
  return at;
}

[[nodiscard]] bool is_port(std::string_view port) noexcept {
  constexpr std::size_t kDigitsMax = 5;
  constexpr unsigned kPortMax = 65535;
  if (port.size() > kDigitsMax) return false;
  unsigned value = 0;
  for (const char c : port) {
    if (!text::is_digit(c)) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= kPortMax;
}

// Path and query of head.target.
[[gnu::noinline]] void split_path(RequestHead& head) noexcept {
  head.path = head.target;
  const std::size_t mark = head.target.find('?');
  if (mark == std::string_view::npos) return;
  head.path = head.target.substr(0, mark);
  head.query = head.target.substr(mark + 1);
}

[[gnu::noinline]] [[nodiscard]] bool is_authority(std::string_view text) noexcept {
  Authority parsed;
  return parse_authority(text, parsed);
}

// The one Host field, or null for HTTP/1.0 without it.
[[nodiscard]] Refusal find_host(RequestHead& head, Field*& host) noexcept {
  for (Field& field : head.fields.fields()) {
    if (field.id != FieldName::kHost) continue;
    if (host != nullptr) return bad("RFC 9112 section 3.2: more than one Host field");
    host = &field;
  }
  if (host == nullptr) {
    return head.version == HttpVersion::kHttp10 ? Refusal{}
                                                : bad("RFC 9112 section 3.2: no Host field");
  }
  const std::string_view value = host->value();
  if (is_plain_host(value) || value.empty() || is_authority(value)) return {};
  return bad("RFC 9112 section 3.2: invalid Host field");
}

// http://authority/path?query: what it says wins over Host (RFC 9112 section 3.2.2).
[[gnu::noinline]] [[nodiscard]] Refusal resolve_absolute(RequestHead& head, std::string_view target,
                                                         Field* host) {
  for (const std::string_view scheme : {std::string_view{"http"}, std::string_view{"https"}}) {
    if (text::starts_with_ignoring_case(target, scheme) &&
        target.substr(scheme.size()).starts_with("://")) {
      head.scheme = scheme;
    }
  }
  if (head.scheme.empty()) return bad("RFC 9112 section 3.2: target is neither path nor http URI");
  std::string_view rest = target.substr(head.scheme.size() + 3);
  const std::size_t authority_bytes = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, authority_bytes);
  rest.remove_prefix(authority.size());
  Authority parsed;
  if (!parse_authority(authority, parsed)) {
    return bad("RFC 9110 section 4.2: target URI with an invalid authority");
  }
  head.authority = authority;
  if (host == nullptr) {
    head.fields.add(FieldName::kHost, authority);
  } else {
    head.fields.replace(*host, authority);
  }
  if (rest.empty()) {
    // RFC 9112 section 3.2.4: OPTIONS of a URI without a path becomes "*".
    head.target = head.method == Method::kOptions ? "*" : "/";
  } else {
    head.target = rest.front() == '/' ? rest : head.fields.arena().join("/", rest);
  }
  split_path(head);
  return {};
}

[[gnu::noinline]] [[nodiscard]] Refusal resolve_connect(RequestHead& head,
                                                        std::string_view target) noexcept {
  Authority parsed;
  if (!parse_authority(target, parsed) || parsed.port.empty()) {
    return bad("RFC 9112 section 3.2.3: target of CONNECT is not host:port");
  }
  head.authority = target;
  return {};
}

}  // namespace

bool parse_authority(std::string_view text, Authority& parsed) noexcept {
  std::size_t host_bytes = text.size();
  while (host_bytes > 0 && text::is_digit(text[host_bytes - 1]))
    --host_bytes;
  host_bytes = host_bytes > 0 && text[host_bytes - 1] == ':' ? host_bytes - 1 : text.size();
  if (const std::string_view host{text.data(), host_bytes}; is_plain_host(host)) {
    parsed.host = host;
    parsed.port = host_bytes == text.size() ? std::string_view{} : text.substr(host_bytes + 1);
    return is_port(parsed.port);
  }
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || !is_ip_literal(text.substr(1, close - 1))) return false;
    host_bytes = close + 1;
  } else {
    host_bytes = reg_name_bytes(text);
    if (host_bytes == 0 || host_bytes == std::string_view::npos) return false;
  }
  parsed.host = text.substr(0, host_bytes);
  parsed.port = {};
  if (host_bytes == text.size()) return true;
  if (text[host_bytes] != ':') return false;
  parsed.port = text.substr(host_bytes + 1);
  return is_port(parsed.port);
}

Refusal resolve_target(RequestHead& head) {
  const std::string_view target = head.target;
  Field* host = nullptr;
  if (const Refusal refusal = find_host(head, host); refusal.is_refused()) return refusal;
  const TargetGlance glance = glance_at(target);
  if (!glance.is_allowed) return bad("RFC 9112 section 3.2: byte that no request target may hold");
  if (head.method == Method::kConnect) return resolve_connect(head, target);
  if (target.front() != '/') {
    if (target != "*") return resolve_absolute(head, target, host);
    if (head.method != Method::kOptions)
      return bad("RFC 9112 section 3.2.4: target * without OPTIONS");
  }
  if (host != nullptr) head.authority = host->value();
  if (head.authority.empty() && head.version != HttpVersion::kHttp10) {
    return bad("RFC 9110 section 4.2.1: empty Host field");
  }
  if (glance.may_have_query) {
    split_path(head);
  } else {
    head.path = head.target;
  }
  return {};
}

}  // namespace limpet
