// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_files.h"

#include <sys/stat.h>

namespace limpet {

FileMark mark_of(const std::string& path) {
  FileMark mark;
  mark.path = path;
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return mark;
  mark.exists = true;
  mark.device = facts.st_dev;
  mark.inode = facts.st_ino;
  mark.bytes = static_cast<std::uint64_t>(facts.st_size);
  mark.modified_ns = facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec;
  return mark;
}

bool has_changed(std::span<const FileMark> marks) { return !first_changed(marks).empty(); }

std::string_view first_changed(std::span<const FileMark> marks) {
  for (const FileMark& mark : marks) {
    if (mark_of(mark.path) != mark) return mark.path;
  }
  return {};
}

}  // namespace limpet
