// SPDX-License-Identifier: Apache-2.0
#pragma once
// LineBuilder: one line of text in memory that is kept from line to line. Room is made once a line,
// then everything is a plain copy; texts from outside are escaped as they go in. It knows no log
// format.

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/base/text.h"

namespace limpet::access_log {

/// Thread: one at a time.
class LineBuilder {
 public:
  /// A byte may become "\u00XX".
  static constexpr std::size_t kGrowth = 6;

  /// Begins a line of at most `plain_bytes` and `outside_bytes` before escaping.
  void begin(std::size_t plain_bytes, std::size_t outside_bytes) {
    const std::size_t most = plain_bytes + outside_bytes * kGrowth;
    if (memory_.size() < most) memory_.resize(most);
    at_ = memory_.data();
  }
  [[nodiscard]] std::string_view line() const noexcept {
    return {memory_.data(), static_cast<std::size_t>(at_ - memory_.data())};
  }

  /// A text of our own.
  void put(std::string_view text) noexcept {
    if (text.empty()) return;
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  template <std::size_t kBytes>
  void put(const char (&literal)[kBytes]) noexcept {
    std::memcpy(at_, literal, kBytes - 1);
    at_ += kBytes - 1;
  }
  /// A text from outside, escaped for JSON strings and for quotes.
  void put_outside(std::string_view text) {
    if (copy_plain(text)) {
      at_ += text.size();
    } else {
      put_escaped(text);
    }
  }
  void put_number(std::uint64_t number) noexcept { at_ = std::to_chars(at_, at_ + 20, number).ptr; }
  /// In milliseconds with three decimals; not below 0.
  void put_milliseconds(Duration duration) noexcept {
    const std::int64_t us = duration.count() > 0 ? duration.count() / 1000 : 0;
    put_number(static_cast<std::uint64_t>(us / 1000));
    const auto rest = static_cast<std::uint32_t>(us % 1000);
    at_[0] = '.';
    at_[1] = static_cast<char>('0' + rest / 100);
    at_[2] = static_cast<char>('0' + rest / 10 % 10);
    at_[3] = static_cast<char>('0' + rest % 10);
    at_ += 4;
  }

 private:
  // Whether one of eight bytes needs escaping: controls, quote, backslash, and everything from 0x7f
  // on. A byte below n makes x - n borrow into its high bit.
  [[nodiscard]] static bool has_special(std::uint64_t x) noexcept {
    constexpr std::uint64_t kOnes = 0x0101010101010101U;
    constexpr std::uint64_t kHighs = 0x8080808080808080U;
    const auto has_zero = [](std::uint64_t y) { return (y - kOnes) & ~y; };
    return ((x | ((x - kOnes * 0x20) & ~x) | has_zero(x ^ kOnes * '"') |
             has_zero(x ^ kOnes * '\\') | has_zero(x ^ kOnes * 0x7f)) &
            kHighs) != 0;
  }
  // Copies to where the line ends, without moving that; false where a byte needs escaping.
  [[nodiscard]] bool copy_plain(std::string_view text) noexcept {
    const char* const from = text.data();
    const std::size_t bytes = text.size();
    if (bytes < 8) {
      for (std::size_t i = 0; i < bytes; ++i) {
        const char c = from[i];
        if (c < ' ' || c > '~' || c == '"' || c == '\\') return false;
        at_[i] = c;
      }
      return true;
    }
    // The last eight bytes may overlap those before.
    for (std::size_t i = 0;; i = i + 16 <= bytes ? i + 8 : bytes - 8) {
      std::uint64_t word;
      std::memcpy(&word, from + i, 8);
      if (has_special(word)) return false;
      std::memcpy(at_ + i, &word, 8);
      if (i + 8 == bytes) return true;
    }
  }
  void put_escaped(std::string_view text) {
    std::string escaped;
    text::append_escaped(escaped, text);
    put(escaped);
  }

  std::string memory_;
  char* at_ = nullptr;
};

}  // namespace limpet::access_log
