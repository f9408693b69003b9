// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/worker_room.h"

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>
#include <sys/socket.h>

#include "daemon/net/socket.h"
#include "tests/unit/control/turns.h"

using namespace limpet;  // NOLINT(google-build-using-namespace)

namespace {

/// A worker whose loop turns only when a test says so.
struct Rig {
  Rig() : worker(setup()), room(worker) {}

  static WorkerSetup setup() {
    WorkerSetup made;
    made.connections_max = 16;
    return made;
  }
  /// With a listener of that socket, or none; every request is answered 404.
  void adopt(Fd socket) {
    auto snapshot = std::make_shared<Snapshot>();
    Adoption adoption;
    if (socket.is_open()) {
      ListenerPlan plan;
      plan.name = "web";
      snapshot->listeners.push_back(std::move(plan));
      adoption.sockets.push_back({"the bind", "web", std::move(socket)});
    }
    adoption.snapshot = std::move(snapshot);
    room.adopt(std::move(adoption));
  }

  Worker worker;
  WorkerRoom room;
};

/// Reads what has come, however often the loop has to turn for it; "-" for a reset.
std::string hear(Loop& loop, int fd) {
  std::string bytes(4096, '\0');
  ssize_t got = -1;
  REQUIRE(test::turn_until(loop, [&] {
    got = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
    return got >= 0 || errno == ECONNRESET;
  }));
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return got < 0 ? "-" : bytes;
}

void say(int fd, std::string_view bytes) {
  REQUIRE(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
}

}  // namespace

TEST_CASE("worker room: who waits in the kernel at a listener that goes is answered, not reset") {
  Rig rig;
  Fd socket = test::listen_somewhere();
  int reason = 0;
  const Fd client = begin_connect(local_address(socket.number()), reason);
  rig.adopt(std::move(socket));
  say(client.number(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  rig.adopt(Fd());
  const std::string answer = hear(rig.room.loop(), client.number());
  CHECK_MESSAGE(answer.starts_with("HTTP/1.1 404 "), answer);
  CHECK(hear(rig.room.loop(), client.number()).empty());
}
