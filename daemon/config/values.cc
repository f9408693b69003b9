// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/values.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "daemon/base/text.h"
#include "daemon/base/units.h"

namespace limpet {
namespace {

std::string range_text(Range range) {
  if (range.max == std::numeric_limits<std::int64_t>::max()) {
    return "a whole number of at least " + std::to_string(range.min);
  }
  return "a whole number from " + std::to_string(range.min) + " to " + std::to_string(range.max);
}

/// The integer of a node, also where the environment put digits into a text.
std::optional<std::int64_t> integer_of(const Node& node) {
  if (node.kind == NodeKind::kInteger) return node.integer;
  if (node.kind != NodeKind::kText || !node.is_from_environment) return std::nullopt;
  std::int64_t value = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [stop, fault] = std::from_chars(node.text.data(), end, value);
  if (fault != std::errc{} || stop != end || node.text.empty()) return std::nullopt;
  return value;
}

std::optional<bool> flag_of(const Node& node) {
  if (node.kind == NodeKind::kFlag) return node.flag;
  if (node.kind != NodeKind::kText || !node.is_from_environment) return std::nullopt;
  if (node.text == "true") return true;
  if (node.text == "false") return false;
  return std::nullopt;
}

bool is_auto(const Node& node) { return node.kind == NodeKind::kText && node.text == "auto"; }

std::string one_of(const Words& words) {
  std::string out;
  for (const std::string_view word : words) {
    if (!out.empty()) out += ", ";
    out += '"' + std::string(word) + '"';
  }
  return words.size() == 1 ? out : "one of " + out;
}

}  // namespace

void ValueReader::expected(std::string_view what, const Node& found) const {
  mistakes_->add(found.position, std::string(key_) + ": expected " + std::string(what) +
                                     ", found " + describe(found));
  mistakes_->give_up(found.position);
}

std::optional<std::string> ValueReader::text(const Node& node) const {
  if (node.kind == NodeKind::kText) return node.text;
  expected("a text", node);
  return std::nullopt;
}

std::optional<bool> ValueReader::flag(const Node& node) const {
  if (const auto flag = flag_of(node)) return flag;
  expected("true or false", node);
  return std::nullopt;
}

std::optional<std::int64_t> ValueReader::number(const Node& node, Range range) const {
  const auto value = integer_of(node);
  if (value && *value >= range.min && *value <= range.max) return value;
  expected(range_text(range), node);
  return std::nullopt;
}

std::optional<double> ValueReader::real(const Node& node) const {
  if (node.kind == NodeKind::kReal) return node.real;
  if (const auto integer = integer_of(node)) return static_cast<double>(*integer);
  if (node.kind == NodeKind::kText && node.is_from_environment) {
    double value = 0;
    const char* end = node.text.data() + node.text.size();
    const auto [stop, fault] = std::from_chars(node.text.data(), end, value);
    if (fault == std::errc{} && stop == end) return value;
  }
  expected("a number", node);
  return std::nullopt;
}

std::optional<Duration> ValueReader::duration(const Node& node, Off off) const {
  if (node.kind == NodeKind::kText) {
    if (off == Off::kAllowed && node.text == "off") return kForever;
    if (const auto duration = parse_duration(node.text)) return duration;
  }
  expected(off == Off::kAllowed
               ? "a duration such as \"250ms\", \"10s\", \"5m\", \"2h\", \"1d\", or \"off\""
               : "a duration such as \"250ms\", \"10s\", \"5m\", \"2h\", \"1d\"",
           node);
  return std::nullopt;
}

std::optional<std::uint64_t> ValueReader::bytes(const Node& node, std::uint64_t min) const {
  std::optional<std::uint64_t> value;
  if (node.kind == NodeKind::kText) value = parse_bytes(node.text);
  if (node.kind == NodeKind::kInteger && node.integer >= 0) {
    value = static_cast<std::uint64_t>(node.integer);
  }
  // What is kept must fit TOML's signed numbers.
  if (value && *value > std::numeric_limits<std::int64_t>::max()) value.reset();
  if (value && *value >= min) return value;
  expected("a size such as \"64KiB\", \"1MiB\" or a number of bytes" +
               (min == 0 ? "" : ", at least " + print_bytes(min)),
           node);
  return std::nullopt;
}

std::optional<std::string> ValueReader::word(const Node& node, const Words& words) const {
  if (node.kind == NodeKind::kText &&
      std::find(words.begin(), words.end(), node.text) != words.end()) {
    return node.text;
  }
  const std::string near =
      node.kind == NodeKind::kText ? did_you_mean(node.text, words) : std::string();
  mistakes_->add(node.position, std::string(key_) + ": expected " + one_of(words) + ", found " +
                                    describe(node) + near);
  mistakes_->give_up(node.position);
  return std::nullopt;
}

std::optional<std::vector<std::string>> ValueReader::texts(const Node& node,
                                                           const Words& words) const {
  if (node.kind != NodeKind::kList) {
    expected("a list of texts", node);
    return std::nullopt;
  }
  std::vector<std::string> all;
  for (const Node& element : node.children) {
    auto value = words.empty() ? text(element) : word(element, words);
    all.push_back(std::move(value).value_or(std::string()));
  }
  return all;
}

std::optional<NamedIntegers> ValueReader::integers_by_name(const Node& node) const {
  if (!node.is_table()) {
    expected("a table of names and whole numbers such as { \"v1\" = 90, \"v2\" = 10 }", node);
    return std::nullopt;
  }
  NamedIntegers all;
  for (const Node& child : node.children) {
    const auto value = ValueReader(child.key, *mistakes_)
                           .number(child, {0, std::numeric_limits<std::int64_t>::max()});
    all.emplace_back(child.key, value.value_or(1));
  }
  return all;
}

std::optional<NamedTexts> ValueReader::texts_by_name(const Node& node) const {
  if (!node.is_table()) {
    expected("a table of names and texts such as { \"x-name\" = \"value\" }", node);
    return std::nullopt;
  }
  NamedTexts all;
  for (const Node& child : node.children) {
    auto value = ValueReader(child.key, *mistakes_).text(child);
    all.emplace_back(child.key, std::move(value).value_or(std::string()));
  }
  return all;
}

std::optional<std::optional<bool>> ValueReader::flag_or_auto(const Node& node) const {
  if (is_auto(node)) return std::optional<bool>();
  if (const auto flag = flag_of(node)) return flag;
  expected("true, false or \"auto\"", node);
  return std::nullopt;
}

std::optional<std::optional<std::int64_t>> ValueReader::number_or_auto(const Node& node,
                                                                       Range range) const {
  if (is_auto(node)) return std::optional<std::int64_t>();
  const auto value = integer_of(node);
  if (value && *value >= range.min && *value <= range.max) return value;
  expected(range_text(range) + " or \"auto\"", node);
  return std::nullopt;
}

}  // namespace limpet
