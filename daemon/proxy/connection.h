// SPDX-License-Identifier: Apache-2.0
#pragma once
// Connection: what both sides share: a transport, a codec, the bytes that wait, and the turn: read,
// feed, walk the events, flush. It does not know what a request is for. Neighbours:
// client_connection.h, replica_connection.h.

#include <cstdint>
#include <string_view>
#include <variant>

#include "daemon/base/buffer.h"
#include "daemon/event/loop.h"
#include "daemon/event/timer.h"
#include "daemon/event/watch.h"
#include "daemon/http/codec.h"
#include "daemon/net/transport.h"

namespace limpet {

class WorkerRoom;

/// One side's connection.
///
///   read ──► feed ──► events ──► relay ──► the other connection's queue ──► flush
///
/// Nothing is buffered that can be sent: body bytes go from the worker's scratch memory, where they
/// were read, straight into the other socket's write; only what that socket does not take is kept,
/// and then this side stops reading. Lifetime: closed at once, destroyed at the end of the turn.
class Connection : public Mortal,
                   protected Watch::Owner,
                   protected Errand,
                   protected Timer::Owner,
                   protected HeadHome {
 public:
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() override = default;

  [[nodiscard]] bool is_closed() const noexcept { return !transport_.is_open(); }

 protected:
  Connection(WorkerRoom& room, Transport transport, Codec codec) noexcept;

  /// Registers for readiness, once.
  void watch();
  /// Writes what is queued, as far as the socket takes it.
  void write_out();
  /// Reads nothing until resumed.
  void pause() noexcept { is_paused_ = true; }
  void resume();
  /// HTTP/1: queues body bytes with their framing; large pieces go to the socket at once, past the
  /// queue.
  void queue_body(std::string_view bytes);
  /// Whether the socket has taken all that was queued.
  [[nodiscard]] bool is_all_written() const noexcept {
    return out_.is_empty() && !transport_.has_pending_output();
  }
  /// Closes the socket and hands this object to the graveyard. The caller returns without touching
  /// it again.
  void close_now();
  /// Reads and feeds while there is something to read and somebody to take it.
  void pump();
  /// Feeds bytes that had to wait (a pipelined request).
  [[gnu::noinline]] void feed_waiting();

  // What the two sides do differently.
  virtual void on_events(StreamEvents& events) = 0;
  /// The other side has ended its half, after everything it sent was fed.
  virtual void on_end_of_bytes() = 0;
  /// The socket is broken.
  virtual void on_broken() = 0;
  /// Everything queued has been taken by the socket, after some of it had to wait.
  virtual void on_drained() = 0;
  /// Bytes of a message moved, in either direction, or a write has begun to wait: a stall timer may
  /// start again.
  virtual void on_progress() {}
  /// Whether what the other side has sent already is worth reading when it takes no more (a
  /// replica's early answer).
  [[nodiscard]] virtual bool outlives_failed_write() const { return false; }
  /// Whether bytes that arrive now should be fed; otherwise they stay in the kernel, or in `in_`
  /// once read. HTTP/1: asked only while bytes wait in `in_`.
  [[nodiscard]] virtual bool wants_input() const = 0;
  /// A blocked write, which is what a connection that is not yet connected has, may go on.
  virtual void on_writable() {}
  /// HTTP/2: bytes were read, which may call for an answer though they made no event.
  virtual void on_fed() {}
  /// HTTP/1, while `awaits_preface_`: whether `bytes` begin another protocol's connection, so that
  /// they are left in `in_` for it.
  [[nodiscard]] virtual bool is_preface(std::string_view) { return false; }

  void on_ready(Readiness ready) final;
  void on_errand() override;
  void on_timer(Timer& timer) final;
  virtual void on_deadline() = 0;
  /// Whether the other side has taken something of a blocked write since this was asked last.
  [[nodiscard]] bool is_taking() noexcept;

  [[nodiscard]] Http1Codec& http1() noexcept { return *std::get_if<Http1Codec>(&codec_); }
  [[nodiscard]] const Http1Codec& http1() const noexcept {
    return *std::get_if<Http1Codec>(&codec_);
  }
  [[nodiscard]] Http2Codec& http2() noexcept { return *std::get_if<Http2Codec>(&codec_); }
  [[nodiscard]] const Http2Codec& http2() const noexcept {
    return *std::get_if<Http2Codec>(&codec_);
  }

  WorkerRoom& room_;
  Transport transport_;
  Codec codec_;
  Buffer in_;   ///< read and not yet understood: part of a head, or the next pipelined request
  Buffer out_;  ///< written and not yet taken
  Watch watch_;
  Timer timer_;
  std::uint32_t untaken_bytes_ = 0;  ///< of a blocked write, when is_taking() looked last
  bool is_readable_ = false;         ///< the last edge has not been read out
  bool is_ending_ =
      false;  ///< an edge said that the other half is closed: read to the end of bytes
  bool has_ended_ = false;  ///< the end of bytes was read
  bool is_paused_ = false;
  bool awaits_preface_ = false;    ///< nothing has been read that tells the protocol
  bool is_write_blocked_ = false;  ///< the socket takes nothing now, or is not connected yet
  bool has_written_ = false;       ///< bytes of the present message went to the socket
  bool is_write_dead_ =
      false;  ///< the other side takes nothing more, but may have said something before
  bool is_cut_off_ = false;  ///< by a reset that the socket will not tell any more
  bool is_broken_ = false;   ///< the connection is of no more use; told at the end of the callback

 private:
  void read_once();
  [[gnu::noinline]] void write_on();
  [[nodiscard]] bool takes_more() const;
  [[nodiscard]] std::size_t decode(std::string_view bytes, StreamEvents& events);
  [[nodiscard]] bool is_at_rest(const Http1Codec& http1) const noexcept;
  void feed(std::string_view bytes);
  [[gnu::noinline]] void write_pieces(std::string_view body, std::string_view suffix);
  void break_soon();
  [[gnu::noinline]] void look_for_reset();
  void finish_callback();
};

}  // namespace limpet
