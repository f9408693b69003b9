// SPDX-License-Identifier: Apache-2.0
#pragma once
// ClientStream: what a relay sees of its client, whatever the version: one request to read, one
// response to write. An HTTP/1 connection is its own only stream (client_connection.h); an HTTP/2
// connection has many (http2_client_stream.h).

#include <cstddef>
#include <string_view>

#include "daemon/http/message.h"
#include "daemon/module/exchange.h"

namespace limpet {

class Relay;

/// One request of a client, and the way back.
class ClientStream {
 public:
  ClientStream() = default;
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  virtual void send_informational(const ResponseHead& head) = 0;
  virtual void send_head(const ResponseHead& head) = 0;
  virtual void send_body(std::string_view bytes) = 0;
  virtual void send_end(const HeaderList* trailers) = 0;
  /// Both sides agreed to switch protocols; bytes flow until one ends.
  virtual void enter_tunnel() = 0;
  /// Ends our half after everything queued (a tunnel's replica has ended its own).
  virtual void end_writing() = 0;
  /// The response cannot be finished: the client sees a broken response, never a complete one.
  virtual void abort() = 0;
  /// Ends the exchange from outside; it has ended by `ending`.
  virtual void cut(Ending ending) = 0;
  /// The relay is done with this exchange.
  virtual void on_exchange_done(Relay& relay) = 0;

  /// Sends what is queued, at once or at the end of the turn.
  virtual void flush() = 0;
  /// Bytes queued and not yet taken by the client.
  [[nodiscard]] virtual std::size_t queued_bytes() const noexcept = 0;
  /// Back-pressure: takes no more of the request until resumed.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;

  [[nodiscard]] virtual bool is_request_complete() const noexcept = 0;
  /// Whether the response begun may have a body (false for HEAD, 204, 304).
  [[nodiscard]] virtual bool carries_body() const noexcept = 0;
  /// Whether the client has ended its half, with or without a whole request.
  [[nodiscard]] virtual bool has_ended_reading() const noexcept = 0;
  /// The rest of the request is not wanted: no other will follow it where that would be needed.
  virtual void close_after_this() noexcept = 0;
  [[nodiscard]] virtual ClientFacts& facts() noexcept = 0;

 protected:
  ~ClientStream() = default;
};

}  // namespace limpet
