// SPDX-License-Identifier: Apache-2.0
#pragma once
// http2_head_writer: what a HEADERS frame says: pseudo-header fields first, nothing that speaks of
// one connection, lengths as the frames will bear them out. The library is told of the head, not of
// its fields: these are put in when it has made the frame (Http2Session::stage()), which is at
// once, so that texts are not copied. Neighbours: http2_codec_write.cc calls it,
// http2_field_encoder.h makes octets.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/base/buffer.h"
#include "daemon/http/http2_field_encoder.h"
#include "daemon/http/message.h"

namespace limpet {

struct Http2Session;
struct Http2Stream;

/// The fields of one block.
/// Borrows: their texts.
class FieldBlock {
 public:
  using Pseudo = Http2FieldEncoder::Pseudo;

  FieldBlock() = default;
  /// Trailers in the form of keep_trailers().
  explicit FieldBlock(std::string_view kept) noexcept : kept_(kept) {}

  void add(Pseudo name, std::string_view value) noexcept {
    pseudo_[pseudo_count_++] = {name, value};
  }
  /// Follows the pseudo-header fields; `skipped` are names that are not sent.
  void add_list(const HeaderList& list, std::uint64_t skipped) noexcept {
    list_ = &list;
    skipped_ = skipped;
  }
  /// Follow the list.
  void add_length(std::string_view value) noexcept { length_ = value; }
  void add_te() noexcept { has_te_ = true; }

  /// What they take at the most.
  [[nodiscard]] std::size_t bytes_max() const noexcept;
  /// Writes them; returns where they end.
  [[nodiscard]] char* put(char* at, Http2FieldEncoder& encoder) const noexcept;

 private:
  struct Said {
    Pseudo name;
    std::string_view value;
  };
  static constexpr std::size_t kPseudoMax = 5;

  std::array<Said, kPseudoMax> pseudo_;  // NOLINT: filled by add()
  std::size_t pseudo_count_ = 0;
  const HeaderList* list_ = nullptr;
  std::uint64_t skipped_ = 0;
  std::string_view length_;
  std::string_view kept_;
  bool has_te_ = false;
};

/// Whether a head ends its half of the stream.
enum class HeadEnds : std::uint8_t { kHalf, kNothing };

/// Returns the stream's number, 0 where the library takes no stream.
[[nodiscard]] std::uint32_t submit_request(Http2Session& session, Http2Stream& stream,
                                           const RequestHead& head);
/// `status` is said instead of the head's own.
void submit_response(Http2Session& session, Http2Stream& stream, const ResponseHead& head,
                     std::uint16_t status, HeadEnds ends);
void submit_informational(Http2Session& session, const Http2Stream& stream,
                          const ResponseHead& head);
/// Ends the half with `trailers`.
void submit_trailers(Http2Session& session, const Http2Stream& stream, const HeaderList& trailers);

/// Copies trailers to where they can wait for the body before them.
void keep_trailers(const HeaderList& trailers, Buffer& kept);
/// Ends the half with the trailers that waited; they wait still, for their frame.
void submit_kept_trailers(Http2Session& session, const Http2Stream& stream);

}  // namespace limpet
