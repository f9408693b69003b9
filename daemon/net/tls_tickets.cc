// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_tickets.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <openssl/crypto.h>
#include <sys/random.h>

#include "daemon/base/text.h"
#include "daemon/config/files.h"

namespace limpet {
namespace {

constexpr Duration kLifetimeMax = std::chrono::hours(24);
constexpr std::string_view kExpected =
    "a ticket key is 80 bytes in base64, such as `openssl rand -base64 80 | tr -d '\\n'` prints";

template <typename Bytes>
void wipe(Bytes& bytes) noexcept {
  OPENSSL_cleanse(bytes.data(), bytes.size() * sizeof bytes[0]);
}

/// What a line says, without its comment.
std::string_view plain_part(std::string_view line) {
  line = text::trim(line.substr(0, line.find('#')));
  while (!line.empty() && line.back() == '\r')
    line = text::trim(line.substr(0, line.size() - 1));
  return line;
}

}  // namespace

struct TicketKeys::Keys {
  std::array<Words, kKeysMax> words{};
  std::size_t count = 0;

  Keys() = default;
  Keys(const Keys&) = default;
  Keys& operator=(const Keys&) = default;
  ~Keys() {
    for (Words& key : words)
      wipe(key);
  }
  [[nodiscard]] bool has_name_of(const Words& key) const {
    return std::any_of(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count),
                       [&](const Words& other) {
                         return std::memcmp(other.data(), key.data(), TicketKey::kNameBytes) == 0;
                       });
  }
};

TicketKeys::~TicketKeys() { replace(Keys{}); }

Result<std::shared_ptr<TicketKeys>> TicketKeys::rotating(Duration period, Instant now) {
  std::shared_ptr<TicketKeys> keys(new TicketKeys);  // NOLINT(cppcoreguidelines-owning-memory)
  keys->period_ = period;
  keys->lifetime_ = std::min(period, kLifetimeMax);
  keys->next_rotation_ = now;
  const Result<bool> first = keys->rotate(now);
  if (!first) return first.error();
  return keys;
}

Result<bool> TicketKeys::rotate(Instant now) {
  if (now < next_rotation_ || !file_.path.empty()) return false;
  Keys keys;
  if (::getrandom(keys.words[0].data(), kKeyBytes, 0) != kKeyBytes)
    return Error{"tickets: the kernel gives no random bytes to make a key of"};
  keys.count = 1;
  // The key before opens for one more period, unless this comes so late that its time is over.
  const bool is_late = period_ != kForever && now - next_rotation_ >= period_;
  if (count() > 0 && !is_late) {
    keys.words[keys.count++] = copy_at(sets_[version_.load(std::memory_order_relaxed) % 2], 0);
  }
  replace(keys);
  next_rotation_ = deadline_after(now, period_);
  return true;
}

std::size_t TicketKeys::count() const noexcept {
  return sets_[version_.load(std::memory_order_acquire) % 2].count.load(std::memory_order_acquire);
}

Result<std::shared_ptr<TicketKeys>> TicketKeys::from_file(const std::string& path) {
  std::shared_ptr<TicketKeys> keys(new TicketKeys);  // NOLINT(cppcoreguidelines-owning-memory)
  keys->file_.path = path;
  const Result<bool> first = keys->reread();
  if (!first) return first.error();
  return keys;
}

Result<bool> TicketKeys::reread() {
  if (file_.path.empty()) return false;
  FileMark now = mark_of(file_.path);
  if (now == file_ && now.exists) return false;
  Result<std::string> content = read_whole_file(file_.path);
  if (!content) return Error{"tickets: " + file_.path + " " + content.error().text};
  Result<Keys> keys = parse(*content, file_.path);
  wipe(*content);
  if (!keys) return keys.error();
  replace(*keys);
  file_ = std::move(now);
  return true;
}

Result<TicketKeys::Keys> TicketKeys::parse(std::string_view text, const std::string& name) {
  Keys keys;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::string_view line = plain_part(text::cut(text, '\n'));
    ++number;
    if (line.empty()) continue;
    const std::string place = "tickets: " + name + ":" + std::to_string(number);
    std::optional<std::string> decoded = text::from_base64(line);
    const bool is_key = decoded && decoded->size() == kKeyBytes;
    Words key{};
    if (is_key) std::memcpy(key.data(), decoded->data(), kKeyBytes);
    if (decoded) wipe(*decoded);
    if (!is_key) return Error{place + ": this is no key; " + std::string(kExpected)};
    if (keys.count == kKeysMax) return Error{place + ": more than 16 keys"};
    if (keys.has_name_of(key)) {
      return Error{place +
                   ": a key above has the same first 16 bytes, by which keys are told apart"};
    }
    keys.words[keys.count++] = key;
    wipe(key);
  }
  if (keys.count == 0) {
    return Error{"tickets: " + name + ": no key in it; " + std::string(kExpected)};
  }
  return keys;
}

// Two sets, of which the version's last bit says the present one. A reader copies, and copies again
// where the version has changed meanwhile. Unlike a counted pointer this costs readers no shared
// write, and unlike a list of old sets it lets old keys be wiped. Words are released after the
// version that ended their set, so whoever copied one of the next set sees that version.
void TicketKeys::replace(const Keys& keys) noexcept {
  const std::uint32_t version = version_.load(std::memory_order_relaxed);
  fill(sets_[(version + 1) % 2], keys);
  version_.store(version + 1, std::memory_order_release);
  fill(sets_[version % 2], Keys{});
}

void TicketKeys::fill(Set& set, const Keys& keys) noexcept {
  for (std::size_t i = 0; i < kKeysMax; ++i) {
    for (std::size_t word = 0; word < kWords; ++word)
      set.words[i][word].store(keys.words[i][word], std::memory_order_release);
  }
  set.count.store(keys.count, std::memory_order_release);
}

TicketKeys::Words TicketKeys::copy_at(const Set& set, std::size_t index) noexcept {
  Words words;
  for (std::size_t word = 0; word < kWords; ++word)
    words[word] = set.words[index][word].load(std::memory_order_acquire);
  return words;
}

std::size_t TicketKeys::copy_if_named(const std::uint8_t* name, TicketKey& out) const noexcept {
  Words words{};
  std::size_t index = 0;
  std::uint32_t version = version_.load(std::memory_order_acquire);
  for (;;) {
    const Set& set = sets_[version % 2];
    const std::size_t count = set.count.load(std::memory_order_acquire);
    for (index = 0; index < count; ++index) {
      words = copy_at(set, index);
      if (name == nullptr || std::memcmp(words.data(), name, TicketKey::kNameBytes) == 0) break;
    }
    if (index == count) index = kKeysMax;
    if (version == version_.load(std::memory_order_acquire)) break;
    version = version_.load(std::memory_order_acquire);
  }
  if (index < kKeysMax) std::memcpy(&out, words.data(), kKeyBytes);
  wipe(words);
  return index;
}

bool TicketKeys::copy_first(TicketKey& out) const noexcept {
  return copy_if_named(nullptr, out) < kKeysMax;
}

TicketKeys::Found TicketKeys::copy_named(const std::uint8_t* name, TicketKey& out) const noexcept {
  const std::size_t index = copy_if_named(name, out);
  if (index == kKeysMax) return Found::kNone;
  return index == 0 ? Found::kFirst : Found::kOlder;
}

}  // namespace limpet
