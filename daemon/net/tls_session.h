// SPDX-License-Identifier: Apache-2.0
#pragma once
// TlsSession: the TLS of one connection: its handshake, its facts, and its records. It reads and
// writes a socket that the Transport owns (transport.h), never waits and knows no clock. What all
// handshakes share is tls_server.h's and tls_client.h's.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <sys/uio.h>

#include "daemon/base/buffer.h"
#include "daemon/net/moved.h"
#include "daemon/net/tls_failure.h"

struct ssl_ctx_st;
struct ssl_st;
struct ssl_session_st;

namespace limpet {

class TlsClientContext;
class TlsServerContext;
class TlsSessionTicket;

/// What both sides agreed to speak.
enum class Alpn : std::uint8_t {
  kNone,   ///< nothing was said: HTTP/1.1
  kHttp1,  ///< http/1.1
  kHttp2,  ///< h2
};

/// One connection's TLS.
///
///   handshake() ──► kWantsRead / kWantsWrite ──► … ──► kDone ──► read() write() … end_writing()
///        └────────► kFailed: failure() says why; the alert for the other side has been sent
///
/// Bytes that came behind the handshake wait in here, where no edge tells of them: after kDone the
/// connection reads once without being told to.
/// Borrows: the descriptor, which stays open as long as this lives. Thread: one.
class TlsSession {
 public:
  enum class Progress : std::uint8_t { kDone, kWantsRead, kWantsWrite, kFailed };

  /// The replica that is connected to.
  struct Target {
    std::string_view host;  ///< expected in its certificate where the pool sets no server_name
    std::shared_ptr<TlsSessionTicket>
        ticket;  ///< to resume with, and to keep a new one in; may be null
  };

  /// Begins the side of the server. Errors: null without memory.
  [[nodiscard]] static std::unique_ptr<TlsSession> accept(
      const std::shared_ptr<const TlsServerContext>& context, int descriptor);
  /// Begins the side of the client. Errors: null without memory, or without a name to expect.
  [[nodiscard]] static std::unique_ptr<TlsSession> connect(
      const std::shared_ptr<const TlsClientContext>& context, int descriptor, Target target);

  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  ~TlsSession();

  /// Bytes that were read from the socket before TLS began (behind a PROXY header).
  void feed_first(std::string_view bytes) { early_.append(bytes); }

  /// Goes on with the handshake as far as the socket allows. kDone means that all of it has been
  /// sent, too.
  Progress handshake();
  [[nodiscard]] bool is_established() const noexcept { return state_ == State::kEstablished; }
  /// Marks the handshake as failed for want of time.
  void on_handshake_timeout();
  /// Why the handshake failed, or a read or write after it.
  [[nodiscard]] const TlsFailure& failure() const noexcept { return failure_; }

  // Facts, once established.
  [[nodiscard]] Alpn alpn() const noexcept { return alpn_; }
  [[nodiscard]] bool was_resumed() const noexcept;
  /// The subject of the client's verified certificate as text, "" where there is none.
  /// RFC: 2253. Cost: allocates; ask once a connection.
  [[nodiscard]] std::string client_subject() const;
  /// The name that the client asked for, "" where it did not. As sent: neither lower case nor
  /// checked.
  [[nodiscard]] std::string_view server_name() const noexcept;
  /// "TLSv1.2", "TLSv1.3".
  [[nodiscard]] std::string_view protocol() const noexcept;
  /// "TLS_AES_128_GCM_SHA256", …
  [[nodiscard]] std::string_view cipher() const noexcept;

  /// Reads until `into` is full or the socket is empty. A short read has emptied the socket, as
  /// with a plain one, unless has_more().
  [[nodiscard]] Moved read(std::span<char> into);
  /// Whether something that no edge will tell of waits in here: bytes behind the handshake, or an
  /// end or an error behind the bytes of a short read.
  [[nodiscard]] bool has_more() const noexcept { return has_more_; }
  /// Whether the other side's bytes ended without its close_notify: they may have been cut off.
  [[nodiscard]] bool ended_without_close_notify() const noexcept { return is_cut_off_; }

