// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaApp: what a sample replica answers, by path. It keeps its sessions in memory, as many real
// applications do, so that a person can see what affinity is for. No sockets: connection.h sends.

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/demo/mcp_sessions.h"
#include "daemon/http/message.h"

namespace limpet::demo {

/// An answer, or what the connection turns into.
struct Reply {
  enum class Kind : std::uint8_t {
    kAnswer,
    kClock,      ///< SSE, one event a second, for as long as the client listens
    kMcpStream,  ///< SSE with comments, for as long as `mcp_session` is live
    kWebSocket,  ///< 101, then an echo
  };

  Kind kind = Kind::kAnswer;
  std::uint16_t status = 200;
  std::string_view content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;  ///< lower-case names
  std::string mcp_session;
};

/// The application of one replica.
/// Thread: any.
class ReplicaApp {
 public:
  explicit ReplicaApp(std::string id) : id_(std::move(id)), mcp_(id_) {}

  [[nodiscard]] Reply answer(const RequestHead& head, std::string_view body);
  /// The data of one event of /clock.
  [[nodiscard]] std::string clock_event() const;

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const McpSessions& mcp() const noexcept { return mcp_; }

 private:
  [[nodiscard]] Reply whoami() const;
  Reply count(const RequestHead& head);
  Reply mcp(const RequestHead& head, std::string_view body);

  const std::string id_;
  McpSessions mcp_;
  std::mutex mutex_;
  std::map<std::string, int, std::less<>> counts_;  ///< of /counter, by the demo_session cookie
};

/// The value of one cookie of a Cookie field, or empty.
/// RFC: 6265 section 4.2.1.
[[nodiscard]] std::string_view cookie_value(std::string_view cookies, std::string_view name);

}  // namespace limpet::demo
