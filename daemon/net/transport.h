// SPDX-License-Identifier: Apache-2.0
#pragma once
// Transport: moves the bytes of one socket and says how it went. It knows nothing of HTTP and keeps no bytes. Plain for
// now; TLS becomes its second kind.

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include "daemon/base/fd.h"

namespace limpet {

/// How a read or a write went.
struct Moved {
  enum class How : unsigned char {
    kSome,     ///< `bytes` of them, at least one
    kBlocked,  ///< nothing now; the watch tells when
    kEnded,    ///< read: the other side closed its half
    kFailed,   ///< the connection is broken
  };
  How how = How::kBlocked;
  std::size_t bytes = 0;
};

/// One connected (or connecting) socket.
/// Owns: the descriptor.
class Transport {
 public:
  Transport() = default;
  explicit Transport(Fd fd) noexcept : fd_(std::move(fd)) {}

  [[nodiscard]] Moved read(std::span<char> into) noexcept {
    const ssize_t got = ::recv(fd_.number(), into.data(), into.size(), 0);
    if (got > 0) return {Moved::How::kSome, static_cast<std::size_t>(got)};
    if (got == 0) return {Moved::How::kEnded, 0};
    return {is_only_blocked() ? Moved::How::kBlocked : Moved::How::kFailed, 0};
  }
  [[nodiscard]] Moved write(std::span<iovec> pieces) noexcept {
    ssize_t sent = 0;
    if (pieces.size() == 1) {
      sent = ::send(fd_.number(), pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = pieces.data();
      message.msg_iovlen = pieces.size();
      sent = ::sendmsg(fd_.number(), &message, MSG_NOSIGNAL);
    }
    if (sent >= 0) return {Moved::How::kSome, static_cast<std::size_t>(sent)};
    return {is_only_blocked() ? Moved::How::kBlocked : Moved::How::kFailed, 0};
  }
  /// Ends our half: the other side reads the end of bytes.
  void end_writing() noexcept { ::shutdown(fd_.number(), SHUT_WR); }

  [[nodiscard]] int descriptor() const noexcept { return fd_.number(); }
  [[nodiscard]] bool is_open() const noexcept { return fd_.is_open(); }
  void close() noexcept { fd_.reset(); }

 private:
  [[nodiscard]] static bool is_only_blocked() noexcept {
    return errno == EAGAIN || errno == EINTR;
  }
  Fd fd_;
};

}  // namespace limpet
