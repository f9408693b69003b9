// SPDX-License-Identifier: Apache-2.0
#pragma once
// json: reading JSON one level at a time, as views of the text, and writing its strings. The home
// of the JSON library in this folder: the other rooms see members and raw values, never a document.
// What is read can be malformed in any way; the answer is then simply no.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace limpet::mcp {

enum class JsonKind : std::uint8_t { kObject, kArray, kText, kNumber, kBoolean, kNull };

/// One value of an array, or of a member.
struct JsonItem {
  JsonKind kind = JsonKind::kNull;
  std::string_view raw;  ///< as it stands in the text, without space around it
};
struct JsonMember {
  std::string key;  ///< without escapes
  JsonItem value;
};

/// The most members and items that one level may have.
inline constexpr std::size_t kJsonMembersMax = 256;
inline constexpr std::size_t kJsonItemsMax = 4096;

/// Reads the members of an object, in order; `members` is emptied first.
/// Errors: false for anything but one whole object in valid UTF-8, and where a key stands twice,
/// which two readers would read differently (RFC 8259 section 4). What is inside the values is not
/// checked before it is read itself. Cost: one pass over the text.
[[nodiscard]] bool read_members(std::string_view json, std::vector<JsonMember>& members);
/// Reads the items of an array in the same way.
[[nodiscard]] bool read_items(std::string_view json, std::vector<JsonItem>& items);
/// The value of the member of that name, or null.
[[nodiscard]] const JsonItem* find(const std::vector<JsonMember>& members,
                                   std::string_view key) noexcept;

/// The text that a raw string stands for, escapes resolved; nothing for other values.
[[nodiscard]] std::optional<std::string> text_of(const JsonItem& item);
/// The same of a member; empty where it is missing or no string.
[[nodiscard]] std::string text_of(const std::vector<JsonMember>& members, std::string_view key);
/// The whole number that a raw number stands for.
[[nodiscard]] std::optional<std::int64_t> number_of(const JsonItem& item) noexcept;

/// Whether two raw numbers or texts are one value, however each is written: 1 and 1.0, "\u0031" and
/// "1". A number is never a text. Cost: where they are written alike, or both plainly, a
/// comparison.
[[nodiscard]] bool is_same_value(std::string_view raw, std::string_view other);

/// Whether it is valid UTF-8.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;
/// Appends `text`, which is UTF-8, as a JSON string with its quotes.
void append_quoted(std::string& out, std::string_view text);

}  // namespace limpet::mcp
