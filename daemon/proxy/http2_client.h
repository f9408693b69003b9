// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2Client: a client's connection in HTTP/2: many streams, each with its relay. It reads frames,
// gives events to the streams they belong to, and ends politely. What one stream does is in
// http2_client_stream.h; HTTP/1 is client_connection.h.

#include <cstdint>
#include <vector>

#include "daemon/base/buffer.h"
#include "daemon/proxy/client_side.h"
#include "daemon/proxy/http2_client_stream.h"
#include "daemon/proxy/http2_connection.h"
#include "daemon/proxy/stream_table.h"

namespace limpet {

/// One client's HTTP/2 connection.
///
///   kOpen ──drain()──► kAnnounced ──ping answered, or kAnnounceFor──► kEnding
///     │   (GOAWAY: no new streams, please)      (GOAWAY: none above this one) │ last stream
///     └── idle too long, a breach, too much of something ──► kLingering ◄─────┘
///     └── broken, cut ──► closed ◄── the client has closed, or kLingerFor ──┘
///
/// Thread: its worker.
class Http2Client final : public Http2Connection, public ClientSide {
 public:
  Http2Client(WorkerRoom& room, Transport transport, ClientOrigin origin,
              const ListenerAtWork& listener);
  ~Http2Client() override;

  /// Begins to read, `bytes` first, which were read already.
  void start(Buffer bytes);

  void drain() override;
  void cut(Ending ending) override;

  // -- for its streams
  [[nodiscard]] WorkerRoom& room() noexcept { return room_; }
  [[nodiscard]] ClientFacts& facts() noexcept { return facts_; }
  /// The stream's exchange is over; what it queued may still have to be framed.
  void on_stream_over(Http2ClientStream& stream);

 private:
  enum class State : std::uint8_t { kOpen, kAnnounced, kEnding, kLingering };
  /// A response that was given whole to the codec, and waits for its client to open the window.
  struct Lingering {
    std::uint32_t stream;
    std::size_t bytes;
    Instant since;
  };

  void on_events(StreamEvents& events) override;
  void on_event(const StreamEvent& event);
  Arena& arena_for(std::uint32_t number) override;
  void on_stream_drained(std::uint32_t number) override;
  void on_turn_end() override;
  void on_concluded() override { end_streams(); }
  void on_over() override;
  [[nodiscard]] bool wants_input() const override {
    return (!is_concluding_ || state_ == State::kLingering) && has_room_for_answers();
  }
  void on_end_of_bytes() override { close(); }
  void on_broken() override { close(); }
  void on_drained() override;
  void on_progress() override;
  void on_deadline() override;

  /// Whoever takes no answers is not read from when so many wait; a replica is, which may wait for
  /// us to read before it does.
  [[nodiscard]] bool has_room_for_answers() const noexcept {
    return !is_write_blocked_ || http2().staged_bytes() < Http2Codec::kOutBytesMax;
  }
  void end_announcement();
  void close_if_unused();
  void forget_lingering(std::uint32_t number);
  void reset_stalled();
  void rest_if_quiet();
  [[nodiscard]] bool is_idle() const noexcept { return streams_.size() == 0 && lingering_.empty(); }
  [[nodiscard]] Instant due() const;
  void rearm();
  [[nodiscard]] bool is_past(Instant since, Duration patience) const;
  void give_up_blocked();
  void end_slow_head();
  void end_streams();
  void close();

  ClientOrigin origin_;
  ClientFacts facts_;
  StreamTable<Http2ClientStream> streams_;
  Http2ClientStream* touched_ = nullptr;  ///< those that the events being walked belong to
  std::vector<Lingering> lingering_;      ///< at most limits.http2_streams
  // What is waited for, since when; kNever where it is not.
  Instant announced_at_ = kNever;   ///< the answer to the ping behind the first GOAWAY
  Instant head_since_ = kNever;     ///< the rest of the preface, or of a field block
  Instant blocked_since_ = kNever;  ///< room in the socket
  Instant idle_since_ = kNever;     ///< the next stream; counts while there is none
  Instant said_all_at_ = kNever;    ///< the client's end
  Instant quiet_since_ = kNever;    ///< the next byte; counts while there is no stream
  State state_ = State::kOpen;
  bool has_rested_ = false;  ///< since then
};

}  // namespace limpet
