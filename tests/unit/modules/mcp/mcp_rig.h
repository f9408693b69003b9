// SPDX-License-Identifier: Apache-2.0
#pragma once
// MCP rig: what the machines of the mcp module stand between, without a socket: a pool "p" of
// replicas, a worker whose clock stands still, a desk, one exchange. FakeCalls are the ways to the
// replicas, whose answers a test speaks; FakeDoor is the client's running response, FakeWatches are
// the worker's alarms and descriptors, FakeHost is the relay of a prelude. Neighbour:
// exchange_fixture.h, for modules that make no call.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "modules/mcp/desk.h"
#include "tests/support/exchange_fixture.h"

namespace limpet::mcp::test {

using limpet::test::kStartInstant;
using limpet::test::kStartWall;
using limpet::test::TestExchange;

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kEvents = "text/event-stream";

/// One call that was made; it outlives the handle of its owner.
struct FakeCall {
  CallRequest request;
  CallOwner* owner = nullptr;
  bool is_given_up = false;  ///< its handle was destroyed: the owner is not to be told any more

  [[nodiscard]] const std::string& to() const { return request.replica->id; }
  [[nodiscard]] std::string field(std::string_view name) const {
    std::string found;
    for (const auto& [key, value] : request.fields)
      found += key == name ? value : "";
    return found;
  }
  void head(std::uint16_t status, std::string_view type, std::string_view session = {}) {
    Arena arena;
    ResponseHead head(arena);
    head.status = status;
    if (!type.empty()) head.fields.add_copy("content-type", type);
    if (!session.empty()) head.fields.add_copy("mcp-session-id", session);
    if (!is_given_up) owner->on_call_head(head);
  }
  void body(std::string_view bytes) {
    if (!is_given_up) owner->on_call_body(bytes);
  }
  void end() {
    if (!is_given_up) owner->on_call_end();
  }
  void fail(FailureCause cause) {
    if (!is_given_up) owner->on_call_failed(cause);
  }
  /// A whole answer.
  void answer(std::uint16_t status, std::string_view type, std::string_view bytes,
              std::string_view session = {}) {
    head(status, type, session);
    if (!bytes.empty()) body(bytes);
    end();
  }
};

/// Calls that stay open until a test answers them.
class FakeCalls final : public ReplicaCalls {
 public:
  std::unique_ptr<ReplicaCall> call(CallRequest request, CallOwner& owner) override {
    FakeCall& made_now = made.emplace_back();
    made_now.request = std::move(request);
    made_now.owner = &owner;
    return std::make_unique<Handle>(made_now);
  }
  /// How many are neither over nor given up, as far as their owners hold them.
  [[nodiscard]] std::size_t held() const {
    std::size_t count = 0;
    for (const FakeCall& one : made)
      count += one.is_given_up ? 0U : 1U;
    return count;
  }
  /// How many were of that method.
  [[nodiscard]] std::size_t count(Method method) const {
    std::size_t found = 0;
    for (const FakeCall& one : made)
      found += one.request.method == method ? 1U : 0U;
    return found;
  }

  std::deque<FakeCall> made;

 private:
  struct Handle final : ReplicaCall {
    explicit Handle(FakeCall& of) : call(of) {}
    ~Handle() override { call.is_given_up = true; }
    FakeCall& call;
  };
};

/// A response that takes what is put into it, unless it is shut.
struct FakeDoor final : StreamDoor {
  bool put(std::string_view bytes) override {
    if (is_shut) return false;
    text += bytes;
    return true;
  }
  void end() override { is_ended = true; }
  void lose_replica() override { is_lost = true; }

  std::string text;
  bool is_shut = false;
  bool is_ended = false;
  bool is_lost = false;
};

/// Alarms that ring when a test says so, and descriptors that always have news.
class FakeWatches final : public DescriptorWatches {
 public:
  std::unique_ptr<DescriptorWatch> make(DescriptorWatch::Owner& owner) override {
    return std::make_unique<Watch>(*this, owner);
  }
  [[nodiscard]] Instant now() const noexcept override { return clock; }

  /// Rings what is due; each alarm once.
  void ring() {
    for (Watch* watch : std::vector<Watch*>(watches_)) {
      if (std::find(watches_.begin(), watches_.end(), watch) == watches_.end()) continue;
      if (watch->alarm == kNever || watch->alarm > clock) continue;
      watch->alarm = kNever;
      watch->owner.on_alarm();
    }
  }
  /// Tells every descriptor's owner of an edge.
  void edge() {
    for (Watch* watch : std::vector<Watch*>(watches_)) {
      if (std::find(watches_.begin(), watches_.end(), watch) == watches_.end()) continue;
      if (watch->descriptor >= 0) watch->owner.on_edge();
    }
  }
  /// The next alarm; kNever where none is set.
  [[nodiscard]] Instant next_alarm() const {
    Instant next = kNever;
    for (const Watch* watch : watches_)
      next = std::min(next, watch->alarm);
    return next;
  }

