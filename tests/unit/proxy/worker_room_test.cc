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

/// Asks a replica for something and keeps its connection.
class Asker final : public LeaseHolder {
 public:
  explicit Asker(Arena& memory) : head(memory), lease(*this), arena_(memory) {
    head.method = Method::kGet;
    head.method_text = "GET";
    head.target = head.path = "/";
    head.authority = "a";
    head.fields.add(FieldName::kHost, "a");
  }
  void on_leased() override {
    ++leased;
    lease.stream()->send_head(head);
    lease.stream()->flush();
  }
  void on_informational(ResponseHead&) override {}
  void on_response_head(ResponseHead&) override {}
  void on_response_body(std::string_view) override {}
  void on_response_trailers(HeaderList&) override {}
  void on_response_end() override {
    is_answered = true;
    lease.stream()->finish(true);
  }
  void on_attempt_failed(FailureCause) override { has_failed = true; }
  void on_replica_drained() override {}
  void flush_client() override {}
  [[nodiscard]] Arena& arena() const noexcept override { return arena_; }

  RequestHead head;
  Lease lease;
  int leased = 0;
  bool is_answered = false;
  bool has_failed = false;

 private:
  Arena& arena_;
};

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

TEST_CASE("worker room: who had a place in a dial gets no connection that its replica has left") {
  Rig rig;
  rig.adopt(Fd());
  Loop& loop = rig.room.loop();
  const Fd replica = test::listen_somewhere();
  ReplicaSlot slot(rig.room, std::make_shared<Vitals>(1), local_address(replica.number()));
  const PoolTimeoutsModel timeouts;
  slot.configure(timeouts, {});
  Arena arena;
  Asker first(arena);
  Address peer;
  REQUIRE(slot.lend(first.lease, {LendWish::Freshness::kNew, timeouts.connect, nullptr}).cause ==
          FailureCause::kNone);
  REQUIRE(test::turn_until(loop, [&] { return first.leased == 1; }));
  {
    const Fd served = accept_connection(replica.number(), peer);
    REQUIRE(hear(loop, served.number()).starts_with("GET / "));
    say(served.number(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    REQUIRE(test::turn_until(loop, [&] { return first.is_answered; }));
  }  // and the replica has closed before anybody looks

  Asker second(arena);
  slot.lend_again(second.lease);
  CHECK_MESSAGE(second.leased == 0, "it waits for a new connection");
  REQUIRE(test::turn_until(loop, [&] { return second.leased == 1; }));
  const Fd served = accept_connection(replica.number(), peer);
  REQUIRE(served.is_open());
  CHECK(hear(loop, served.number()).starts_with("GET / "));
  CHECK_FALSE(second.has_failed);
  if (second.lease.stream() != nullptr) second.lease.stream()->cancel();
  slot.retire();
}
