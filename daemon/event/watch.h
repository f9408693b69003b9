// SPDX-License-Identifier: Apache-2.0
#pragma once
// Watch: readiness of one descriptor, told to one owner. Edge-triggered and registered once, for
// both directions: the owner remembers what it was told. Not a buffer, not a socket.

#include <cstddef>
#include <cstdint>

namespace limpet {

class Loop;

/// What an edge said, in one word.
class Readiness {
 public:
  static constexpr unsigned kReadable = 0x02;
  static constexpr unsigned kWritable = 0x04;
  static constexpr unsigned kEnding = 0x80;

  constexpr Readiness() = default;
  /// Some of the constants above, or-ed together; other bits say nothing.
  explicit constexpr Readiness(unsigned bits) noexcept : bits_(bits) {}

  [[nodiscard]] bool is_readable() const noexcept { return (bits_ & kReadable) != 0; }
  [[nodiscard]] bool is_writable() const noexcept { return (bits_ & kWritable) != 0; }
  /// The other side has closed its half: read on until the end of bytes, even after a short read.
  [[nodiscard]] bool is_ending() const noexcept { return (bits_ & kEnding) != 0; }

 private:
  unsigned bits_ = 0;
};

/// Readiness of one descriptor.
/// Borrows: the descriptor. Lifetime: a member of its owner; stops when destroyed.
class Watch {
 public:
  struct Owner {
    virtual void on_ready(Readiness ready) = 0;

   protected:
    ~Owner() = default;
  };
  enum class Trigger : std::uint8_t {
    kEdgeBoth,   ///< connections
    kLevelRead,  ///< listening sockets, mailboxes
  };

  explicit Watch(Owner& owner) noexcept : owner_(&owner) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { stop(); }

  void start(Loop& loop, int descriptor, Trigger trigger);
  void stop() noexcept;
  [[nodiscard]] bool is_running() const noexcept { return loop_ != nullptr; }

 private:
  friend struct WatchTrampolines;
  static constexpr std::size_t kEventBytes = 128;

  Owner* owner_;
  Loop* loop_ = nullptr;
  alignas(8) unsigned char event_[kEventBytes];
};

}  // namespace limpet
