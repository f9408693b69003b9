// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http1_parser.h"

#include <bit>
#include <cstring>

#include "daemon/base/text.h"
#include "daemon/http/char_class.h"
#include "daemon/http/field_names.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace limpet {

namespace {

constexpr std::size_t kBlock = 16;

// The first byte from `at` on that is a control, a HTAB or above 0x7f, or `size` where none is.
[[nodiscard]] inline std::size_t find_suspect(const char* data, std::size_t at,
                                              std::size_t size) noexcept {
#if defined(__SSE2__)
  const auto suspects_in = [](const char* block_at) {
    __m128i block;
    std::memcpy(&block, block_at, kBlock);
    // One up and signed: 0x7f turns negative like the bytes above it.
    const __m128i next = _mm_add_epi8(block, _mm_set1_epi8(1));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmplt_epi8(next, _mm_set1_epi8(0x21))));
  };
  for (; at + kBlock <= size; at += kBlock) {
    const unsigned suspects = suspects_in(data + at);
    if (suspects != 0) return at + static_cast<unsigned>(std::countr_zero(suspects));
  }
  if (size >= kBlock) {
    const std::size_t left = size - at;
    const unsigned suspects = suspects_in(data + size - kBlock) >> (kBlock - left);
    return suspects != 0 ? at + static_cast<unsigned>(std::countr_zero(suspects)) : size;
  }
#endif
  while (at < size && !chars::is(data[at], chars::kControl))
    ++at;
  return at;
}

[[nodiscard]] bool is_other_version(std::string_view version) noexcept {
  return version.substr(0, 5) == "HTTP/" && text::is_digit(version[5]) && version[6] == '.' &&
         text::is_digit(version[7]);
}

constexpr std::size_t kVersionBytes = 8;

[[nodiscard]] inline bool is_http11(const char* text) noexcept {
  return std::memcmp(text, "HTTP/1.1", kVersionBytes) == 0;
}

// `text` holds kVersionBytes at least.
[[nodiscard]] Refusal parse_version(const char* text, HttpVersion& version) noexcept {
  if (is_http11(text)) {
    version = HttpVersion::kHttp11;
    return {};
  }
  if (std::memcmp(text, "HTTP/1.0", kVersionBytes) == 0) {
    version = HttpVersion::kHttp10;
    return {};
  }
  if (is_other_version({text, kVersionBytes})) {
    return {Fault::kUnknownVersion, "RFC 9110 section 15.6.6: HTTP version other than 1.0 and 1.1"};
  }
  return bad("RFC 9112 section 2.3: malformed HTTP version");
}

[[nodiscard]] Refusal wrong_name(std::string_view line) noexcept {
  if (text::is_space(line.front())) return bad("RFC 9112 section 5.2: folded field line");
  if (line.front() == ':') return bad("RFC 9110 section 5.1: empty field name");
  std::size_t name_bytes = 0;
  while (name_bytes < line.size() && chars::is(line[name_bytes], chars::kToken))
    ++name_bytes;
  if (name_bytes == line.size()) return bad("RFC 9112 section 5: field line without a colon");
  if (text::is_space(line[name_bytes]))
    return bad("RFC 9112 section 5.1: white space before the colon");
  if (line[name_bytes] != ':') return bad("RFC 9110 section 5.1: field name is not a token");
  return {Fault::kFieldsTooLarge, "RFC 6585 section 5: field name too long"};
}

[[nodiscard]] constexpr bool is_visible(char c) noexcept {
  return static_cast<unsigned char>(c) > ' ';
}

// The value between a colon and its line's CR. One space in front and none behind is what everybody
// sends.
[[nodiscard]] inline std::string_view trimmed(const char* begin, const char* end) noexcept {
  if (*begin == ' ') ++begin;
  if (is_visible(*begin) && is_visible(end[-1])) [[likely]] {
    return {begin, static_cast<std::size_t>(end - begin)};
  }
  return begin < end ? text::trim({begin, static_cast<std::size_t>(end - begin)})
                     : std::string_view{end, 0};
}

}  // namespace

