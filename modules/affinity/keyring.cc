// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/keyring.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/fd.h"
#include "daemon/base/text.h"

namespace limpet::affinity {

namespace {

constexpr std::string_view kFileName = "affinity.keys";
constexpr std::size_t kFileBytesMax = 64 * 1024;
constexpr std::string_view kExpected =
    "a key is 32 bytes in base64: 44 characters, or 43 without the =";

Error failed(std::string_view what, const std::string& path, int code) {
  return Error{std::string(what) + " " + path + ": " + std::strerror(code)};
}

// The key of one line. The decoded text is wiped, so that no copy stays in freed memory.
std::optional<KeyBytes> key_of(std::string_view line) {
  std::optional<std::string> decoded = text::from_base64(line);
  if (!decoded) return std::nullopt;
  std::optional<KeyBytes> key;
  if (decoded->size() == kKeyBytes) {
    key.emplace();
    std::memcpy(key->data(), decoded->data(), kKeyBytes);
  }
  wipe({reinterpret_cast<std::uint8_t*>(decoded->data()), decoded->size()});
  return key;
}

Result<std::string> read_whole(const Fd& file, const std::string& path) {
  std::string content(kFileBytesMax + 1, '\0');
  std::size_t held = 0;
  while (held < content.size()) {
    const ssize_t got = ::read(file.number(), content.data() + held, content.size() - held);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read the key file", path, errno);
    if (got == 0) break;
    held += static_cast<std::size_t>(got);
  }
  if (held > kFileBytesMax)
    return Error{"the key file " + path + " is larger than 64 KiB; expected one base64 key a line"};
  content.resize(held);
  return content;
}

bool write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return ::fsync(fd) == 0;
}

Result<std::string> fresh_content() {
  KeyBytes key;
  if (!fill_random(key))
    return Error{"the kernel gives no random bytes to make an affinity key of"};
  const std::string line = text::base64url({reinterpret_cast<const char*>(key.data()), key.size()});
  wipe(key);
  return "# Affinity keys of limpet, one base64 key a line: the first seals, all open. Keep it "
         "secret;\n"
         "# instances that share their clients share this file.\n" +
         line + "\n";
}

// Writes a fresh key beside `path` and links it into place: the link is refused where another
// process was first, whose key then counts.
Status make_file(const std::string& state_dir, const std::string& path) {
  if (::mkdir(state_dir.c_str(), 0750) != 0 && errno != EEXIST) {
    return failed("cannot make the state directory", state_dir, errno);
  }
  Result<std::string> content = fresh_content();
  if (!content) return content.error();
  std::string temporary = path + ".XXXXXX";
  const Fd file(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (!file.is_open()) return failed("cannot make a key file in", state_dir, errno);
  Status status;
  if (!write_whole(file.number(), *content)) {
    status = failed("cannot write the key file", temporary, errno);
  } else if (::link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    status = failed("cannot put the key file in place as", path, errno);
  }
  ::unlink(temporary.c_str());
  wipe({reinterpret_cast<std::uint8_t*>(content->data()), content->size()});
  const Fd directory(::open(state_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.is_open()) ::fsync(directory.number());
  return status;
}

std::string warning_for(const Fd& file, const std::string& path) {
  struct stat facts {};
  if (::fstat(file.number(), &facts) != 0 || (facts.st_mode & (S_IROTH | S_IWOTH)) == 0) return {};
  return "the key file " + path +
         " can be read by every user of this machine; who reads it can forge affinity tokens: "
         "chmod 600 " +
         path;
}

}  // namespace

KeyRing::~KeyRing() {
  for (Key& key : keys_)
    wipe(key.bytes);
}

Result<std::shared_ptr<const KeyRing>> KeyRing::parse(std::string_view text,
                                                      const std::string& name,
                                                      std::string warning) {
  std::shared_ptr<KeyRing> ring(new KeyRing);  // NOLINT(cppcoreguidelines-owning-memory)
  ring->keys_.reserve(kKeysMax);               // so that no key is left behind by growing
  ring->warning_ = std::move(warning);
  std::size_t number = 0;
  while (!text.empty()) {
    std::string_view line = text::cut(text, '\n');
    ++number;
    line = text::trim(line.substr(0, line.find('#')));
    while (!line.empty() && line.back() == '\r')
      line = text::trim(line.substr(0, line.size() - 1));
    if (line.empty()) continue;
    const std::string place = name + ":" + std::to_string(number);
    std::optional<KeyBytes> bytes = key_of(line);
    if (!bytes) return Error{place + ": this is not a key; " + std::string(kExpected)};
    if (ring->keys_.size() == kKeysMax) return Error{place + ": more than 64 keys"};
    for (const Key& other : ring->keys_) {
      if (other.bytes == *bytes) return Error{place + ": the same key stands above; each key once"};
    }
    ring->keys_.push_back(Key{*bytes, key_id_of(*bytes)});
    wipe(*bytes);
  }
  if (ring->keys_.empty()) {
    return Error{
        name +
        ": no key in it; expected one base64 key a line, such as `openssl rand -base64 32` prints"};
  }
  return std::shared_ptr<const KeyRing>(std::move(ring));
}

Result<std::shared_ptr<const KeyRing>> KeyRing::read(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return failed("cannot open the key file", path, errno);
  Result<std::string> content = read_whole(file, path);
  if (!content) return content.error();
  Result<std::shared_ptr<const KeyRing>> ring = parse(*content, path, warning_for(file, path));
  wipe({reinterpret_cast<std::uint8_t*>(content->data()), content->size()});
  return ring;
}

Result<std::shared_ptr<const KeyRing>> KeyRing::read_or_make(const std::string& state_dir) {
  if (state_dir.empty()) {
    Result<std::string> content = fresh_content();
    if (!content) return content.error();
    return parse(*content, "a fresh key");
  }
  const std::string path = state_dir + "/" + std::string(kFileName);
  if (::access(path.c_str(), F_OK) != 0) {
    if (const Status made = make_file(state_dir, path); !made) return made.error();
  }
  return read(path);
}

}  // namespace limpet::affinity
