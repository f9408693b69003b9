// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2FieldEncoder: makes octets of fields (HPACK, RFC 7541). What comes again is one or two of
// them, by the table that both sides keep; what is another value each time goes past the table.
// Texts are sent as they are: their Huffman code would save a fifth of what is in no table, for
// twice the work. Neighbours: http2_head_writer.h says which fields; reading is the library's.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/http/headers.h"
#include "daemon/http/http2_memory.h"

namespace limpet {

/// The writing side of one connection's compression.
/// Borrows: the connection's memory.
class Http2FieldEncoder {
 public:
  /// What is remembered of a field.
  enum class Keeping : std::uint8_t {
    kWhole,    ///< name and value
    kName,     ///< the value is another one each time
    kNothing,  ///< it is a secret, which no table may hold on any hop (RFC 7541 section 7.1.3)
  };
  /// Pseudo-header fields, by their places in the static table; 0 is none.
  enum class Pseudo : std::uint8_t {
    kProtocol = 0,
    kAuthority = 1,
    kMethod = 2,
    kPath = 4,
    kScheme = 6,
    kStatus = 8,
  };
  /// RFC 9113 section 6.5.2; limpet never keeps more.
  static constexpr std::uint32_t kTableBytes = 4096;
  /// What a field may take beside its texts, and a block beside its fields.
  static constexpr std::size_t kFieldBytesMax = 16;
  static constexpr std::size_t kBlockBytesMax = 16;

  explicit Http2FieldEncoder(Http2Memory& memory) noexcept : memory_(memory) {}
  Http2FieldEncoder(const Http2FieldEncoder&) = delete;
  Http2FieldEncoder& operator=(const Http2FieldEncoder&) = delete;
  ~Http2FieldEncoder();

  /// The peer keeps a table of so many bytes; the next block tells it what is made of that.
  void limit_table(std::uint32_t bytes) noexcept;

  // Each writes at `at`, where there is room, and returns where the next octet goes. Every block
  // that is begun must reach the peer, in the order they were begun.
  [[nodiscard]] char* begin_block(char* at) noexcept;
  [[nodiscard]] char* put(char* at, Pseudo name, std::string_view value) noexcept;
  /// `name` is in lower case, `id` what known_name() says of it.
  [[nodiscard]] char* put(char* at, FieldName id, std::string_view name,
                          std::string_view value) noexcept;

  /// Bytes of the table, as RFC 7541 section 4.1 counts them.
  [[nodiscard]] std::uint32_t table_bytes() const noexcept { return table_bytes_; }

 private:
  static constexpr std::size_t kBuckets = 32;

  struct Entry {
    std::uint32_t name_hash;
    std::uint32_t value_hash;
    std::uint32_t text_at;  ///< counted from the first text there ever was
    std::uint16_t name_bytes;
    std::uint16_t value_bytes;
    std::uint16_t older;  ///< the number of the one before it in its bucket
    FieldName id;
  };
  struct Subject {
    FieldName id;
    std::string_view name;
    std::string_view value;
    std::uint32_t name_hash;
    std::uint32_t value_hash;
  };
  /// Places as in RFC 7541 section 2.3.3; 0 is none.
  struct Found {
    std::uint32_t whole = 0;
    std::uint32_t name = 0;
  };

  [[nodiscard]] char* put_kept(char* at, std::uint32_t static_place, Keeping keeping,
                               const Subject& subject) noexcept;
  [[nodiscard]] static bool has_name(const Entry& one, const char* text,
                                     const Subject& subject) noexcept;
  [[nodiscard]] Found find(const Subject& subject) const noexcept;
  [[nodiscard]] const char* text_of(const Entry& entry) const noexcept {
    return texts_ + (entry.text_at - texts_from_);
  }
  [[nodiscard]] Entry& entry(std::uint32_t number) const noexcept {
    return entries_[number & (entries_room_ - 1)];
  }
  [[nodiscard]] bool fits(const Subject& subject) const noexcept;
  [[nodiscard]] bool remember(const Subject& subject) noexcept;
  [[nodiscard]] bool make_room_for_entry() noexcept;
  [[nodiscard]] bool make_room_for_text(std::size_t bytes) noexcept;
  void shrink_to(std::uint32_t bytes) noexcept;

  Http2Memory& memory_;
  Entry* entries_ = nullptr;  ///< a ring, by number
  char* texts_ = nullptr;     ///< oldest first
  std::uint32_t next_ = 1;    ///< the number of the next entry
  std::uint32_t texts_from_ =
      0;  ///< where texts_ begins, those that are gone from its front counted
  std::uint32_t texts_begin_ = 0;
  std::uint32_t texts_end_ = 0;
  std::uint32_t texts_room_ = 0;
  std::uint32_t table_bytes_ = 0;
  std::uint32_t limit_ = kTableBytes;
  std::uint32_t lowest_limit_ = kTableBytes;  ///< since the last block
  std::uint16_t count_ = 0;
  std::uint16_t entries_room_ = 0;
  bool is_limit_news_ = false;
  std::array<std::uint16_t, kBuckets> newest_{};  ///< numbers, by the hash of the name
};

}  // namespace limpet
