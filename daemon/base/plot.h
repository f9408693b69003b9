// SPDX-License-Identifier: Apache-2.0
#pragma once
// Plot: a few pages of memory that keep their address and can be put to rest: what in them is not
// zero is set aside, and the pages go back to the kernel until they are looked at again. For state
// that is sparse and long idle; not for what comes and goes (buffer.h, arena.h).

#include <cstddef>

namespace limpet {

/// Pages of one owner, zero at first.
/// Thread: taken and given back on the same one.
class Plot {
 public:
  static constexpr std::size_t kBytes = std::size_t{3} * 4096;

  /// None yet.
  Plot() = default;
  Plot(const Plot&) = delete;
  Plot& operator=(const Plot&) = delete;
  ~Plot();

  /// Gets the pages. Returns false where there are none of that size to be had; once is enough.
  bool lay_out() noexcept;
  /// The pages, to be looked at only while they are awake; null where there are none.
  [[nodiscard]] char* data() const noexcept { return data_; }

  /// Sets aside what is there; without memory for that, nothing happens.
  /// Cost: a call of the kernel, here and for each page after wake().
  void rest() noexcept;
  /// Brings everything back.
  void wake() noexcept;
  [[nodiscard]] bool is_resting() const noexcept { return kept_ != nullptr; }

 private:
  char* data_ = nullptr;
  char* kept_ = nullptr;  ///< while at rest: which lines are not zero, and these
};

}  // namespace limpet
