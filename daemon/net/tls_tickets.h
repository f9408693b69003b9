// SPDX-License-Identifier: Apache-2.0
#pragma once
// TicketKeys: the keys that seal and open session tickets, one object for all workers and
// listeners. Made by the kernel's randomness and rotated, or read from a file that instances share.
// What a ticket holds is OpenSSL's; which handshakes use it is tls_server.h's.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/net/tls_files.h"

namespace limpet {

/// One key: 16 bytes of name, 32 of AES-256, 32 of HMAC-SHA-256.
struct TicketKey {
  static constexpr std::size_t kNameBytes = 16;
  static constexpr std::size_t kSecretBytes = 32;
  std::array<std::uint8_t, kNameBytes> name;
  std::array<std::uint8_t, kSecretBytes> aes;
  std::array<std::uint8_t, kSecretBytes> hmac;
};

/// The keys in use: the first seals, all open.
/// Thread: changed by one thread; read by any, without a lock: a reader copies the key it needs and
/// copies again where the set changed meanwhile.
class TicketKeys {
 public:
  static constexpr std::size_t kKeysMax = 16;
  static constexpr std::size_t kKeyBytes = 80;

  /// A fresh key now, and another every `period`.
  /// Errors: the kernel gives no random bytes.
  [[nodiscard]] static Result<std::shared_ptr<TicketKeys>> rotating(Duration period, Instant now);
  /// The keys of a file: one base64 key of 80 bytes a line, "#" begins a comment.
  /// Errors: names the file, the line, and what was expected.
  [[nodiscard]] static Result<std::shared_ptr<TicketKeys>> from_file(const std::string& path);

  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;
  ~TicketKeys();

  /// Makes a new first key where the period is over, keeps the one before for one more period and
  /// wipes what is older; with a file, nothing.
  /// Errors: the kernel gives no random bytes; the keys stay.
  Result<bool> rotate(Instant now);
  /// When rotate() has something to do next; kNever with a file.
  [[nodiscard]] Instant next_rotation() const noexcept { return next_rotation_; }
  /// How long a ticket is worth offering: the period, at most a day.
  [[nodiscard]] Duration lifetime() const noexcept { return lifetime_; }

  /// Reads the file again where it changed on disk; says whether it did.
  /// Errors: as from_file(); the keys stay.
  Result<bool> reread();
  /// "" for rotating keys.
  [[nodiscard]] const std::string& file() const noexcept { return file_.path; }

  /// Which of the keys opens a ticket.
  enum class Found : std::uint8_t { kNone, kFirst, kOlder };
  /// Copies the key that seals now. Errors: false where there is none.
  /// Thread: any.
  [[nodiscard]] bool copy_first(TicketKey& out) const noexcept;
  /// Copies the key of that name.
  /// Thread: any.
  [[nodiscard]] Found copy_named(const std::uint8_t* name, TicketKey& out) const noexcept;
  [[nodiscard]] std::size_t count() const noexcept;

 private:
  static constexpr std::size_t kWords = kKeyBytes / sizeof(std::uint64_t);
  using Words = std::array<std::uint64_t, kWords>;
  struct Keys;  // what is put in place of the present ones
  struct Set {
    std::array<std::array<std::atomic<std::uint64_t>, kWords>, kKeysMax> words{};
    std::atomic<std::size_t> count{0};
  };

  TicketKeys() = default;
  [[nodiscard]] static Result<Keys> parse(std::string_view text, const std::string& name);
  void replace(const Keys& keys) noexcept;
  static void fill(Set& set, const Keys& keys) noexcept;
  [[nodiscard]] static Words copy_at(const Set& set, std::size_t index) noexcept;
  /// Copies the first key, or the one of that name; kKeysMax where there is none, else its place.
  [[nodiscard]] std::size_t copy_if_named(const std::uint8_t* name, TicketKey& out) const noexcept;

  std::atomic<std::uint32_t> version_{0};  // its last bit says which of the sets is the present one
  std::array<Set, 2> sets_;

  // Of the thread that changes them.
  FileMark file_;
  Duration period_ = kForever;
  Duration lifetime_ = std::chrono::hours(12);
  Instant next_rotation_ = kNever;
};

}  // namespace limpet
