// SPDX-License-Identifier: Apache-2.0
#pragma once
// EndpointRewriter: legacy HTTP+SSE (revision 2024-11-05): the first event of the stream, named
// "endpoint", holds the URI to which the client posts, with the session's id in its query. The id
// is replaced by a wrapped one; every other byte passes as it is. Neighbour: sse_scanner.h, which
// changes nothing.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/http/mcp_head.h"

namespace limpet::mcp {

/// Makes a client's session id out of a replica's. Implemented by whoever has the keys.
class SessionIdWrapper {
 public:
  virtual ~SessionIdWrapper() = default;
  /// The wrapped form, whose own part is safe in a query; empty where it cannot be made, then the
  /// id stays as it is. Lifetime: at least until the next call.
  [[nodiscard]] virtual std::string_view wrap(std::string_view original) = 0;
};

/// Borrows: the wrapper. Thread: its worker.
class EndpointRewriter {
 public:
  /// The most bytes of one event that are held back until it is known what it is; a longer event
  /// passes as it is.
  static constexpr std::size_t kHeldBytesMax = 8 * 1024;
  /// So many events of other names, and the stream is taken for one without an endpoint.
  static constexpr unsigned kEventsMax = 16;

  explicit EndpointRewriter(SessionIdWrapper& wrapper) noexcept : wrapper_(wrapper) {}

  /// Takes the next bytes of the stream and appends to `out` what goes on: all but at most
  /// kHeldBytesMax, which follow later. Cost: a copy; ask is_done() and then pass bytes directly.
  void feed(std::string_view bytes, std::string& out);
  /// The stream has ended: appends what was held back.
  void finish(std::string& out);

  /// Nothing will be changed any more and nothing is held back.
  [[nodiscard]] bool is_done() const noexcept { return state_ == State::kDone; }
  /// An id was replaced.
  [[nodiscard]] bool has_rewritten() const noexcept { return has_rewritten_; }

 private:
  /// kHolding ──other name, too long──► kPassing ──event ends──► kHolding
  ///    └── endpoint ends, or enough seen ──► kDone
  enum class State : std::uint8_t { kHolding, kPassing, kDone };

  void on_byte(char c, std::string& out);
  void on_line(std::string& out);
  void on_event_end(std::string& out);
  void rewrite(std::string& out);
  void pass_held(State next, std::string& out);

  SessionIdWrapper& wrapper_;
  std::string held_;            // the event so far, with its line ends
  std::size_t line_begin_ = 0;  // in held_, or the count of letters of the line while passing
  std::size_t data_begin_ = 0;  // of the data value in held_
  std::size_t data_bytes_ = 0;
  unsigned events_ = 0;
  State state_ = State::kHolding;
  bool is_first_line_ = true;
  bool is_endpoint_ = false;
  bool has_fields_ = false;
  bool is_line_empty_ = true;
  bool is_after_cr_ = false;
  bool has_rewritten_ = false;
};

}  // namespace limpet::mcp
