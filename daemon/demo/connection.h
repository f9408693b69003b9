// SPDX-License-Identifier: Apache-2.0
#pragma once
// Connection: one connection of a sample replica, served by one thread with blocking calls, the
// simplest thing that works. The codec is the balancer's own, in its server role. Not the
// balancer's connection, which lives in proxy and never blocks.

#include <string>
#include <string_view>

#include "daemon/base/arena.h"
#include "daemon/base/buffer.h"
#include "daemon/base/fd.h"
#include "daemon/demo/replica_app.h"
#include "daemon/http/http1_codec.h"

namespace limpet::demo {

/// Serves one client until either side ends.
/// Borrows: the socket (another thread may shut it down to end this one) and the application.
class Connection final : private HeadHome {
 public:
  static constexpr std::size_t kBodyBytesMax = 1024 * 1024;

  Connection(const Fd& socket, ReplicaApp& app) : socket_(socket), app_(app) {}

  /// Returns when the connection is over.
  void serve();

 private:
  enum class Going : std::uint8_t { kOn, kOver };

  Arena& arena_for(std::uint32_t) override { return arena_; }

  Going read_request();
  Going walk(const StreamEvents& events);
  Going receive();
  Going flush();
  Going refuse(std::uint16_t status);

  Going send(const Reply& reply);
  void write_head(const Reply& reply, BodyLength body);
  Going stream_clock();
  Going stream_mcp(const Reply& reply);
  Going write_piece(std::string_view bytes);
  void echo();
  [[nodiscard]] Going wait_a_second() const;

  const Fd& socket_;
  ReplicaApp& app_;
  CodecLimits limits_;
  Http1Codec codec_{CodecRole::kServer, limits_};
  Arena arena_;
  std::string input_;
  Buffer output_;
  const RequestHead* head_ = nullptr;
  std::string body_;
  bool is_complete_ = false;
};

}  // namespace limpet::demo
