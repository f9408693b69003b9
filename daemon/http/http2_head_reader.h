// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2HeadReader: makes a head or a trailer section of the fields that a field block brings one
// by one: bounds, pseudo-header fields, Host, cookie crumbs, and what HTTP/1 heads mean as well.
// What RFC 9113 section 8.2 and 8.3 forbid at first sight, the library has refused before.
// Neighbours: http2_codec_read.cc feeds it; framing.h, authority.h and hop_by_hop.h judge for both
// versions.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/http/message.h"
#include "daemon/http/refusal.h"
#include "daemon/http/stream_event.h"

namespace limpet {

/// Whether the field block was the last frame of its message.
enum class EndOfStream : std::uint8_t { kNo, kYes };

/// What the fields of one message were charged; its trailers live on what is left.
struct FieldCharge {
  std::uint32_t bytes = 0;  ///< name + value + 32 a field, crumbs and :authority among them
  std::uint16_t fields = 0;
};

/// The field block under way: a connection has one at a time (RFC 9113 section 4.3).
class Http2HeadReader {
 public:
  explicit Http2HeadReader(const CodecLimits& limits) noexcept : limits_(&limits) {}

  /// Begins a section; its memory comes from `arena`.
  void begin_request(Arena& arena);
  void begin_response(Arena& arena);
  void begin_trailers(Arena& arena, FieldCharge head);
  /// Begins a section that nobody wants.
  void begin_nothing() noexcept { section_ = Section::kNothing; }

  /// Takes in the next field; its texts are copied. Returns false where the section is so far
  /// beyond its bounds that reading on would be work for nothing.
  [[nodiscard]] bool add(std::string_view name, std::string_view value);

  /// The section is complete. A refused head is not to be used.
  [[nodiscard]] Refusal finish_request(EndOfStream end, RequestHead*& head);
  /// `method` is the request's; `wants_websocket` whether it was an extended CONNECT.
  enum class Asked : std::uint8_t { kMessage, kWebsocket };
  [[nodiscard]] Refusal finish_response(Method method, Asked asked, EndOfStream end,
                                        ResponseHead*& head);
  /// `trailers` becomes null where no field is left that may stand there.
  [[nodiscard]] Refusal finish_trailers(HeaderList*& trailers);

  /// Of the request head, refused or not.
  [[nodiscard]] Method request_method() const noexcept { return request_->method; }
  [[nodiscard]] FieldCharge charge() const noexcept { return charge_; }
  /// Whether the client said how urgent the response is (RFC 9218 section 5).
  [[nodiscard]] bool has_priority() const noexcept { return has_priority_; }

 private:
  enum class Section : std::uint8_t { kNothing, kRequest, kResponse, kTrailers };

  void begin(Arena& arena, HeaderList& fields, Section section);
  [[nodiscard]] bool add_pseudo(std::string_view name, std::string_view value);
  void add_authority(std::string_view value);
  void add_regular(FieldName id, std::string_view name, std::string_view value);
  void add_host(std::string_view value);
  [[nodiscard]] bool charge_field(std::string_view name, std::string_view value) noexcept;
  [[nodiscard]] char* room_for(std::size_t bytes);
  [[nodiscard]] std::string_view keep(std::string_view text);
  void refuse(Refusal refusal) noexcept {
    if (!refusal_.is_refused()) refusal_ = refusal;
  }
  void close_text() noexcept;
  void join_cookies();
  [[nodiscard]] Refusal read_request_line();
  [[nodiscard]] Refusal read_request_meaning(EndOfStream end);

  const CodecLimits* limits_;
  Arena* arena_ = nullptr;
  RequestHead* request_ = nullptr;
  ResponseHead* response_ = nullptr;
  HeaderList* fields_ = nullptr;
  char* text_ = nullptr;  ///< where the next text goes
  char* text_end_ = nullptr;
  std::size_t room_after_ = 0;  ///< of the arena, when the text's room was taken
  std::string_view path_;
  std::string_view protocol_;
  std::uint16_t cookies_ = 0;
  FieldCharge charge_;
  Section section_ = Section::kNothing;
  bool has_priority_ = false;
  Refusal refusal_;
};

}  // namespace limpet
