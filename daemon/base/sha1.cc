// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/sha1.h"

#include <bit>
#include <string>

namespace limpet {
namespace {

using State = std::array<std::uint32_t, 5>;
constexpr std::size_t kBlockBytes = 64;

std::uint32_t big_endian_word(std::string_view block, std::size_t index) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    word = word << 8 | static_cast<std::uint8_t>(block[index * 4 + i]);
  }
  return word;
}

// The function and constant of each quarter of the 80 steps, RFC 3174 section 5.
std::uint32_t mix(std::size_t step, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  if (step < 20) return ((b & c) | (~b & d)) + 0x5a827999U;
  if (step < 40) return (b ^ c ^ d) + 0x6ed9eba1U;
  if (step < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcU;
  return (b ^ c ^ d) + 0xca62c1d6U;
}

void add_block(State& state, std::string_view block) {
  std::array<std::uint32_t, 80> words{};
  for (std::size_t i = 0; i < 16; ++i)
    words[i] = big_endian_word(block, i);
  for (std::size_t i = 16; i < 80; ++i) {
    words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  }
  auto [a, b, c, d, e] = state;
  for (std::size_t i = 0; i < 80; ++i) {
    const std::uint32_t next = std::rotl(a, 5) + mix(i, b, c, d) + e + words[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
}

}  // namespace

Sha1Digest sha1(std::string_view bytes) {
  std::string padded(bytes);
  padded.push_back('\x80');
  while (padded.size() % kBlockBytes != kBlockBytes - 8)
    padded.push_back('\0');
  const std::uint64_t length_bits = std::uint64_t{bytes.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) {
    padded.push_back(static_cast<char>(length_bits >> shift & 0xff));
  }

  State state{0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U, 0xc3d2e1f0U};
  for (std::size_t at = 0; at < padded.size(); at += kBlockBytes) {
    add_block(state, std::string_view(padded).substr(at, kBlockBytes));
  }
  Sha1Digest digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<std::uint8_t>(state[i / 4] >> (24 - i % 4 * 8));
  }
  return digest;
}

}  // namespace limpet
