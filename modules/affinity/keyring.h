// SPDX-License-Identifier: Apache-2.0
#pragma once
// KeyRing: the keys that tokens are sealed with: the first seals, all open. Read from a file of
// base64 lines, which is made with one fresh key where it is limpet's own. It does no encryption
// (token_crypto.h) and is made anew by every reload.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "modules/affinity/token_crypto.h"

namespace limpet::affinity {

/// One key and the id that tokens name it by.
struct Key {
  KeyBytes bytes{};
  std::uint8_t id = 0;
};

/// Immutable; wiped when destroyed.
/// Thread: any may read.
class KeyRing {
 public:
  /// The most keys a file may hold; a token is tried with those of its id only.
  static constexpr std::size_t kKeysMax = 64;

  KeyRing(const KeyRing&) = delete;
  KeyRing& operator=(const KeyRing&) = delete;
  ~KeyRing();

  /// Reads keys from text; `name` is the file's, for errors.
  /// Errors: the line number and what was expected; no key at all; the same key twice. Keys
  /// themselves are never quoted.
  [[nodiscard]] static Result<std::shared_ptr<const KeyRing>> parse(std::string_view text,
                                                                    const std::string& name,
                                                                    std::string warning = {});
  /// Reads a key file of the operator's.
  [[nodiscard]] static Result<std::shared_ptr<const KeyRing>> read(const std::string& path);
  /// Reads `state_dir`/affinity.keys, which is made with one fresh key and mode 0600 where it is
  /// missing. Processes that start at once agree on one key. With an empty `state_dir` the key is
  /// kept nowhere and dies with the ring.
  [[nodiscard]] static Result<std::shared_ptr<const KeyRing>> read_or_make(
      const std::string& state_dir);

  /// Never empty.
  [[nodiscard]] std::span<const Key> keys() const noexcept { return keys_; }
  /// What the operator should know but nothing stops for, such as a file that others may read; or
  /// empty.
  [[nodiscard]] const std::string& warning() const noexcept { return warning_; }

 private:
  KeyRing() = default;

  std::vector<Key> keys_;
  std::string warning_;
};

}  // namespace limpet::affinity
