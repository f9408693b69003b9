// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/json.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <simdjson.h>

namespace limpet::mcp {

namespace {

namespace ondemand = simdjson::ondemand;

// A parser and a padded copy of the text, used again by every reading of a thread. Large texts are
// rare: their memory is given back.
struct Scratch {
  static constexpr std::size_t kHeldBytes = 256 * 1024;

  ondemand::parser parser;
  std::string copy;

  simdjson::padded_string_view load(std::string_view json) {
    copy.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    copy.assign(json);
    return simdjson::padded_string_view(copy.data(), json.size(), copy.capacity());
  }
  void leave() {
    if (copy.capacity() <= kHeldBytes) return;
    copy = std::string();
    parser = ondemand::parser();
  }
};

Scratch& scratch() {
  thread_local Scratch held;
  return held;
}

std::string_view without_space(std::string_view raw) noexcept {
  while (!raw.empty() && std::string_view(" \t\r\n").find(raw.back()) != std::string_view::npos)
    raw.remove_suffix(1);
  return raw;
}

// Reads the value and says where its text is in the copy.
bool read_value(ondemand::value value, JsonItem& item) {
  ondemand::json_type type{};
  if (value.type().get(type) != simdjson::SUCCESS) return false;
  switch (type) {
    case ondemand::json_type::object: {
      ondemand::object object;
      item.kind = JsonKind::kObject;
      return value.get_object().get(object) == simdjson::SUCCESS &&
             object.raw_json().get(item.raw) == simdjson::SUCCESS;
    }
    case ondemand::json_type::array: {
      ondemand::array array;
      item.kind = JsonKind::kArray;
      return value.get_array().get(array) == simdjson::SUCCESS &&
             array.raw_json().get(item.raw) == simdjson::SUCCESS;
    }
    case ondemand::json_type::string: {
      item.kind = JsonKind::kText;
      item.raw = value.raw_json_token();
      std::string_view unescaped;
      return value.get_string().get(unescaped) == simdjson::SUCCESS;
    }
    case ondemand::json_type::number: {
      item.kind = JsonKind::kNumber;
      item.raw = value.raw_json_token();
      double number = 0;
      return value.get_double().get(number) == simdjson::SUCCESS;
    }
    case ondemand::json_type::boolean: {
      item.kind = JsonKind::kBoolean;
      item.raw = value.raw_json_token();
      bool flag = false;
      return value.get_bool().get(flag) == simdjson::SUCCESS;
    }
    case ondemand::json_type::null:
      item.kind = JsonKind::kNull;
      item.raw = value.raw_json_token();
      return without_space(item.raw) == "null";
  }
  return false;
}

// Views of the copy become views of the caller's text.
void move_view(std::string_view& view, const std::string& copy, std::string_view json) noexcept {
  view =
      without_space(json.substr(static_cast<std::size_t>(view.data() - copy.data()), view.size()));
}

// A number as its digits, without zeros at either end, and the power of ten behind them; so that
// all ways of writing one value come out alike, however large it is.
struct Decimal {
  std::string digits;  // empty: zero
  std::int64_t power = 0;
  bool is_negative = false;

