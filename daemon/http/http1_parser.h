// SPDX-License-Identifier: Apache-2.0
#pragma once
// http1_parser: the grammar of RFC 9112 line by line: where a section ends, what a start line, a
// field line and a chunk line say. It knows no connection and no message: http1_codec_read.cc puts
// these together, framing.h says what the fields mean. Strict throughout: CRLF only, no folding, no
// guessing.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/http/headers.h"
#include "daemon/http/refusal.h"

namespace limpet {

/// Offsets of the CRs that end the lines of one section.
struct LineEnds {
  static constexpr std::size_t kFieldsMax = 1024;  ///< above any configured header_fields
  static constexpr std::size_t kMax = kFieldsMax + 2;

  // Not defaulted: `at` stays as it is, its 4 KiB need no clearing.
  LineEnds() noexcept {}  // NOLINT(modernize-use-equals-default)
  std::size_t count = 0;  ///< lines, the empty last one not among them
  std::uint32_t at[kMax];
};

/// What a section may hold.
struct SectionLimits {
  std::size_t first_line_bytes = 0;
  std::size_t field_bytes = 0;  ///< raw bytes of all field lines
  std::size_t fields = 0;
};

/// The search for the empty line that ends a head or a trailer section. It refuses control bytes
/// and line ends other than CRLF on its way, so that what comes behind it need not look for them,
/// and goes on where it stopped when more bytes are there.
class SectionScan {
 public:
  enum class Section : std::uint8_t { kHead, kTrailers };
  enum class Outcome : std::uint8_t { kIncomplete, kComplete, kRefused };

  /// Looks through `bytes`, which begin where those of the last call began.
  /// On kComplete `ends` is filled and section_bytes() says how long the section is; on kRefused
  /// `refusal` says why.
  [[nodiscard]] Outcome scan(std::string_view bytes, Section section, const SectionLimits& limits,
                             LineEnds& ends, Refusal& refusal) noexcept;
  /// Bytes seen of a section that is not complete, or the length of the complete one.
  [[nodiscard]] std::uint32_t section_bytes() const noexcept { return seen_; }
  void reset() noexcept { *this = SectionScan{}; }

 private:
  [[nodiscard]] Outcome run(std::string_view bytes, Section section, const SectionLimits& limits,
                            LineEnds& ends, Refusal& refusal) noexcept;
  [[nodiscard]] Outcome judge(std::string_view bytes, Section section, const SectionLimits& limits,
                              LineEnds& ends, Refusal& refusal) noexcept;
  [[nodiscard]] Refusal check_room(std::size_t at, Section section,
                                   const SectionLimits& limits) const noexcept;

  std::uint32_t seen_ = 0;
  std::uint32_t line_start_ = 0;
  std::uint32_t fields_start_ = 0;
  std::uint32_t lines_ = 0;
};

struct RequestLine {
  Method method = Method::kOther;
  HttpVersion version = HttpVersion::kHttp11;
  std::string_view method_text;
  std::string_view target;  ///< not judged yet: authority.h does
};
struct StatusLine {
  std::uint16_t status = 0;
  HttpVersion version = HttpVersion::kHttp11;
  std::string_view reason;
};

/// The Method of a token; names are case-sensitive.
[[nodiscard]] Method method_of(std::string_view token) noexcept;
/// RFC: 9112 section 3.
[[nodiscard]] Refusal parse_request_line(std::string_view line, RequestLine& parsed) noexcept;
/// RFC: 9112 section 4. The space behind the code may be missing together with the reason.
[[nodiscard]] Refusal parse_status_line(std::string_view line, StatusLine& parsed) noexcept;

/// Bytes that must be readable behind a section given to parse_fields().
inline constexpr std::size_t kSectionSlack = 16;

/// Reads field lines `first`… of the section copied to `section`, which a SectionScan found
/// complete; lowers the names in place and adds every field to `fields`, which borrows from the
/// copy. `charged_bytes` grows by name + value + 32 a field. RFC: 9112 section 5.
[[nodiscard]] Refusal parse_fields(char* section, const LineEnds& ends, std::size_t first,
                                   HeaderList& fields, std::size_t& charged_bytes) noexcept;

/// The size line of a chunk.
struct ChunkLine {
  enum class Outcome : std::uint8_t { kIncomplete, kComplete, kRefused };
  Outcome outcome = Outcome::kIncomplete;
  std::uint64_t data_bytes = 0;
  std::size_t line_bytes = 0;  ///< with its CRLF
  const char* reason = nullptr;
};
/// RFC: 9112 section 7.1. Extensions are skipped; `line_bytes_max` bounds the line without its
/// CRLF.
[[nodiscard]] ChunkLine parse_chunk_line(std::string_view bytes,
                                         std::size_t line_bytes_max) noexcept;

}  // namespace limpet
