// SPDX-License-Identifier: Apache-2.0
#pragma once
// ClientConnection: the client's side in HTTP/1. It turns requests into relays, one at a time, and
// writes what they answer; pipelined requests wait. What happens to a request is the relay's
// business (relay.h). Neighbours: http2_client.h is the other version; doorway.h comes before both.

#include <cstdint>
#include <string_view>

#include "daemon/module/exchange.h"
#include "daemon/proxy/client_side.h"
#include "daemon/proxy/client_stream.h"
#include "daemon/proxy/connection.h"

namespace limpet {

class Relay;
struct ListenerAtWork;

/// One client's connection.
///
///   kIdle ──first byte──► kHead ──head──► kBusy ──response and request done──► kIdle
///     │                     │408            │                                    │ last of the
///     connection └──── idle, drain ────┴───────────────┴──────────────► kLingering ──► closed
///
/// Owns: its relay. Thread: its worker.
class ClientConnection final : public Connection, public ClientSide, public ClientStream {
 public:
  ClientConnection(WorkerRoom& room, Transport transport, ClientOrigin origin,
                   const ListenerAtWork& listener);
  ~ClientConnection() override;

  /// Begins to read.
  void start();

  void drain() override;
  void cut(Ending ending) override;

  void send_informational(const ResponseHead& head) override;
  void send_head(const ResponseHead& head) override;
  void send_body(std::string_view bytes) override;
  void send_end(const HeaderList* trailers) override;
  void enter_tunnel() override;
  void end_writing() override;
  void abort() override;
  void on_exchange_done(Relay& relay) override;
  void flush() override { write_out(); }
  [[nodiscard]] std::size_t queued_bytes() const noexcept override { return out_.size(); }
  void pause_reading() override { pause(); }
  void resume_reading() override {
    if (is_paused_) resume_request();
  }
  [[nodiscard]] bool is_request_complete() const noexcept override {
    return http1().has_read_message();
  }
  [[nodiscard]] bool carries_body() const noexcept override { return http1().carries_body(); }
  [[nodiscard]] bool has_ended_reading() const noexcept override { return has_ended_; }
  void close_after_this() noexcept override { http1().close_after_this(); }
  [[nodiscard]] ClientFacts& facts() noexcept override { return facts_; }

 private:
  enum class State : std::uint8_t { kIdle, kHead, kBusy, kLingering };

  void on_events(StreamEvents& events) override;
  Arena& arena_for(std::uint32_t stream) override;
  void on_end_of_bytes() override;
  void on_broken() override;
  void on_drained() override;
  void on_progress() override;
  [[nodiscard]] bool wants_input() const override;
  [[nodiscard]] bool is_preface(std::string_view bytes) override;
  void on_deadline() override;
  void on_errand() override;

  /// Nothing comes behind what was fed.
  void end_input();
  void count_in();
  [[gnu::noinline]] void become_http2();
  void begin_relay(RequestHead& head);
  void on_fault(const StreamEvent& event);
  void refuse(std::uint16_t status, std::string_view detail, std::string_view accept = {});
  void become_idle();
  void resume_request();
  void linger();
  void reset_at_close() noexcept;
  void close();
  void arm(Duration after);
  [[nodiscard]] bool owes_body() const noexcept {
    return !is_tunnel_ && !is_paused_ && !awaits_continue_ && !is_request_complete();
  }

  ClientOrigin origin_;
  Relay* relay_ = nullptr;
  Arena* fresh_arena_ = nullptr;  ///< for the head that is being read
  ClientFacts facts_;
  State state_ = State::kIdle;
  bool is_draining_ = false;
  bool is_tunnel_ = false;
  bool awaits_continue_ = false;  ///< it was told to wait before it sends its body
  bool ends_after_flush_ = false;
  bool is_counted_ = false;  ///< among the listener's connections of HTTP/1
  bool is_http2_ = false;    ///< what was read begins an HTTP/2 connection
};

}  // namespace limpet