  Instant clock = kStartInstant;

 private:
  struct Watch final : DescriptorWatch {
    Watch(FakeWatches& of, Owner& told) : all(of), owner(told) { all.watches_.push_back(this); }
    ~Watch() override { std::erase(all.watches_, this); }
    void start(int number) override { descriptor = number; }
    void stop() noexcept override { descriptor = -1; }
    void set_alarm(Instant at) override { alarm = at; }

    FakeWatches& all;
    Owner& owner;
    int descriptor = -1;
    Instant alarm = kNever;
  };

  std::vector<Watch*> watches_;
};

/// Remembers how a prelude was over.
struct FakeHost final : Prelude::Host {
  void on_prelude_over(Prelude::Result result) override {
    ++told;
    last = result;
  }
  int told = 0;
  std::optional<Prelude::Result> last;
};

/// One worker's desk and one exchange of one of its clients.
struct DeskRig {
  explicit DeskRig(const McpSettings& made = {},
                   const std::vector<std::string>& ids = {"a", "b", "c"})
      : settings(made),
        pool(limpet::test::make_pool("p", ids)),
        worker(0, metrics, nullptr),
        state(settings.bounds, settings.carry),
        numbers(metrics, "p"),
        letters(watches),
        desk{settings, state,     *pool,   worker,  state.hands_of(0),
             numbers,  farewells, nullptr, &letters},
        exchange(client, pool.get()) {
    worker.set_calls(&calls);
    worker.set_watches(&watches);
    pass(Duration{0});
    exchange->door = &door;
  }

  /// All clocks move on; nothing rings by itself.
  void pass(Duration by) {
    watches.clock += by;
    worker.set_now(watches.clock, kStartWall + std::chrono::duration_cast<std::chrono::seconds>(
                                                   watches.clock - kStartInstant));
  }
  [[nodiscard]] const Replica& replica(std::string_view id) const { return *pool->find(id); }
  /// The sum of a counter over all its labels that `with` is among.
  [[nodiscard]] std::uint64_t counted(std::string_view name, std::string_view with = {}) const {
    std::uint64_t total = 0;
    const auto add = [&](const MetricSet::Key& key, const Counter& counter) {
      bool has_it = with.empty();
      for (const auto& label : key.labels)
        has_it |= label.second == with;
      total += key.name == name && has_it ? counter.value() : 0;
    };
    metrics.visit(
        add, [](const auto&, const auto&) {}, [](const auto&, const auto&) {});
    return total;
  }
  /// A failure of the replica that the exchange is on, noted as the relay does.
  Failure failed(FailureCause cause, Repeat repeat = Repeat::kForbidden) {
    const Replica* on = exchange->replica;
    exchange.failed_on(*on, cause);
    exchange->replica = on;
    return {cause, repeat, 0};
  }

  McpSettings settings;
  FakeCalls calls;
  FakeWatches watches;
  FakeDoor door;
  FakeHost host;
  MetricSet metrics;
  std::unique_ptr<PoolFacts> pool;
  WorkerServices worker;
  PoolState state;
  Numbers numbers;
  Farewells farewells;
  LetterBox letters;
  Desk desk;
  ClientFacts client;
  TestExchange exchange;
};

/// The record of a session that began on `replica` as "old" and may be opened anew.
inline SessionRecord record_on(std::string_view replica, Presented by = {}) {
  auto birth = std::make_shared<SessionBirth>();
  birth->initialize = R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{}})";
  birth->request_id = "0";
  birth->server = {"2025-11-25", R"({"tools":{}})", "s", "1"};
  birth->by = by;
  SessionRecord record;
  record.birth = birth;
  record.principal = by.principal;
  record.home = {std::string(replica), "old", kStartWall, 0, 0};
  return record;
}

/// The answer of a server like the one of record_on() to initialize.
inline std::string initialize_result(std::string_view capabilities = R"({"tools":{}})") {
  return R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":)" +
         std::string(capabilities) + R"(,"serverInfo":{"name":"s","version":"1"}}})";
}

/// One event with that data.
inline std::string event(std::string_view data) {
  return "event: message\ndata: " + std::string(data) + "\n\n";
}

/// The data of each event in a text, comments left out.
inline std::vector<std::string> data_in(std::string_view text) {
  struct Sink final : SseSink {
    void on_event(const SseEvent& event) override {
      if (event.has_data) found.emplace_back(event.data);
    }
    std::vector<std::string> found;
  } sink;
  SseScanner scanner(64 * 1024);
  scanner.feed(text, &sink);
  return sink.found;
}

}  // namespace limpet::mcp::test
