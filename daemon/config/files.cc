// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"
#include "daemon/base/units.h"

namespace limpet {
namespace {

constexpr std::size_t kFileBytesMax = 64U << 20U;

// Of a pipe, as `-c <(command)` in a shell makes one; what is slower is not at work any more.
constexpr std::chrono::seconds kPipeWait{5};

/// Whether there is something to be read, be it the end.
bool has_something(int file) {
  struct stat facts {};
  if (::fstat(file, &facts) != 0 || !S_ISFIFO(facts.st_mode)) return true;
  const Instant deadline = monotonic_now() + kPipeWait;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - monotonic_now());
    pollfd entry{file, POLLIN, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::max(left.count(), std::int64_t{0})));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

bool has_wildcard(const std::string& pattern) {
  return pattern.find_first_of("*?[") != std::string::npos;
}

/// A folder's name with its own wildcards made harmless.
std::string escape_wildcards(const std::string& folder) {
  std::string out;
  for (const char c : folder) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code fault;
  return std::filesystem::equivalent(a, b, fault) && !fault;
}

}  // namespace

Result<std::string> read_whole_file(const std::string& path) {
  // Without blocking, since a pipe may have nobody who writes; other files do not know the word.
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) return Error{std::string("cannot be opened: ") + std::strerror(errno)};
  std::string bytes;
  std::array<char, 65536> block{};
  for (;;) {
    if (!has_something(file.number())) {
      return Error{"is a pipe, and nobody has written to it for " + print_duration(kPipeWait) +
                   "; expected a file"};
    }
    const ssize_t got = ::read(file.number(), block.data(), block.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return Error{std::string("cannot be read: ") + std::strerror(errno)};
    if (got == 0) return bytes;
    bytes.append(block.data(), static_cast<std::size_t>(got));
    if (bytes.size() > kFileBytesMax) return Error{"is larger than 64 MiB"};
  }
}

std::vector<std::string> included_files(const std::string& main_path, const std::string& pattern) {
  const std::string folder = std::filesystem::path(main_path).parent_path().string();
  const bool is_relative = !pattern.starts_with('/') && !folder.empty();
  const std::string prefix = folder.ends_with('/') ? folder : folder + '/';
  if (!has_wildcard(pattern)) return {is_relative ? prefix + pattern : pattern};
  glob_t found{};
  const std::string whole = is_relative ? escape_wildcards(prefix) + pattern : pattern;
  std::vector<std::string> files;
  if (::glob(whole.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i)
      files.emplace_back(found.gl_pathv[i]);
  }
  ::globfree(&found);
  std::erase_if(files, [&](const std::string& file) { return is_same_file(file, main_path); });
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace limpet
