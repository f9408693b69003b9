// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2ClientStream: one request of an HTTP/2 client and its response, as the relay sees them.
// Neighbours: http2_client.h is the connection it belongs to; client_stream.h the interface.

#include <cstdint>
#include <string_view>

#include "daemon/base/arena.h"
#include "daemon/base/buffer.h"
#include "daemon/event/timer.h"
#include "daemon/proxy/client_stream.h"
#include "daemon/proxy/stream_table.h"

namespace limpet {

class Http2Client;

/// One stream.
///
///   head arriving ──► relay at work ──► over (unlinked; its memory goes with its exchange)
///
/// Lives in its exchange's arena, which forgets it without a destructor. Borrows: its connection,
/// which outlives it.
class Http2ClientStream final : public ClientStream,
                                public StreamNode<Http2ClientStream>,
                                private Timer::Owner {
 public:
  Http2ClientStream(Http2Client& connection, Arena& arena) noexcept;
  ~Http2ClientStream();

  // -- from the connection
  [[nodiscard]] Arena& arena() noexcept { return arena_; }
  [[nodiscard]] Relay* relay() const noexcept { return relay_; }
  /// Whether it ever became an exchange, which then owns the memory.
  [[nodiscard]] bool has_had_exchange() const noexcept { return has_had_exchange_; }
  void begin(RequestHead& head);
  void refuse(std::uint16_t status, std::string_view detail, std::string_view accept = {});
  void on_body(std::string_view bytes);
  void on_trailers(HeaderList& trailers);
  void on_end();
  /// The client reset the stream, or broke a rule and limpet did.
  void on_reset();
  void on_fault(std::uint16_t status, std::string_view reason, std::string_view accept);
  void on_drained();

  void send_informational(const ResponseHead& head) override;
  void send_head(const ResponseHead& head) override;
  void send_body(std::string_view bytes) override;
  void send_end(const HeaderList* trailers) override;
  void enter_tunnel() override;
  void end_writing() override;
  void abort() override;
  void cut(Ending ending) override;
  void on_exchange_done(Relay& relay) override;
  void flush() override;
  [[nodiscard]] std::size_t queued_bytes() const noexcept override;
  void pause_reading() override { is_paused_ = true; }
  void resume_reading() override;
  [[nodiscard]] bool is_request_complete() const noexcept override { return has_ended_; }
  [[nodiscard]] bool carries_body() const noexcept override;
  [[nodiscard]] bool has_ended_reading() const noexcept override {
    return has_ended_ && is_upgrade_ && early_.is_empty();
  }
  void close_after_this() noexcept override {}
  [[nodiscard]] ClientFacts& facts() noexcept override;

  Http2ClientStream* next_touched = nullptr;  ///< the connection's list while it walks events
  bool is_touched = false;

 private:
  void on_timer(Timer& timer) override;
  void expect_progress();
  [[nodiscard]] bool owes_body() const noexcept {
    return !has_ended_ && !is_tunnel_ && !is_upgrade_ && !is_paused_ && !awaits_continue_;
  }
  /// Of the response, what was given has been framed and so has had a window.
  [[nodiscard]] std::uint64_t taken_bytes() const noexcept;
  void send_early();
  void lose(std::uint32_t error);

  Http2Client& connection_;
  Arena& arena_;
  Relay* relay_ = nullptr;
  Buffer early_;  ///< bytes of a tunnel that is not there yet; a window bounds them
  Timer timer_;   ///< of a client that takes nothing, or sends nothing of what it owes
  std::size_t uncredited_bytes_ = 0;
  std::uint64_t given_bytes_ = 0;   ///< of the response's body
  std::uint64_t taken_before_ = 0;  ///< when the timer was armed last
  bool has_ended_ = false;
  bool is_paused_ = false;
  bool awaits_continue_ = false;  ///< it was told to wait before it sends its body
  bool is_upgrade_ = false;
  bool is_tunnel_ = false;
  bool is_over_ = false;
  bool is_stalled_ = false;  ///< it is given up for taking or sending nothing
  bool has_had_exchange_ = false;
};

}  // namespace limpet
