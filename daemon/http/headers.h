// SPDX-License-Identifier: Apache-2.0
#pragma once
// HeaderList: the fields of one head or trailer section, in order, in one arena. Names are lower
// case; names that limpet has a use for carry a FieldName, so that looking one up compares a byte.
// Removing marks a field, nothing is shifted. Not a map, not an owner: everything in it lives as
// long as the arena. Neighbours: message.h, http1_parser.h.

#include <cstdint>
#include <span>
#include <string_view>

#include "daemon/base/arena.h"

namespace limpet {

/// The field names that limpet itself reads or writes; every other name is kOther.
enum class FieldName : std::uint8_t {
  kOther,
  kAccept,
  kAuthorization,
  kCacheControl,
  kConnection,
  kContentLength,
  kContentType,
  kCookie,
  kDate,
  kExpect,
  kForwarded,
  kHost,
  kKeepAlive,
  kLastEventId,
  kLimpetAffinity,
  kLocation,
  kMcpMethod,
  kMcpName,
  kMcpProtocolVersion,
  kMcpSessionId,
  kOrigin,
  kProxyConnection,
  kReferer,
  kRetryAfter,
  kServer,
  kSetCookie,
  kTe,
  kTraceparent,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kUserAgent,
  kVia,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedPort,
  kXForwardedProto,
  kXRealIp,
  kXRequestId,
  kArrDisableSessionAffinity,
  kHttp2Settings,
  kSecWebsocketKey,
  kSecWebsocketAccept,
  kLimpetIncarnation,
  kCount
};
static_assert(static_cast<int>(FieldName::kCount) <= 64, "HeaderList keeps one bit a name");

/// The lower-case spelling; empty for kOther.
[[nodiscard]] std::string_view spelling(FieldName name) noexcept;
/// The FieldName of a lower-case name, or kOther.
/// Cost: one switch on length and a compare.
[[nodiscard]] FieldName known_name(std::string_view lower_case) noexcept;

/// One field line.
/// Borrows: its texts, which live as long as the arena of its list.
class Field {
 public:
  static constexpr std::size_t kSeparatorBytes = 2;  ///< ": ", and as much for CRLF

  FieldName id = FieldName::kOther;

  /// Whether it is to be treated as if it were not there; HeaderList::remove() makes it so.
  [[nodiscard]] bool is_removed() const noexcept { return is_removed_; }
  /// Makes it a field of two texts. Both of these are for fields that are not committed yet.
  void set(FieldName name_id, std::string_view name, std::string_view value) noexcept {
    name_data_ = name.data();
    name_bytes_ = static_cast<std::uint16_t>(name.size());
    id = name_id;
    replace_value(value);
    begin(Form::kParts);
  }
  /// Makes it a field that is written out already: `line` is its lower-case name, ": ", its value
  /// and CRLF, side by side.
  [[gnu::always_inline]] void set_line(FieldName name_id, const char* line, std::size_t name_bytes,
                                       std::size_t value_bytes) noexcept {
    name_data_ = line;
    value_data_ = line + name_bytes + kSeparatorBytes;
    value_bytes_ = static_cast<std::uint32_t>(value_bytes);
    name_bytes_ = static_cast<std::uint16_t>(name_bytes);
    id = name_id;
    begin(Form::kLine);
  }
  [[nodiscard]] std::string_view name() const noexcept { return {name_data_, name_bytes_}; }
  [[nodiscard]] std::string_view value() const noexcept { return {value_data_, value_bytes_}; }
  /// Whether line() is what to send, if it is to be sent: the HTTP/1 writer copies runs of such
  /// fields in one piece.
  [[nodiscard]] bool is_line() const noexcept { return is_line_; }
  /// The whole line, with its CRLF; only where is_line().
  [[nodiscard]] std::string_view line() const noexcept { return {name_data_, line_bytes()}; }
  /// What it takes as a line of HTTP/1.
  [[nodiscard]] std::size_t line_bytes() const noexcept {
    return name_bytes_ + std::size_t{value_bytes_} + 2 * kSeparatorBytes;
  }

 private:
  friend class HeaderList;  // which counts the bytes of a value that is replaced
  enum class Form : std::uint8_t { kParts, kLine };

  void replace_value(std::string_view value) noexcept {
    value_data_ = value.data();
    value_bytes_ = static_cast<std::uint32_t>(value.size());
    is_line_ = false;
  }

  // One store.
  void begin(Form form) noexcept {
    is_removed_ = false;
    is_line_ = form == Form::kLine;
    unused_ = 0;
  }

  bool is_removed_ : 1 = false;
  bool is_line_ : 1 = false;
  std::uint8_t unused_ : 6 = 0;
  std::uint16_t name_bytes_ = 0;
  std::uint32_t value_bytes_ = 0;
  const char* name_data_ = nullptr;
  const char* value_data_ = nullptr;
};

/// Ordered fields.
/// Borrows: the arena, and every text given to add() (already in the arena or static).
class HeaderList {
 public:
  static constexpr std::uint16_t kFirstCapacity = 24;

  explicit HeaderList(Arena& arena) noexcept : arena_(&arena) {}

