// SPDX-License-Identifier: Apache-2.0
#pragma once
// HttpService: a small HTTP/1.1 server on the main loop, for the admin listener and the control
// socket. It knows requests and answers; what they mean is admin.h's and control.h's business.
// Client traffic never comes here.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/fd.h"
#include "daemon/event/loop.h"
#include "daemon/event/watch.h"

namespace limpet::control {

/// One request, whole.
/// Lifetime: the views are valid during the handler's call only.
struct Request {
  std::string_view method;
  std::string_view path;  ///< without the query, not decoded
  std::string_view query;
  std::string_view host;  ///< authority of the target or Host field; may be empty
  std::string_view body;
  Address peer;
  int descriptor = -1;  ///< the connection, for its credentials
  /// Whether the client has hung up since; may be empty. Stays callable after the handler's call.
  std::function<bool()> is_gone;
};

/// One answer.
struct Response {
  std::uint16_t status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;  ///< more of them; names in lower case
};

/// Gives the answer: at once or later, once. A call after the client went is no harm. A client that
/// closes its half of the connection before the answer has gone.
/// Thread: main.
using Reply = std::function<void(Response)>;
using Handler = std::function<void(const Request&, const Reply&)>;

/// Serves one handler on any number of listening sockets.
/// Owns: the sockets and the connections.
/// Thread: main.
class HttpService {
 public:
  static constexpr std::size_t kConnectionsMax = 64;
  static constexpr std::size_t kBodyBytesMax = std::size_t{1} << 20;
  static constexpr std::chrono::seconds kPatience{
      10};  ///< to read a request, or to write an answer

  HttpService(Loop& loop, Handler handler);
  HttpService(const HttpService&) = delete;
  HttpService& operator=(const HttpService&) = delete;
  ~HttpService();

  /// Takes connections from a listening socket.
  void listen(Fd listening);
  [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }

 private:
  class Connection;
  class Door;
  friend class Connection;

  /// What a listening socket holds after accepting: nothing, or what there is no descriptor for.
  enum class Queue : std::uint8_t { kEmpty, kStuck };
  [[nodiscard]] Queue accept_from(int listening);
  void drop(Connection& connection);

  Loop& loop_;
  Handler handler_;
  std::vector<std::unique_ptr<Door>> doors_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

/// The value of `name` in a query, decoded; empty where it is missing.
[[nodiscard]] std::string query_value(std::string_view query, std::string_view name);
/// `text` with %XX decoded; a broken escape stays as it is.
[[nodiscard]] std::string percent_decoded(std::string_view text);
/// The segments of a path, decoded: "/v1/pools" gives "v1", "pools".
[[nodiscard]] std::vector<std::string> path_segments(std::string_view path);

}  // namespace limpet::control
