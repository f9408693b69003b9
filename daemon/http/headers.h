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
struct Field {
  const char* name_data = nullptr;
  const char* value_data = nullptr;
  std::uint32_t value_bytes = 0;
  std::uint16_t name_bytes = 0;
  FieldName id = FieldName::kOther;
  bool is_removed : 1 = false;
  bool is_line : 1 = false;  ///< what name_data points to went on as ": value" CRLF when the field
                             ///< was made; two bytes behind the value are readable. The HTTP/1
                             ///< writer copies runs of such fields in one piece.
  std::uint8_t unused : 6 = 0;

  enum class Form : std::uint8_t { kParts, kLine };
  /// Begins a field that is not removed; one store.
  void mark(Form form) noexcept {
    is_removed = false;
    is_line = form == Form::kLine;
    unused = 0;
  }

  [[nodiscard]] std::string_view name() const noexcept { return {name_data, name_bytes}; }
  [[nodiscard]] std::string_view value() const noexcept { return {value_data, value_bytes}; }
};

/// Ordered fields.
/// Borrows: the arena, and every text given to add() (already in the arena or static).
class HeaderList {
 public:
  static constexpr std::uint16_t kFirstCapacity = 24;

  explicit HeaderList(Arena& arena) noexcept : arena_(&arena) {}

  /// Appends a field; the texts are borrowed, so they must live as long as the arena.
  void add(FieldName id, std::string_view name, std::string_view value) {
    Field& field = append(id);
    field.name_data = name.data();
    field.name_bytes = static_cast<std::uint16_t>(name.size());
    field.value_data = value.data();
    field.value_bytes = static_cast<std::uint32_t>(value.size());
    field.mark(Field::Form::kParts);
  }
  void add(FieldName id, std::string_view value) { add(id, spelling(id), value); }
  /// Appends a field that is already written out: `line` is exactly its lower-case name of
  /// `name_bytes`, ": ", its value and CRLF; borrowed as in add().
  [[gnu::always_inline]] void add_line(FieldName id, std::string_view line,
                                       std::size_t name_bytes) {
    Field& field = append(id);
    field.name_data = line.data();
    field.name_bytes = static_cast<std::uint16_t>(name_bytes);
    field.value_data = line.data() + name_bytes + 2;
    field.value_bytes = static_cast<std::uint32_t>(line.size() - name_bytes - 4);
    field.mark(Field::Form::kLine);
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
    fields_ = place;
    capacity_ = count;
  }
  /// Takes in `count` of the fields reserved; `present` holds the bit of each one's id.
  void commit(std::size_t count, std::uint64_t present) noexcept {
    count_ = static_cast<std::uint16_t>(count_ + count);
    present_ |= present;
  }
  /// A name's place in a set of names.
  [[nodiscard]] static constexpr std::uint64_t bit(FieldName id) noexcept {
    return std::uint64_t{1} << static_cast<unsigned>(id);
  }
  /// False is certain, true means that perhaps one of the set is there (removed fields count).
  [[nodiscard]] bool may_have_any(std::uint64_t names) const noexcept {
    return (present_ & names) != 0;
  }

  void remove(FieldName id) noexcept;
  void remove(std::string_view lower_case_name) noexcept;

  /// The first field of that name, or null.
  [[nodiscard]] const Field* find(FieldName id) const noexcept {
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

  /// Every field, the removed ones among them: skip those with is_removed.
  [[nodiscard]] std::span<const Field> fields() const noexcept { return {fields_, count_}; }
  [[nodiscard]] std::span<Field> fields() noexcept { return {fields_, count_}; }
  [[nodiscard]] Arena& arena() const noexcept { return *arena_; }

 private:
  [[nodiscard]] const Field* find_present(FieldName id) const noexcept;
  [[gnu::always_inline]] [[nodiscard]] Field& append(FieldName id) {
    if (count_ == capacity_) [[unlikely]]
      grow();
    present_ |= bit(id);
    Field& field = fields_[count_++];
    field.id = id;
    return field;
  }
  void grow();

  Arena* arena_;
  Field* fields_ = nullptr;
  std::uint64_t present_ = 0;
  std::uint16_t count_ = 0;
  std::uint16_t capacity_ = 0;
};

}  // namespace limpet