SectionScan::Outcome SectionScan::scan(std::string_view bytes, Section section,
                                       const SectionLimits& limits, LineEnds& ends,
                                       Refusal& refusal) noexcept {
  if (seen_ == 0) return run(bytes, section, limits, ends, refusal);
  const Outcome outcome = run(bytes, section, limits, ends, refusal);
  if (outcome != Outcome::kComplete) return outcome;
  // Line ends of earlier calls were not kept; one more pass over a head that came in pieces finds
  // them.
  reset();
  return run(bytes, section, limits, ends, refusal);
}

// Jumps from line end to line end; at anything else, or near a limit, judge() takes over byte by
// byte.
SectionScan::Outcome SectionScan::run(std::string_view bytes, Section section,
                                      const SectionLimits& limits, LineEnds& ends,
                                      Refusal& refusal) noexcept {
  const char* const data = bytes.data();
  const std::size_t size = bytes.size();
  const bool is_head = section == Section::kHead;
  const std::size_t lines_max = limits.fields + (is_head ? 1U : 0U);
  std::size_t line_start = line_start_;
  std::size_t lines = lines_;
  std::size_t at_max =
      is_head && lines == 0 ? limits.first_line_bytes : fields_start_ + limits.field_bytes;
  // The last byte seen before may be a CR whose LF was missing.
  std::size_t from = seen_ > line_start ? seen_ - 1 : line_start;
  for (;;) {
    const std::size_t at = find_suspect(data, from, size);
    if (at >= size) break;
    if (data[at] != '\r') {
      if (chars::is(data[at], chars::kControl)) break;
      from = at + 1;
      continue;
    }
    if (at > at_max || at + 1 == size || data[at + 1] != '\n') break;
    if (at == line_start) {
      ends.count = lines;
      seen_ = static_cast<std::uint32_t>(at + 2);
      return Outcome::kComplete;
    }
    // A reload may have lowered the limit below what is there already.
    if (lines >= lines_max) break;
    ends.at[lines] = static_cast<std::uint32_t>(at);
    from = line_start = at + 2;
    if (lines++ == 0 && is_head) {
      fields_start_ = static_cast<std::uint32_t>(line_start);
      at_max = line_start + limits.field_bytes;
    }
  }
  line_start_ = static_cast<std::uint32_t>(line_start);
  lines_ = static_cast<std::uint32_t>(lines);
  return judge(bytes, section, limits, ends, refusal);
}

// The same, byte by byte from the start of the first line that is not complete, with the reason for
// every refusal.
SectionScan::Outcome SectionScan::judge(std::string_view bytes, Section section,
                                        const SectionLimits& limits, LineEnds& ends,
                                        Refusal& refusal) noexcept {
  for (std::size_t at = seen_ > line_start_ ? seen_ - 1 : line_start_; at < bytes.size(); ++at) {
    const char c = bytes[at];
    if (!chars::is(c, chars::kControl) || (c == '\r' && at + 1 == bytes.size())) continue;
    refusal = check_room(at, section, limits);
    if (refusal.is_refused()) return Outcome::kRefused;
    if (c != '\r' || bytes[at + 1] != '\n') {
      refusal = c == '\r'   ? bad("RFC 9112 section 2.2: CR without LF")
                : c == '\n' ? bad("RFC 9112 section 2.2: line ends in LF without CR")
                            : bad("RFC 9110 section 5.5: control character in a head");
      return Outcome::kRefused;
    }
    if (at == line_start_) {
      ends.count = lines_;
      seen_ = static_cast<std::uint32_t>(at + 2);
      return Outcome::kComplete;
    }
    ends.at[lines_] = static_cast<std::uint32_t>(at);
    line_start_ = static_cast<std::uint32_t>(++at + 1);
    if (lines_++ == 0 && section == Section::kHead) fields_start_ = line_start_;
  }
  seen_ = static_cast<std::uint32_t>(bytes.size());
  if (seen_ > line_start_) refusal = check_room(bytes.size() - 1, section, limits);
  return refusal.is_refused() ? Outcome::kRefused : Outcome::kIncomplete;
}

