// SPDX-License-Identifier: Apache-2.0
// The records of a session: OpenSSL reads from and writes to these functions instead of a socket,
// so that one receive takes in many records, and one send many out.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/net/tls_session.h"

namespace limpet {
namespace {

constexpr std::size_t kRecordBytes = SSL3_RT_MAX_PLAIN_LENGTH;  // RFC 8446 section 5.1
// Plain bytes whose records one send takes.
constexpr std::size_t kStagedBytesMax = 8 * kRecordBytes;
// Header, nonce, tag and padding of one record, at the most.
constexpr std::size_t kOverheadBytes = 64;
// A client that provokes answers (refused renegotiations, key updates) and takes none is cut off
// here; a write alone never comes so far.
constexpr std::size_t kPendingBytesMax = 2 * kStagedBytesMax;
// See Transport: no thread is ever cancelled here.
ssize_t transmit(int descriptor, std::string_view bytes) noexcept {
#if defined(SYS_sendto)
  return ::syscall(SYS_sendto, descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL, nullptr, 0);
#else
  return ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
#endif
}

/// A block of the thread's cache, for the time of one call.
class ScratchBlock {
 public:
  explicit ScratchBlock(std::size_t bytes) : block_(buffer_.reserve(bytes)) {}
  ScratchBlock(const ScratchBlock&) = delete;
  ScratchBlock& operator=(const ScratchBlock&) = delete;
  [[nodiscard]] char* data() noexcept { return block_; }

 private:
  Buffer buffer_;
  char* block_;
};

}  // namespace

/// What is left of the pieces of a write.
class TlsSession::Pieces {
 public:
  explicit Pieces(std::span<const iovec> pieces) noexcept : pieces_(pieces) { skip_empty(); }

  [[nodiscard]] bool is_empty() const noexcept { return pieces_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept {
    std::size_t bytes = 0;
    for (const iovec& piece : pieces_)
      bytes += piece.iov_len;
    return bytes - offset_;
  }
  /// The rest of the first piece.
  [[nodiscard]] std::string_view front() const noexcept {
    const iovec& piece = pieces_.front();
    return std::string_view(static_cast<const char*>(piece.iov_base), piece.iov_len)
        .substr(offset_);
  }
  [[nodiscard]] bool has_one() const noexcept { return pieces_.size() == 1; }
  void advance(std::size_t bytes) noexcept {
    offset_ += bytes;
    skip_empty();
  }
  /// Copies the first bytes of all that is left; says how many.
  [[nodiscard]] std::size_t copy(char* out, std::size_t bytes_max) const noexcept {
    std::size_t bytes = 0;
    std::size_t skipped = offset_;
    for (const iovec& piece : pieces_) {
      const std::size_t part = std::min(piece.iov_len - skipped, bytes_max - bytes);
      std::memcpy(out + bytes, static_cast<const char*>(piece.iov_base) + skipped, part);
      bytes += part;
      skipped = 0;
      if (bytes == bytes_max) break;
    }
    return bytes;
  }

 private:
  void skip_empty() noexcept {
    while (!pieces_.empty() && offset_ >= pieces_.front().iov_len) {
      offset_ -= pieces_.front().iov_len;
      pieces_ = pieces_.subspan(1);
    }
  }
  std::span<const iovec> pieces_;
  std::size_t offset_ = 0;  // into the first
};

// Notes of others on this thread would be taken for the reason of a failure here.
void TlsSession::begin_call() noexcept {
  if (ERR_peek_error() != 0) ERR_clear_error();
  inflow_ = Inflow::kUnknown;
  recvs_ = 0;
}

Moved TlsSession::read(std::span<char> into) {
  if (state_ != State::kEstablished) return {Moved::How::kFailed, 0};
  has_more_ = false;
  if (seen_ != Moved::How::kSome) return {seen_, 0};
  begin_call();
  std::size_t got = 0;
  while (got < into.size()) {
    std::size_t part = 0;
    const int result = SSL_read_ex(ssl_, into.data() + got, into.size() - got, &part);
    got += part;
    if (result == 1) {
      if (inflow_ != Inflow::kUnknown && SSL_has_pending(ssl_) == 0) break;
      continue;
    }
    const Moved::How how = on_read_stopped(result);
    if (how != Moved::How::kBlocked) seen_ = how;
    if (how != Moved::How::kBlocked || got > 0 || !looks_again()) break;
  }
  if (!out_.is_empty() && (!send_out() || out_.size() > kPendingBytesMax)) {
    seen_ = Moved::How::kFailed;
  }
  if (got == 0 && seen_ == Moved::How::kSome && is_exhausted()) {
    fail(TlsFailureCause::kOther, "nothing but protocol in all that was received");
  }
  if (got == 0) return {seen_ == Moved::How::kSome ? Moved::How::kBlocked : seen_, 0};
  has_more_ = seen_ != Moved::How::kSome || is_exhausted();
  return {Moved::How::kSome, got};
}

Moved::How TlsSession::on_read_stopped(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      if (socket_error_ != 0) return Moved::How::kFailed;
      if (!has_socket_ended_) return Moved::How::kBlocked;
      is_cut_off_ = true;
      return Moved::How::kEnded;
    case SSL_ERROR_ZERO_RETURN:
      return Moved::How::kEnded;
    default:
      fail_by_library();
      return Moved::How::kFailed;
  }
}

Moved TlsSession::write(std::span<const iovec> pieces) {
  if (state_ != State::kEstablished || !send_out()) return {Moved::How::kFailed, 0};
  if (!out_.is_empty()) return {Moved::How::kBlocked, 0};
  if (ERR_peek_error() != 0) ERR_clear_error();
  Pieces rest(pieces);
  std::size_t taken = 0;
  do {
    const std::size_t part = stage(rest);
    taken += part;
    const std::size_t staged = out_.size();
    if (state_ == State::kFailed || !send_out()) return {Moved::How::kFailed, 0};
    if (!out_.is_empty()) {
      // What waits may wait for long, in a block that was measured for much more.
      if (out_.size() <= staged / 4) {
        Buffer tight;
        tight.append(out_.view());
        out_ = std::move(tight);
      }
      break;
    }
    if (part == 0 && !rest.is_empty())
      return {taken > 0 ? Moved::How::kSome : Moved::How::kBlocked, taken};
  } while (!rest.is_empty());
  return {Moved::How::kSome, taken};
}

// Whole records are made straight from a piece; what is smaller is gathered with what follows,
// since each record costs a cipher's start, a tag, and the other side as much again.
std::size_t TlsSession::stage(Pieces& pieces) {
  const std::size_t total = std::min(pieces.size(), kStagedBytesMax);
  if (total == 0) return 0;
  if (output_ == Output::kGathered) {
    (void)out_.reserve(total + (total / kRecordBytes + 2) * kOverheadBytes);
  }
  std::size_t taken = 0;
  while (taken < total) {
    std::string_view bytes = pieces.front().substr(0, total - taken);
    std::optional<ScratchBlock> gathered;
    if (!pieces.has_one()) {
      if (bytes.size() >= kRecordBytes) {
        bytes = bytes.substr(0, bytes.size() / kRecordBytes * kRecordBytes);
      } else {
        gathered.emplace(kRecordBytes);
        bytes = {gathered->data(),
                 pieces.copy(gathered->data(), std::min(kRecordBytes, total - taken))};
      }
    }
    const std::size_t part = put(bytes);
    taken += part;
    pieces.advance(part);
    if (part < bytes.size()) break;
  }
  return taken;
}

std::size_t TlsSession::put(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    std::size_t part = 0;
    const int result = SSL_write_ex(ssl_, bytes.data() + taken, bytes.size() - taken, &part);
    taken += part;
    if (result == 1) continue;
    if (SSL_get_error(ssl_, result) != SSL_ERROR_WANT_WRITE) fail_by_library();
    break;
  }
  return taken;
}