  /// Appends a field; the texts are borrowed, so they must live as long as the arena.
  void add(FieldName id, std::string_view name, std::string_view value) {
    append(id, name.size() + value.size() + 2 * Field::kSeparatorBytes).set(id, name, value);
  }
  void add(FieldName id, std::string_view value) { add(id, spelling(id), value); }
  /// Appends a field that is already written out: `line` is exactly its lower-case name of
  /// `name_bytes`, ": ", its value and CRLF; borrowed as in add().
  [[gnu::always_inline]] void add_line(FieldName id, std::string_view line,
                                       std::size_t name_bytes) {
    append(id, line.size())
        .set_line(id, line.data(), name_bytes,
                  line.size() - name_bytes - 2 * Field::kSeparatorBytes);
  }
  /// Appends a field by any lower-case name; both texts are copied into the arena.
  void add_copy(std::string_view lower_case_name, std::string_view value);
  /// Removes every field of that name, then appends this one (value borrowed).
  void set(FieldName id, std::string_view value) {
    remove(id);
    add(id, value);
  }

  /// Room for `count` more fields, to be filled from the first on and then committed.
  [[nodiscard]] Field* reserve(std::size_t count) {
    while (static_cast<std::size_t>(capacity_ - count_) < count)
      [[unlikely]] grow();
    return fields_ + count_;
  }
  /// Uses `count` fields at `place`, in the arena, before it takes more; for an empty list.
  void lend(Field* place, std::uint16_t count) noexcept {
    fields_ = run_end_ = place;
    capacity_ = count;
  }
  /// A list of the same fields with the same texts, in the same arena, whatever becomes of this
  /// one.
  [[nodiscard]] HeaderList copy() const;
  /// Takes in `count` of the fields reserved; `present` holds the bit of each one's id, and their
  /// lines take `line_bytes` at most.
  void commit(std::size_t count, std::uint64_t present, std::size_t line_bytes) noexcept {
    count_ = static_cast<std::uint16_t>(count_ + count);
    present_ |= present;
    line_bytes_ += static_cast<std::uint32_t>(line_bytes);
  }
  /// The same of fields whose lines stand side by side in memory, for an empty list.
  void commit_run(std::size_t count, std::uint64_t present, std::size_t line_bytes) noexcept {
    commit(count, present, line_bytes);
    run_end_ = fields_ + count_;
  }
  /// Those of commit_run(), up to the first that was removed or changed since: to be sent as they
  /// came, in one piece.
  [[nodiscard]] std::span<const Field> run() const noexcept { return {fields_, run_end_}; }
  /// Gives `field`, one of this list, another value, borrowed; it is no longer the line that it was
  /// made from.
  void replace(Field& field, std::string_view value) noexcept {
    field.replace_value(value);
    end_run_at(field);
    line_bytes_ += static_cast<std::uint32_t>(value.size());
  }
  /// What all fields take as lines of HTTP/1 at most: removed ones count as well.
  [[nodiscard]] std::size_t line_bytes() const noexcept { return line_bytes_; }
  /// A name's place in a set of names.
  [[nodiscard]] static constexpr std::uint64_t bit(FieldName id) noexcept {
    return std::uint64_t{1} << static_cast<unsigned>(id);
  }
  /// False is certain, true means that perhaps one of the set is there (removed fields count).
  [[nodiscard]] bool may_have_any(std::uint64_t names) const noexcept {
    return (present_ & names) != 0;
  }

  /// Removes `field`, one of this list.
  void remove(Field& field) noexcept {
    field.is_removed_ = true;
    end_run_at(field);
  }
  void remove(FieldName id) noexcept {
    if (may_have(id)) remove_present(id);
  }
  void remove(std::string_view lower_case_name) noexcept;

  /// The first field of that name, or null.
  [[gnu::always_inline]] [[nodiscard]] const Field* find(FieldName id) const noexcept {
    if ((present_ & bit(id)) == 0) return nullptr;
    return find_present(id);
  }
  [[nodiscard]] const Field* find(std::string_view lower_case_name) const noexcept;
  /// The value of the first field of that name, or empty.
  [[nodiscard]] std::string_view value(FieldName id) const noexcept {
    const Field* field = find(id);
    return field == nullptr ? std::string_view{} : field->value();
  }
  /// False is certain, true means perhaps (removed fields count).
  [[nodiscard]] bool may_have(FieldName id) const noexcept { return (present_ & bit(id)) != 0; }

  /// Every field, the removed ones among them: skip those with is_removed().
  [[nodiscard]] std::span<const Field> fields() const noexcept { return {fields_, count_}; }
  [[nodiscard]] std::span<Field> fields() noexcept { return {fields_, count_}; }
  [[nodiscard]] Arena& arena() const noexcept { return *arena_; }

 private:
  [[nodiscard]] const Field* find_present(FieldName id) const noexcept;
  [[gnu::noinline]] void remove_present(FieldName id) noexcept;
  [[gnu::always_inline]] [[nodiscard]] Field& append(FieldName id, std::size_t line_bytes) {
    if (count_ == capacity_) [[unlikely]]
      grow();
    present_ |= bit(id);
    line_bytes_ += static_cast<std::uint32_t>(line_bytes);
    return fields_[count_++];
  }
  void grow();
  void end_run_at(Field& field) noexcept {
    if (&field < run_end_) run_end_ = &field;
  }

  Arena* arena_;
  Field* fields_ = nullptr;
  Field* run_end_ = nullptr;
  std::uint64_t present_ = 0;
  std::uint16_t count_ = 0;
  std::uint16_t capacity_ = 0;
  std::uint32_t line_bytes_ = 0;
};

}  // namespace limpet