// Whether a line that reaches `at` is within bounds.
Refusal SectionScan::check_room(std::size_t at, Section section,
                                const SectionLimits& limits) const noexcept {
  if (section == Section::kHead && lines_ == 0) {
    if (at - line_start_ <= limits.first_line_bytes) return {};
    return {Fault::kTargetTooLong, "RFC 9112 section 3: request line too long"};
  }
  const std::size_t fields = lines_ - (section == Section::kHead ? 1U : 0U);
  if (at - fields_start_ > limits.field_bytes) {
    return {Fault::kFieldsTooLarge, "RFC 6585 section 5: field lines too large"};
  }
  // The line at hand is a field more, unless it is the empty one.
  if (at > line_start_ && fields >= limits.fields) {
    return {Fault::kFieldsTooLarge, "RFC 6585 section 5: too many field lines"};
  }
  return {};
}

Method method_of(std::string_view token) noexcept {
  const auto same = [token](const auto& name) {
    return std::memcmp(token.data(), name, sizeof(name) - 1) == 0;
  };
  switch (token.size()) {
    case 3:
      return same("GET") ? Method::kGet : same("PUT") ? Method::kPut : Method::kOther;
    case 4:
      return same("POST") ? Method::kPost : same("HEAD") ? Method::kHead : Method::kOther;
    case 5:
      return same("PATCH") ? Method::kPatch : same("TRACE") ? Method::kTrace : Method::kOther;
    case 6:
      return same("DELETE") ? Method::kDelete : Method::kOther;
    case 7:
      return same("OPTIONS")   ? Method::kOptions
             : same("CONNECT") ? Method::kConnect
                               : Method::kOther;
    default:
      return Method::kOther;
  }
}

Refusal parse_request_line(std::string_view line, RequestLine& parsed) noexcept {
  const bool is_get = line.size() >= 4 && std::memcmp(line.data(), "GET ", 4) == 0;
  std::size_t method_bytes = is_get ? 3 : 0;
  while (!is_get && method_bytes < line.size() && chars::is(line[method_bytes], chars::kToken))
    ++method_bytes;
  if (method_bytes == 0) return bad("RFC 9112 section 3.1: the method is not a token");
  // method SP target SP version, the target holding one byte at least
  if (line.size() < method_bytes + 3 + kVersionBytes) {
    return bad("RFC 9112 section 3: request line without target or version");
  }
  const std::size_t version_at = line.size() - kVersionBytes;
  if (line[method_bytes] != ' ' || line[version_at - 1] != ' ') {
    return bad("RFC 9112 section 3: request line is not method SP target SP version");
  }
  parsed.method_text = {line.data(), method_bytes};
  parsed.method = is_get ? Method::kGet : method_of(parsed.method_text);
  parsed.target = {line.data() + method_bytes + 1, version_at - method_bytes - 2};
  parsed.version = HttpVersion::kHttp11;
  if (is_http11(line.data() + version_at)) [[likely]]
    return {};
  return parse_version(line.data() + version_at, parsed.version);
}

