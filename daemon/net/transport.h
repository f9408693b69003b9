// SPDX-License-Identifier: Apache-2.0
#pragma once
// Transport: moves the bytes of one socket and says how it went, plain or through TLS
// (tls_session.h). It knows nothing of HTTP, and plain it keeps no bytes; TLS may keep records that
// the socket did not take: has_pending_output().

#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/base/fd.h"
#include "daemon/base/kernel_call.h"
#include "daemon/net/moved.h"
#include "daemon/net/tls_session.h"

namespace limpet {

/// One connected (or connecting) socket.
/// Owns: the descriptor, and the TLS on it.
class Transport {
 public:
  Transport() = default;
  explicit Transport(Fd fd) noexcept : fd_(std::move(fd)) {}

  /// Speaks TLS from now on; handshake() is next. The session was made for this descriptor.
  void start_tls(std::unique_ptr<TlsSession> session) noexcept { tls_ = std::move(session); }
  [[nodiscard]] bool is_secure() const noexcept { return tls_ != nullptr; }
  /// The facts of the TLS, or null.
  [[nodiscard]] const TlsSession* tls() const noexcept { return tls_.get(); }
  /// Goes on with the TLS handshake; done at once on a plain socket.
  TlsSession::Progress handshake() {
    return tls_ ? tls_->handshake() : TlsSession::Progress::kDone;
  }
  /// Marks the handshake as failed for want of time.
  void on_handshake_timeout() {
    if (tls_) tls_->on_handshake_timeout();
  }

  [[nodiscard]] Moved read(std::span<char> into) {
    if (tls_ != nullptr) [[unlikely]]
      return tls_->read(into);
    const ssize_t got = receive(fd_.number(), into.data(), into.size());
    if (got > 0) return {Moved::How::kSome, static_cast<std::size_t>(got)};
    if (got == 0) return {Moved::How::kEnded, 0};
    return {is_only_blocked() ? Moved::How::kBlocked : Moved::How::kFailed, 0};
  }
  /// Whether more waits although a read was short: an end or an error behind its bytes, or what
  /// came with the handshake. Never on a plain socket.
  [[nodiscard]] bool has_more() const noexcept { return tls_ != nullptr && tls_->has_more(); }
  /// Whether TLS ended without saying so, and what was read may have been cut off.
  [[nodiscard]] bool ended_without_close_notify() const noexcept {
    return tls_ != nullptr && tls_->ended_without_close_notify();
  }

  [[nodiscard]] Moved write(std::span<iovec> pieces) {
    if (tls_ != nullptr) [[unlikely]]
      return tls_->write(pieces);
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    return moved_of(::sendmsg(fd_.number(), &message, MSG_NOSIGNAL));
  }
  /// The same with one piece, as nearly every message is.
  [[nodiscard]] Moved write(std::string_view piece) {
    if (tls_ != nullptr) [[unlikely]]
      return write_tls(piece);
    return moved_of(send(fd_.number(), piece.data(), piece.size()));
  }
  /// Whether bytes that write() took still wait for the socket: nothing has drained yet, and the
  /// next writable edge is flush_pending()'s.
  [[nodiscard]] bool has_pending_output() const noexcept {
    return tls_ != nullptr && tls_->has_pending_output();
  }
  /// Sends what waits: kSome once nothing does, kBlocked, kFailed.
  [[nodiscard]] Moved flush_pending() {
    return tls_ ? tls_->flush_pending() : Moved{Moved::How::kSome, 0};
  }
  /// Ends our half: the other side reads the end of bytes.
  void end_writing() {
    if (tls_) return tls_->end_writing();
    ::shutdown(fd_.number(), SHUT_WR);
  }

  /// The error that the socket has met and nobody has read yet, or 0; once it was asked for, the
  /// socket tells it no more. ECONNRESET is a reset; one behind the end of bytes is EPIPE. What
  /// came before a reset can still be read, and then seems to end there.
  [[nodiscard]] int take_error() const noexcept {
    int reason = 0;
    socklen_t length = sizeof reason;
    return ::getsockopt(fd_.number(), SOL_SOCKET, SO_ERROR, &reason, &length) == 0 ? reason : errno;
  }
  /// Bytes that the other side has not taken, in the kernel and in here.
  [[nodiscard]] std::size_t untaken_bytes() const noexcept {
    int bytes = 0;
    const std::size_t kept = tls_ ? tls_->pending_output_bytes() : 0;
    return ::ioctl(fd_.number(), SIOCOUTQ, &bytes) == 0 && bytes > 0
               ? kept + static_cast<std::size_t>(bytes)
               : kept;
  }
  /// Whether nothing has arrived: no bytes, no end, no error. Takes nothing away.
  [[nodiscard]] [[gnu::noinline]] bool is_silent() const {
    if (tls_) return tls_->is_silent();
    char byte = 0;
    return ::recv(fd_.number(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && is_only_blocked();
  }

  [[nodiscard]] int descriptor() const noexcept { return fd_.number(); }
  [[nodiscard]] bool is_open() const noexcept { return fd_.is_open(); }
  /// Closes the socket, without a close_notify: what was cut off must not look whole. Facts of the
  /// TLS stay until this object goes.
  void close() noexcept {
    if (tls_) tls_->forget_socket();
    fd_.reset();
  }

 private:
  [[nodiscard]] static Moved moved_of(ssize_t sent) noexcept {
    if (sent >= 0) return {Moved::How::kSome, static_cast<std::size_t>(sent)};
    return {is_only_blocked() ? Moved::How::kBlocked : Moved::How::kFailed, 0};
  }
  [[gnu::noinline]] Moved write_tls(std::string_view piece) {
    const iovec only{
        const_cast<char*>(piece.data()),  // NOLINT(cppcoreguidelines-pro-type-const-cast)
        piece.size()};
    return tls_->write({&only, 1});
  }
  // glibc's recv() and send() are places where a thread may be cancelled, which costs more
  // instructions than all the rest of them. No thread is ever cancelled here.
  [[nodiscard]] static ssize_t receive(int descriptor, void* into, std::size_t bytes) noexcept {
#if defined(SYS_recvfrom)
    return kernel_call(SYS_recvfrom, descriptor, into, bytes, 0);
#else
    return ::recv(descriptor, into, bytes, 0);
#endif
  }
  [[nodiscard]] static ssize_t send(int descriptor, const void* from, std::size_t bytes) noexcept {
#if defined(SYS_sendto)
    return kernel_call(SYS_sendto, descriptor, from, bytes, MSG_NOSIGNAL);
#else
    return ::send(descriptor, from, bytes, MSG_NOSIGNAL);
#endif
  }
  [[nodiscard]] static bool is_only_blocked() noexcept { return errno == EAGAIN || errno == EINTR; }
  std::unique_ptr<TlsSession> tls_;  // null: plain
  Fd fd_;
};

}  // namespace limpet
