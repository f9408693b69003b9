// SPDX-License-Identifier: Apache-2.0
#pragma once
// Transport: moves the bytes of one socket and says how it went. It knows nothing of HTTP and keeps
// no bytes. Plain for now; TLS becomes its second kind.

#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

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
    const ssize_t got = receive(fd_.number(), into.data(), into.size());
    if (got > 0) return {Moved::How::kSome, static_cast<std::size_t>(got)};
    if (got == 0) return {Moved::How::kEnded, 0};
    return {is_only_blocked() ? Moved::How::kBlocked : Moved::How::kFailed, 0};
  }
  [[nodiscard]] Moved write(std::span<iovec> pieces) noexcept {
    ssize_t sent = 0;
    if (pieces.size() == 1) {
      sent = send(fd_.number(), pieces[0].iov_base, pieces[0].iov_len);
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

  /// Whether the socket has met an error that nobody has read yet, such as a reset.
  [[nodiscard]] bool has_failed() const noexcept {
    int reason = 0;
    socklen_t length = sizeof reason;
    return ::getsockopt(fd_.number(), SOL_SOCKET, SO_ERROR, &reason, &length) != 0 || reason != 0;
  }
  /// Bytes in the kernel that the other side has not taken.
  [[nodiscard]] std::size_t untaken_bytes() const noexcept {
    int bytes = 0;
    return ::ioctl(fd_.number(), SIOCOUTQ, &bytes) == 0 && bytes > 0
               ? static_cast<std::size_t>(bytes)
               : 0;
  }
  /// Whether nothing has arrived: no bytes, no end, no error. Takes nothing away.
  [[nodiscard]] bool is_silent() const noexcept {
    char byte = 0;
    return ::recv(fd_.number(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && is_only_blocked();
  }

  [[nodiscard]] int descriptor() const noexcept { return fd_.number(); }
  [[nodiscard]] bool is_open() const noexcept { return fd_.is_open(); }
  void close() noexcept { fd_.reset(); }

 private:
  // glibc's recv() and send() are places where a thread may be cancelled, which costs more
  // instructions than all the rest of them. No thread is ever cancelled here.
  [[nodiscard]] static ssize_t receive(int descriptor, void* into, std::size_t bytes) noexcept {
#if defined(SYS_recvfrom)
    return ::syscall(SYS_recvfrom, descriptor, into, bytes, 0, nullptr, nullptr);
#else
    return ::recv(descriptor, into, bytes, 0);
#endif
  }
  [[nodiscard]] static ssize_t send(int descriptor, const void* from, std::size_t bytes) noexcept {
#if defined(SYS_sendto)
    return ::syscall(SYS_sendto, descriptor, from, bytes, MSG_NOSIGNAL, nullptr, 0);
#else
    return ::send(descriptor, from, bytes, MSG_NOSIGNAL);
#endif
  }
  [[nodiscard]] static bool is_only_blocked() noexcept { return errno == EAGAIN || errno == EINTR; }
  Fd fd_;
};

}  // namespace limpet
