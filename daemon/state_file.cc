// SPDX-License-Identifier: Apache-2.0
#include "daemon/state_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "daemon/base/fd.h"
#include "daemon/base/log.h"

namespace limpet {

namespace {

constexpr const char* kName = "/replicas.state";
// The time in an unchanged file is kept fresh, since health is believed for some minutes only.
constexpr std::chrono::minutes kStaleAfter{1};

bool put_whole(int file, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t put = ::write(file, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

bool replace(const std::string& path, std::string_view bytes) {
  const std::string fresh = path + ".new";
  const Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.is_open()) return false;
  return put_whole(file.number(), bytes) && ::rename(fresh.c_str(), path.c_str()) == 0;
}

}  // namespace

SavedReplicas StateFile::open(const std::string& directory) {
  path_ = directory + kName;
  std::error_code trouble;
  const auto bytes = std::filesystem::file_size(path_, trouble);
  if (trouble || bytes == 0) return {};  // the first start
  std::ifstream file(path_, std::ios::binary);
  std::string why;
  if (bytes > kBytesMax) why = "it is larger than any that limpet writes";
  if (!file) why = std::strerror(errno);
  if (why.empty()) {
    Result<SavedReplicas> saved = parse_saved(
        std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
    if (saved) return std::move(*saved);
    why = saved.error().text;
  }
  log::warning("what was known of replicas before is not taken up; they are looked at anew",
               {{"path", path_}, {"why", why}});
  return {};
}

void StateFile::write(const SavedReplicas& saved, Instant now) {
  due_ = now + kEvery;
  const std::string text = print_saved(saved);
  std::string body = text.substr(text.find('\n') + 1);
  if (body == written_ && saved.when - written_at_ < kStaleAfter) return;
  const bool is_written = replace(path_, text);
  if (!is_written && !has_failed_) {
    log::warning("what is known of replicas cannot be kept for the next start",
                 {{"path", path_}, {"why", std::strerror(errno)}});
  }
  has_failed_ = !is_written;
  if (!is_written) return;
  written_ = std::move(body);
  written_at_ = saved.when;
}

}  // namespace limpet
