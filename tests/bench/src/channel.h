// SPDX-License-Identifier: Apache-2.0
#pragma once

// A socket with or without TLS on it, as the bench's programs need it, and the two TLS contexts.
// Whoever loads offers TLS 1.3 with AES-128-GCM and X25519 only, so that every proxy does the same
// cryptography. Is not for the daemon. Neighbours: socket.h below, h2.h above.

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tests/bench/src/socket.h"

namespace limpet::bench {

struct TlsDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using TlsContext = std::unique_ptr<SSL_CTX, TlsDeleter>;
using TlsSession = std::unique_ptr<SSL_SESSION, TlsDeleter>;

/// The one protocol that a context speaks, as ALPN writes it.
inline constexpr std::string_view kAlpnHttp1 = "\x08http/1.1";
inline constexpr std::string_view kAlpnHttp2 = "\x02h2";

namespace detail {

inline const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

inline int on_alpn(SSL*, const unsigned char** chosen, unsigned char* size,
                   const unsigned char* offered, unsigned offered_size, void* alpn) {
  const auto& ours = *static_cast<const std::string_view*>(alpn);
  unsigned char* out = nullptr;
  const int found = SSL_select_next_proto(
      &out, size, octets(ours), static_cast<unsigned>(ours.size()), offered, offered_size);
  *chosen = out;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

inline TlsContext new_context(const SSL_METHOD* method) {
  TlsContext context(SSL_CTX_new(method));
  if (!context) die("SSL_CTX_new");
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context.get(), 1);  // a record in one read, not its head and its body
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  return context;
}

}  // namespace detail

/// A server's context, with one session ticket and no session cache. `alpn` must outlive it.
inline TlsContext server_context(const char* cert, const char* key, const std::string_view& alpn) {
  TlsContext context = detail::new_context(TLS_server_method());
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 1);
  SSL_CTX_set_alpn_select_cb(context.get(), detail::on_alpn, const_cast<std::string_view*>(&alpn));
  if (SSL_CTX_use_certificate_chain_file(context.get(), cert) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), key, SSL_FILETYPE_PEM) != 1) {
    die("the certificate or its key");
  }
  return context;
}

/// A client's context, which believes any certificate.
inline TlsContext client_context(std::string_view alpn) {
  TlsContext context = detail::new_context(TLS_client_method());
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_alpn_protos(context.get(), detail::octets(alpn), static_cast<unsigned>(alpn.size()));
  if (SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256") != 1 ||
      SSL_CTX_set1_groups_list(context.get(), "X25519") != 1) {
    die("the TLS client's settings");
  }
  return context;
}

/// One connection's bytes, in clear to its user. Owns the socket; close() ends it.
class Channel {
 public:
  enum class Role { kServer, kClient };
  static constexpr ssize_t kBroken = -1;

  Channel() = default;

  /// TLS where there is a context; the socket then stops blocking. Borrows: the context.
  Channel(int fd, SSL_CTX* context, Role role) : fd_(fd) {
    if (context == nullptr) return;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    ssl_.reset(SSL_new(context));
    if (!ssl_ || SSL_set_fd(ssl_.get(), fd) != 1) die("SSL_new");
    role == Role::kServer ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
  }

  int fd() const { return fd_; }

  /// Whether bytes may be sent: there is no handshake to finish first.
  bool is_ready() const { return !ssl_ || SSL_is_init_finished(ssl_.get()) == 1; }

  /// Begins a client's handshake, if there is one; receive() goes on with it. (Not this: it would
  /// leave in here what came after the handshake, of which no event tells.)
  void shake() {
    ERR_clear_error();
    if (!is_ready()) SSL_do_handshake(ssl_.get());
  }

  /// The bytes received: 0 if none are there, kBroken at the end or at an error. `flags` are for
  /// recv, and mean nothing under TLS.
  ssize_t receive(char* to, size_t size, int flags = 0) {
    if (ssl_) return receive_tls(to, size);
    const ssize_t received = recv(fd_, to, size, MSG_DONTWAIT | flags);
    if (received > 0) return received;
    return received < 0 && errno == EAGAIN ? 0 : kBroken;
  }

  /// The bytes taken, 0 if the socket is full, or kBroken. Only when is_ready().
  ssize_t send(const char* data, size_t size) {
    if (ssl_) return send_tls(data, size);
    const ssize_t sent = ::send(fd_, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    return errno == EAGAIN ? 0 : kBroken;
  }

  /// Whether bytes wait in here, of which no event tells: the last receive() filled its buffer.
  bool has_more() const { return has_more_; }

  /// Offers a session to the server. Before the first send().
  void offer(SSL_SESSION* session) { SSL_set_session(ssl_.get(), session); }
  bool is_resumed() const { return ssl_ && SSL_session_reused(ssl_.get()) == 1; }

  /// What the next connection may resume.
  TlsSession session() const { return TlsSession(SSL_get1_session(ssl_.get())); }

  /// Tells the peer, under TLS, and closes the socket.
  void close() {
    if (ssl_ && is_ready()) {
      ERR_clear_error();
      SSL_shutdown(ssl_.get());
    }
    ssl_.reset();
    has_more_ = false;
    ::close(std::exchange(fd_, -1));
  }

 private:
  static constexpr size_t kRecordBytes = 16 * 1024;

  ssize_t receive_tls(char* to, size_t size) {
    size_t total = 0;
    has_more_ = false;
    do {
      ERR_clear_error();
      const int received = SSL_read(ssl_.get(), to + total, static_cast<int>(size - total));
      if (received <= 0)
        return total > 0 || is_waiting(received) ? static_cast<ssize_t>(total) : kBroken;
      total += static_cast<size_t>(received);
      has_more_ = total == size;
    } while (!has_more_ && SSL_has_pending(ssl_.get()) == 1);
    return static_cast<ssize_t>(total);
  }

  ssize_t send_tls(const char* data, size_t size) {
    size_t total = 0;
    while (total < size) {
      ERR_clear_error();
      const auto part = static_cast<int>(std::min(size - total, kRecordBytes));
      const int sent = SSL_write(ssl_.get(), data + total, part);
      if (sent <= 0) {
        if (!is_waiting(sent)) return kBroken;
        break;
      }
      total += static_cast<size_t>(sent);
    }
    return static_cast<ssize_t>(total);
  }

  bool is_waiting(int result) const {
    const int error = SSL_get_error(ssl_.get(), result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  int fd_ = -1;
  bool has_more_ = false;
  std::unique_ptr<SSL, TlsDeleter> ssl_;
};

}  // namespace limpet::bench
