// SPDX-License-Identifier: Apache-2.0
// The socket of a session as OpenSSL sees it: it reads from and writes to these functions, so that
// one receive takes in many records, and one send takes many out.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/net/tls_session.h"

namespace limpet {
namespace {

// Receives in one call, so that other connections get their turn. So many without a byte for the
// connection are abuse.
constexpr std::uint8_t kRecvsMax = 8;
// The first byte of a handshake record and of an alert (RFC 8446 section 5.1), and the bit that
// begins the old form of a hello (RFC 5246 appendix E.2).
constexpr unsigned char kHandshakeType = 22;
constexpr unsigned char kAlertType = 21;
constexpr unsigned char kOldHelloBit = 0x80;

// See Transport: no thread is ever cancelled here.
ssize_t receive(int descriptor, void* into, std::size_t bytes) noexcept {
#if defined(SYS_recvfrom)
  return ::syscall(SYS_recvfrom, descriptor, into, bytes, 0, nullptr, nullptr);
#else
  return ::recv(descriptor, into, bytes, 0);
#endif
}

}  // namespace

/// The socket as OpenSSL sees it. An end or an error is noted and shown to OpenSSL as
/// mere emptiness: it would make the session unusable for writing, too, which a half-closed
/// connection is not.
struct TlsSession::Hooks {
  static int read(BIO* bio, char* into, std::size_t bytes, std::size_t* got) {
    TlsSession& self = *static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *got = self.early_.is_empty() ? from_socket(self, into, bytes) : from_early(self, into, bytes);
    if (*got == 0) {
      BIO_set_retry_read(bio);
      return 0;
    }
    if (!self.has_first_byte_) [[unlikely]]
      note_first_byte(self, static_cast<unsigned char>(*into));
    return 1;
  }

  static std::size_t from_early(TlsSession& self, char* into, std::size_t bytes) {
    const std::size_t part = std::min(bytes, self.early_.size());
    std::memcpy(into, self.early_.view().data(), part);
    self.early_.consume(part);
    return part;
  }

  static std::size_t from_socket(TlsSession& self, char* into, std::size_t bytes) {
    if (self.inflow_ != Inflow::kUnknown) return 0;
    const ssize_t got = receive(self.descriptor_, into, bytes);
    ++self.recvs_;
    if (got > 0) {
      const auto count = static_cast<std::size_t>(got);
      if (count < bytes) self.inflow_ = Inflow::kLikelyEmpty;
      if (self.is_exhausted()) self.inflow_ = Inflow::kEmpty;
      return count;
    }
    self.inflow_ = Inflow::kEmpty;
    if (got == 0) {
      self.has_socket_ended_ = true;
    } else if (errno != EAGAIN && errno != EINTR) {
      self.socket_error_ = errno;
    }
    return 0;
  }

  static void note_first_byte(TlsSession& self, unsigned char byte) {
    self.has_first_byte_ = true;
    const bool is_record = byte == kHandshakeType;
    self.is_not_tls_ = self.side_ == Side::kServer ? !is_record && (byte & kOldHelloBit) == 0
                                                   : !is_record && byte != kAlertType;
  }

  static int write(BIO* bio, const char* bytes, std::size_t count, std::size_t* taken) {
    TlsSession& self = *static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    self.out_.append({bytes, count});
    *taken = count;
    return 1;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO_METHOD* make_method() {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "limpet");
    CHECK_THAT(method != nullptr);
    BIO_meth_set_read_ex(method, read);
    BIO_meth_set_write_ex(method, write);
    BIO_meth_set_ctrl(method, control);
    return method;
  }
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = make_method();
    return made;
  }
};

bool TlsSession::attach_socket(Output output) {
  BIO* both = BIO_new(Hooks::method());
  if (both == nullptr) return false;
  BIO_set_data(both, this);
  BIO_set_init(both, 1);
  SSL_set_app_data(ssl_, this);
  output_ = output;
  if (output == Output::kGathered) {
    SSL_set_bio(ssl_, both, both);
    return true;
  }
  BIO* socket = BIO_new_socket(descriptor_, BIO_NOCLOSE);
  SSL_set_bio(ssl_, both, socket);
  SSL_set_options(ssl_, SSL_OP_ENABLE_KTLS);
  SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return socket != nullptr;
}

// Where the kernel has not taken over, records are gathered as if it had not been asked.
void TlsSession::settle_output() {
  if (output_ != Output::kBySocket) return;
  if (BIO_get_ktls_send(SSL_get_wbio(ssl_)) != 0) {
    output_ = Output::kByKernel;
    return;
  }
  output_ = Output::kGathered;
  SSL_clear_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE);
  BIO* both = SSL_get_rbio(ssl_);
  BIO_up_ref(both);
  SSL_set0_wbio(ssl_, both);
}

bool TlsSession::is_exhausted() const noexcept { return recvs_ >= kRecvsMax; }

// To say that nothing came, one has to be sure: behind a short receive that brought no byte for the
// connection there may be an end that came with the same edge.
bool TlsSession::looks_again() noexcept {
  if (inflow_ != Inflow::kLikelyEmpty) return false;
  inflow_ = Inflow::kUnknown;
  return true;
}

}  // namespace limpet
