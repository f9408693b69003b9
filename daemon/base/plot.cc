// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/plot.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace limpet {

namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kLines = Plot::kBytes / kLineBytes;
constexpr std::size_t kWordBits = 64;
constexpr std::size_t kPlotsAtATime = 64;

// One bit a line.
using Map = std::array<std::uint64_t, kLines / kWordBits>;
static_assert(kLines % kWordBits == 0);

// Those that nobody has, all zero. Their addresses stay with the thread; they hold no memory.
struct Fallow {
  std::vector<char*> plots;
  bool is_over = false;

  Fallow() = default;
  Fallow(const Fallow&) = delete;
  Fallow& operator=(const Fallow&) = delete;
  ~Fallow() { is_over = true; }
};

[[nodiscard]] Fallow& fallow() {
  thread_local Fallow mine;
  return mine;
}

void break_ground(std::vector<char*>& plots) {
  constexpr std::size_t kBytes = kPlotsAtATime * Plot::kBytes;
  plots.reserve(plots.capacity() + kPlotsAtATime);
  void* const place = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) return;
  // A huge page would hold the memory of all.
  static_cast<void>(madvise(place, kBytes, MADV_NOHUGEPAGE));
  for (std::size_t at = kBytes; at > 0; at -= Plot::kBytes)
    plots.push_back(static_cast<char*>(place) + (at - Plot::kBytes));
}

[[nodiscard]] bool has_small_pages() noexcept {
  static const bool has = sysconf(_SC_PAGESIZE) == static_cast<long>(kPageBytes);
  return has;
}

[[nodiscard]] bool is_zero(const char* line) noexcept {
  std::array<std::uint64_t, kLineBytes / sizeof(std::uint64_t)> words;
  std::memcpy(words.data(), line, kLineBytes);
  std::uint64_t any = 0;
  for (const std::uint64_t word : words)
    any |= word;
  return any == 0;
}

[[nodiscard]] bool has(const Map& map, std::size_t line) noexcept {
  return (map[line / kWordBits] >> line % kWordBits & 1) != 0;
}

void give_back_pages(char* data) noexcept {
  if (madvise(data, Plot::kBytes, MADV_DONTNEED) != 0) std::memset(data, 0, Plot::kBytes);
}

}  // namespace

bool Plot::lay_out() noexcept {
  if (data_ != nullptr || !has_small_pages()) return data_ != nullptr;
  std::vector<char*>& plots = fallow().plots;
  if (plots.empty()) break_ground(plots);
  if (plots.empty()) return false;
  data_ = plots.back();
  plots.pop_back();
  return true;
}

Plot::~Plot() {
  if (data_ == nullptr) return;
  if (is_resting()) {
    std::free(kept_);
  } else {
    give_back_pages(data_);
  }
  Fallow& mine = fallow();
  // There is room: each was there before.
  if (!mine.is_over) mine.plots.push_back(data_);
}

void Plot::rest() noexcept {
  if (data_ == nullptr || is_resting()) return;
  Map map{};
  std::size_t count = 0;
  for (std::size_t line = 0; line < kLines; ++line) {
    if (is_zero(data_ + line * kLineBytes)) continue;
    map[line / kWordBits] |= std::uint64_t{1} << line % kWordBits;
    ++count;
  }
  auto* const kept = static_cast<char*>(std::malloc(sizeof map + count * kLineBytes));
  if (kept == nullptr) return;
  std::memcpy(kept, &map, sizeof map);
  char* at = kept + sizeof map;
  for (std::size_t line = 0; line < kLines; ++line) {
    if (!has(map, line)) continue;
    std::memcpy(at, data_ + line * kLineBytes, kLineBytes);
    at += kLineBytes;
  }
  give_back_pages(data_);
  kept_ = kept;
}

void Plot::wake() noexcept {
  if (!is_resting()) return;
  Map map;
  std::memcpy(&map, kept_, sizeof map);
  const char* at = kept_ + sizeof map;
  for (std::size_t line = 0; line < kLines; ++line) {
    if (!has(map, line)) continue;
    std::memcpy(data_ + line * kLineBytes, at, kLineBytes);
    at += kLineBytes;
  }
  std::free(std::exchange(kept_, nullptr));
}

}  // namespace limpet