  /// Takes plain bytes, makes records of them and sends those in as few calls as possible. Bytes
  /// taken are those of the pieces; what the socket does not take of their records waits in here,
  /// and nothing more is taken before it has gone: kBlocked.
  [[nodiscard]] Moved write(std::span<const iovec> pieces);
  /// Whether records wait for the socket.
  [[nodiscard]] bool has_pending_output() const noexcept { return !out_.is_empty(); }
  [[nodiscard]] std::size_t pending_output_bytes() const noexcept { return out_.size(); }
  /// Sends waiting records: kSome once all have gone (`bytes` of them, perhaps none), kBlocked
  /// while some wait.
  Moved flush_pending();
  /// Says close_notify, and ends our half of the socket as soon as that has gone.
  void end_writing();

  /// The socket is about to be closed: its number may soon be another's. Facts stay.
  void forget_socket() noexcept { descriptor_ = -1; }

  /// Whether nothing has arrived that the connection would have to know: no bytes, no end, no
  /// error. Tickets that came meanwhile are taken in.
  [[nodiscard]] bool is_silent();

 private:
  struct Hooks;  // what OpenSSL calls, in tls_session_socket.cc
  class Pieces;  // what is left of a write's pieces, in tls_session_io.cc
  enum class Side : std::uint8_t { kServer, kClient };
  enum class State : std::uint8_t { kHandshaking, kEstablished, kFailed };
  /// Where written records go: through out_ in one send, or each by itself, which the kernel needs
  /// to make them (until the handshake tells whether it does, and from then on).
  enum class Output : std::uint8_t { kGathered, kBySocket, kByKernel };

  /// What is known of the socket in the present call: a short receive has most likely emptied it.
  enum class Inflow : std::uint8_t { kUnknown, kLikelyEmpty, kEmpty };

  TlsSession(Side side, int descriptor) noexcept : descriptor_(descriptor), side_(side) {}
  [[nodiscard]] bool open(ssl_ctx_st* context, Output output);
  [[nodiscard]] bool attach_socket(Output output);
  [[nodiscard]] bool expect_name(std::string_view name);
  void offer(const TlsSessionTicket& ticket);

  void begin_call() noexcept;
  [[nodiscard]] bool is_exhausted() const noexcept;
  [[nodiscard]] bool looks_again() noexcept;
  [[nodiscard]] Progress on_handshake_stopped(int result);
  void on_established();
  void settle_output();
  [[nodiscard]] Moved::How on_read_stopped(int result);
  [[nodiscard]] std::size_t stage(Pieces& pieces);
  [[nodiscard]] std::size_t put(std::string_view bytes);
  [[nodiscard]] bool send_out();
  void fail(TlsFailureCause cause, std::string text);
  void fail_by_library();
  void fail_by_socket();

  friend class TlsClientContext;
  static int on_new_session(ssl_st* ssl, ssl_session_st* session);

  ssl_st* ssl_ = nullptr;
  std::shared_ptr<const void> context_;  // whose callbacks OpenSSL holds
  std::shared_ptr<TlsSessionTicket> ticket_;
  std::uint64_t context_number_ = 0;  // under which ticket_ is kept
  TlsFailure failure_;
  Buffer early_;
  Buffer out_;  // records that the socket has not taken
  int descriptor_;
  int socket_error_ = 0;
  Side side_;
  State state_ = State::kHandshaking;
  Output output_ = Output::kGathered;
  Alpn alpn_ = Alpn::kNone;
  Moved::How seen_ = Moved::How::kSome;  // kEnded, kFailed: what every further read tells
  Inflow inflow_ = Inflow::kUnknown;
  std::uint8_t recvs_ = 0;  // in the present call
  bool has_socket_ended_ = false;
  bool has_first_byte_ = false;
  bool is_not_tls_ = false;
  bool has_more_ = false;
  bool is_cut_off_ = false;
  bool ends_when_flushed_ = false;
};

}  // namespace limpet