  friend bool operator==(const Decimal&, const Decimal&) = default;
};

Decimal decimal_of(std::string_view raw) {
  Decimal number;
  number.is_negative = raw.starts_with('-');
  if (number.is_negative) raw.remove_prefix(1);
  const std::size_t mark = std::min(raw.find_first_of("eE"), raw.size());
  std::string_view exponent = raw.substr(mark);
  if (!exponent.empty()) exponent.remove_prefix(1);
  if (exponent.starts_with('+')) exponent.remove_prefix(1);
  // One too long to be read is a power that no other number comes near to: its sign is left.
  const auto [at, fault] =
      std::from_chars(exponent.data(), exponent.data() + exponent.size(), number.power);
  constexpr std::int64_t kFar = 1'000'000'000'000;
  if (fault == std::errc::result_out_of_range)
    number.power = exponent.front() == '-' ? -kFar : kFar;
  number.power = std::clamp(number.power, -kFar, kFar);
  const std::string_view mantissa = raw.substr(0, mark);
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  number.digits = mantissa.substr(0, point);
  if (point < mantissa.size()) {
    number.digits += mantissa.substr(point + 1);
    number.power -= static_cast<std::int64_t>(mantissa.size() - point - 1);
  }
  number.digits.erase(0, std::min(number.digits.find_first_not_of('0'), number.digits.size()));
  const std::size_t kept = number.digits.find_last_not_of('0') + 1;
  number.power += static_cast<std::int64_t>(number.digits.size() - kept);
  number.digits.resize(kept);
  return number.digits.empty() ? Decimal{} : number;
}

// A level that has been walked to its end has nothing behind it.
bool is_whole(ondemand::document& document) noexcept {
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

bool walk_members(Scratch& held, std::string_view json, std::vector<JsonMember>& members) {
  ondemand::document document;
  ondemand::object object;
  if (held.parser.iterate(held.load(json)).get(document) != simdjson::SUCCESS) return false;
  if (document.get_object().get(object) != simdjson::SUCCESS) return false;
  for (auto read : object) {
    ondemand::field field;
    std::string_view key;
    JsonMember member;
    if (std::move(read).get(field) != simdjson::SUCCESS ||
        field.unescaped_key().get(key) != simdjson::SUCCESS || members.size() >= kJsonMembersMax)
      return false;
    member.key = key;
    if (find(members, member.key) != nullptr || !read_value(field.value(), member.value))
      return false;
    move_view(member.value.raw, held.copy, json);
    members.push_back(std::move(member));
  }
  return is_whole(document);
}

bool walk_items(Scratch& held, std::string_view json, std::vector<JsonItem>& items) {
  ondemand::document document;
  ondemand::array array;
  if (held.parser.iterate(held.load(json)).get(document) != simdjson::SUCCESS) return false;
  if (document.get_array().get(array) != simdjson::SUCCESS) return false;
  for (auto read : array) {
    ondemand::value value;
    JsonItem item;
    if (std::move(read).get(value) != simdjson::SUCCESS || items.size() >= kJsonItemsMax ||
        !read_value(value, item))
      return false;
    move_view(item.raw, held.copy, json);
    items.push_back(item);
  }
  return is_whole(document);
}

}  // namespace

bool read_members(std::string_view json, std::vector<JsonMember>& members) {
  members.clear();
  Scratch& held = scratch();
  const bool is_read = !json.empty() && walk_members(held, json, members);
  held.leave();
  if (!is_read) members.clear();
  return is_read;
}

bool read_items(std::string_view json, std::vector<JsonItem>& items) {
  items.clear();
  Scratch& held = scratch();
  const bool is_read = !json.empty() && walk_items(held, json, items);
  held.leave();
  if (!is_read) items.clear();
  return is_read;
}

const JsonItem* find(const std::vector<JsonMember>& members, std::string_view key) noexcept {
  for (const JsonMember& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::optional<std::string> text_of(const JsonItem& item) {
  if (item.kind != JsonKind::kText) return std::nullopt;
  Scratch& held = scratch();
  ondemand::document document;
  std::string_view text;
  if (held.parser.iterate(held.load(item.raw)).get(document) != simdjson::SUCCESS ||
      document.get_string().get(text) != simdjson::SUCCESS)
    return std::nullopt;
  std::string copy(text);
  held.leave();
  return copy;
}

std::string text_of(const std::vector<JsonMember>& members, std::string_view key) {
  const JsonItem* item = find(members, key);
  return item == nullptr ? std::string() : text_of(*item).value_or(std::string());
}

std::optional<std::int64_t> number_of(const JsonItem& item) noexcept {
  std::int64_t number = 0;
  const char* end = item.raw.data() + item.raw.size();
  if (item.kind != JsonKind::kNumber) return std::nullopt;
  const auto [at, fault] = std::from_chars(item.raw.data(), end, number);
  if (fault != std::errc{} || at != end) return std::nullopt;
  return number;
}

bool is_same_value(std::string_view raw, std::string_view other) {
  if (raw == other) return true;
  if (raw.empty() || other.empty()) return false;
  const bool are_texts = raw.front() == '"';
  if (are_texts != (other.front() == '"')) return false;
  const std::string_view unusual = are_texts ? "\\" : ".eE-";
  if (raw.find_first_of(unusual) == raw.npos && other.find_first_of(unusual) == other.npos)
    return false;
  if (!are_texts) return decimal_of(raw) == decimal_of(other);
  const std::optional<std::string> text = text_of({JsonKind::kText, raw});
  return text && text == text_of({JsonKind::kText, other});
}

bool is_utf8(std::string_view text) noexcept {
  return simdjson::validate_utf8(text.data(), text.size());
}

void append_quoted(std::string& out, std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace limpet::mcp