// False where the socket is broken; what it does not take stays.
bool TlsSession::send_out() {
  if (out_.is_empty()) return true;
  const ssize_t sent = transmit(descriptor_, out_.view());
  if (sent < 0) {
    if (errno == EAGAIN || errno == EINTR) return true;
    socket_error_ = errno;
    out_.clear();
    return false;
  }
  out_.consume(static_cast<std::size_t>(sent));
  if (out_.is_empty() && ends_when_flushed_) ::shutdown(descriptor_, SHUT_WR);
  return true;
}

Moved TlsSession::flush_pending() {
  const std::size_t before = out_.size();
  if (!send_out()) return {Moved::How::kFailed, 0};
  return {out_.is_empty() ? Moved::How::kSome : Moved::How::kBlocked, before - out_.size()};
}

void TlsSession::end_writing() {
  if (state_ == State::kEstablished && !ends_when_flushed_) {
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  ends_when_flushed_ = true;
  if (out_.is_empty()) {
    ::shutdown(descriptor_, SHUT_WR);
  } else {
    (void)send_out();
  }
}

bool TlsSession::is_silent() {
  if (state_ != State::kEstablished || seen_ != Moved::How::kSome || has_more_) return false;
  char byte = 0;
  if (SSL_has_pending(ssl_) == 0 && early_.is_empty() &&
      ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
    return errno == EAGAIN || errno == EINTR;
  }
  begin_call();
  Moved::How how{};
  do {
    std::size_t peeked = 0;
    const int result = SSL_peek_ex(ssl_, &byte, 1, &peeked);
    if (result == 1) return false;
    how = on_read_stopped(result);
  } while (how == Moved::How::kBlocked && looks_again());
  const bool is_sound = send_out();
  if (how != Moved::How::kBlocked) seen_ = how;
  return how == Moved::How::kBlocked && is_sound && !is_exhausted();
}

}  // namespace limpet
