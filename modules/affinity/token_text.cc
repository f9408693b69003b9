// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/token_text.h"

#include <array>
#include <bit>
#include <cstring>

namespace limpet::affinity {

namespace {

constexpr std::string_view kDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::uint8_t kNoDigit = 255;
constexpr std::size_t kBlockLetters = 11;
constexpr std::uint64_t kBase = 62;

constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

// Two digits at a time halve the divisions.
constexpr std::array<char, kBase* kBase* 2> kPairs = [] {
  std::array<char, kBase * kBase * 2> pairs{};
  for (std::size_t i = 0; i < kBase * kBase; ++i) {
    pairs[2 * i] = kDigits[i / kBase];
    pairs[2 * i + 1] = kDigits[i % kBase];
  }
  return pairs;
}();

std::uint64_t big_endian(std::uint64_t value) noexcept {
  return std::endian::native == std::endian::big ? value : __builtin_bswap64(value);
}

}  // namespace

void write_letters(const std::uint8_t* bytes, char* out) noexcept {
  for (std::size_t block = 0; block < kTokenBlocks; ++block) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes + block * 8, 8);
    value = big_endian(value);
    char* place = out + block * kBlockLetters;
    for (std::size_t i = kBlockLetters; i > 1; i -= 2) {
      std::memcpy(place + i - 2, &kPairs[2 * (value % (kBase * kBase))], 2);
      value /= kBase * kBase;
    }
    place[0] = kDigits[value];  // eleven digits: the first stands alone
  }
}

bool read_letters(std::string_view text, std::uint8_t* out) noexcept {
  if (text.size() != kTokenLetters) return false;
  std::uint8_t seen = 0;  // a digit has neither of the two high bits
  bool is_too_large = false;
  for (std::size_t block = 0; block < kTokenBlocks; ++block) {
    const char* place = text.data() + block * kBlockLetters;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i + 1 < kBlockLetters; ++i) {
      const std::uint8_t digit = kValues[static_cast<unsigned char>(place[i])];
      seen |= digit;
      value = value * kBase + digit;
    }
    // Ten digits always fit; the eleventh may not.
    const std::uint8_t last = kValues[static_cast<unsigned char>(place[kBlockLetters - 1])];
    seen |= last;
    is_too_large |= __builtin_mul_overflow(value, kBase, &value);
    is_too_large |= __builtin_add_overflow(value, std::uint64_t{last}, &value);
    value = big_endian(value);
    std::memcpy(out + block * 8, &value, 8);
  }
  return (seen & 0xc0) == 0 && !is_too_large;
}

}  // namespace limpet::affinity
