// SPDX-License-Identifier: Apache-2.0
#pragma once
// TlsNames: which certificates serve which name. For every name the first certificate of each kind
// of key is taken, so that ECDSA and RSA stand side by side; equal choices share one set. No
// OpenSSL here: tls_server.h makes a context of each set.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace limpet {

/// A table from server names to sets of certificates.
class TlsNames {
 public:
  /// What is to be known of one certificate.
  struct Entry {
    std::span<const std::string> names;  ///< in lower case; "*.example.org" stands for one label
    int key_kind = 0;
  };
  /// A name that two certificates with the same kind of key have: the second is not served for it.
  struct Shadowed {
    std::size_t entry;
    std::size_t by;
    std::string name;
  };

  TlsNames() = default;
  explicit TlsNames(std::span<const Entry> entries);

  /// The sets, each of indices of entries; the first is for clients without a name, or with one
  /// that nobody has: the first entry, with those that share its first name.
  [[nodiscard]] std::span<const std::vector<std::size_t>> sets() const noexcept { return sets_; }
  [[nodiscard]] std::span<const Shadowed> shadowed() const noexcept { return shadowed_; }
  /// The set for a name as a client sends it: exact, else by wildcard, else the first.
  /// RFC: 6066 section 3, 9525 section 6.3.
  [[nodiscard]] std::size_t find(std::string_view name) const noexcept;

 private:
  static constexpr std::size_t kNameBytesMax = 255;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };
  [[nodiscard]] std::size_t set_of(const std::vector<std::size_t>& entries);

  std::vector<std::vector<std::size_t>> sets_;
  std::vector<Shadowed> shadowed_;
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> places_;
};

}  // namespace limpet