Refusal parse_status_line(std::string_view line, StatusLine& parsed) noexcept {
  constexpr std::size_t kCodeAt = kVersionBytes + 1;
  constexpr std::size_t kReasonAt = kCodeAt + 3;
  if (line.size() < kReasonAt) return bad("RFC 9112 section 4: status line too short");
  parsed.version = HttpVersion::kHttp11;
  if (!is_http11(line.data())) [[unlikely]] {
    const Refusal refusal = parse_version(line.data(), parsed.version);
    if (refusal.is_refused()) return refusal;
  }
  const auto digit = [code = line.data() + kCodeAt](std::size_t i) {
    return static_cast<unsigned>(static_cast<unsigned char>(code[i])) - '0';
  };
  if (line[kVersionBytes] != ' ' || digit(0) > 9 || digit(1) > 9 || digit(2) > 9) {
    return bad("RFC 9112 section 4: status code is not three digits");
  }
  parsed.status = static_cast<std::uint16_t>(digit(0) * 100 + digit(1) * 10 + digit(2));
  if (parsed.status < 100 || parsed.status > 599) {
    return bad("RFC 9110 section 15: status code outside 100 to 599");
  }
  if (line.size() == kReasonAt) return {};
  if (line[kReasonAt] != ' ') return bad("RFC 9112 section 4: no space behind the status code");
  parsed.reason = {line.data() + kReasonAt + 1, line.size() - kReasonAt - 1};
  return {};
}

Refusal parse_fields(char* section, const LineEnds& ends, std::size_t first, HeaderList& fields,
                     std::size_t& charged_bytes) noexcept {
  constexpr std::size_t kFieldCharge = 32;
  const std::size_t count = ends.count - first;
  Field* const reserved = fields.reserve(count);
  const std::uint32_t* line_end = ends.at + first;
  char* line = first == 0 ? section : section + line_end[-1] + 2;
  std::uint64_t present = 0;
  std::size_t charged = 0;
  for (Field* field = reserved; field != reserved + count; ++field) {
    FieldName id = FieldName::kOther;
    const std::size_t name_bytes = read_field_name(line, id);
    char* const end = section + *line_end++;
    if (name_bytes == 0) return wrong_name({line, static_cast<std::size_t>(end - line)});
    const std::string_view value = trimmed(line + name_bytes + 1, end);
    // Whether the line is one that the writer may copy as it stands.
    const bool is_line = line[name_bytes + 1] == ' ' && value.data() == line + name_bytes + 2 &&
                         value.data() + value.size() == end;
    if (is_line) {
      field->set_line(id, line, name_bytes, value.size());
    } else {
      field->set(id, {line, name_bytes}, value);
    }
    present |= HeaderList::bit(id);
    charged += name_bytes + value.size();
    line = end + 2;
  }
  fields.commit(count, present, charged + count * 2 * Field::kSeparatorBytes);
  charged_bytes += charged + count * kFieldCharge;
  return {};
}

ChunkLine parse_chunk_line(std::string_view bytes, std::size_t line_bytes_max) noexcept {
  ChunkLine line;
  const auto refuse = [&line](const char* reason) {
    line.outcome = ChunkLine::Outcome::kRefused;
    line.reason = reason;
    return line;
  };
  std::size_t at = 0;
  for (; at < bytes.size() && chars::is(bytes[at], chars::kHexDigit); ++at) {
    if (at >= line_bytes_max) return refuse("RFC 9112 section 7.1: chunk size line too long");
    // The highest bit stays free, so that sums of sizes cannot wrap.
    if (line.data_bytes >> 59 != 0) return refuse("RFC 9112 section 7.1: chunk size overflows");
    line.data_bytes = line.data_bytes << 4 | chars::hex_value(bytes[at]);
  }
  if (at == bytes.size()) return line;
  if (at == 0) return refuse("RFC 9112 section 7.1: chunk size is not a hexadecimal number");
  if (bytes[at] == ';') {
    while (at < bytes.size() && !chars::is(bytes[at], chars::kControl)) {
      if (at++ >= line_bytes_max)
        return refuse("RFC 9112 section 7.1.1: chunk extensions too long");
    }
    if (at == bytes.size()) return line;
  }
  if (bytes[at] != '\r')
    return refuse("RFC 9112 section 7.1: chunk size line does not end in CRLF");
  if (at + 1 == bytes.size()) return line;
  if (bytes[at + 1] != '\n')
    return refuse("RFC 9112 section 7.1: chunk size line does not end in CRLF");
  line.outcome = ChunkLine::Outcome::kComplete;
  line.line_bytes = at + 2;
  return line;
}

}  // namespace limpet
