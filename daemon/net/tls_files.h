// SPDX-License-Identifier: Apache-2.0
#pragma once
// Marks of files: what a file looked like when it was read, so that a change on disk is seen
// without reading it again. It neither watches nor reads: who asks has_changed(), and how often, is
// the supervisor's business.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace limpet {

/// One file at one moment. A symbolic link stands for what it points to.
struct FileMark {
  std::string path;
  bool exists = false;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;

  friend bool operator==(const FileMark&, const FileMark&) = default;
};

/// What the file looks like now. Taken before a file is read, so that a change while it is read
/// counts as one.
[[nodiscard]] FileMark mark_of(const std::string& path);
/// Whether one of the files is another, gone or new since its mark.
/// Cost: one stat(2) each.
[[nodiscard]] bool has_changed(std::span<const FileMark> marks);
/// The path of the first file that is another since its mark, "" where none is.
[[nodiscard]] std::string_view first_changed(std::span<const FileMark> marks);

}  // namespace limpet
