// SPDX-License-Identifier: Apache-2.0
#pragma once
// RedisLink: one worker's connection to Redis, which holds what instances share: records and
// tombstones. The home of the Redis library; it runs on the worker's loop through DescriptorWatch.
// Nobody waits for a Redis that is down: commands fail at once, and the link tries again by itself,
// at growing distances. What the texts say is redis_text.h's.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/metrics/counter.h"
#include "daemon/module/descriptor_watch.h"
#include "modules/mcp/redis_text.h"

struct redisAsyncContext;

namespace limpet::mcp {

/// What became of a command.
struct RedisAnswer {
  enum class Kind : std::uint8_t {
    kValue,    ///< of get
    kMissing,  ///< of get: there is no such key
    kDone,     ///< of set and remove
    kFailed,   ///< Redis is down, slow, or refuses: what it holds is not known
  };
  Kind kind = Kind::kFailed;
  std::string value;
};

struct RedisBounds {
  Duration answer_within = std::chrono::milliseconds(500);  ///< else the connection is given up
  Duration connect_within = std::chrono::seconds(2);
  Duration retry_first = std::chrono::milliseconds(250);
  Duration retry_last = std::chrono::seconds(15);
  std::size_t pending_max = 1024;  ///< commands without an answer; one more fails
};

/// Numbers of the link; null where nobody counts.
struct RedisNumbers {
  Gauge* is_up = nullptr;
  Counter* done = nullptr;
  Counter* failed = nullptr;
  Counter* connects = nullptr;
};

/// Thread: its worker.
class RedisLink final : private DescriptorWatch::Owner {
 public:
  /// Called once for each command; it may be called before the asking function returns, and must
  /// not destroy the link. Commands without an answer when the link dies are forgotten.
  using OnAnswer = std::function<void(const RedisAnswer&)>;

  ///   kDown ──► kConnecting ──► kUp
  ///     ▲──── refused, slow, ended ┘
  enum class State : std::uint8_t { kDown, kConnecting, kUp };

  RedisLink(RedisAddress address, RedisBounds bounds, DescriptorWatches& watches,
            RedisNumbers numbers);
  ~RedisLink();
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  void get(std::string_view key, OnAnswer on_answer);
  void set(std::string_view key, std::string_view value, std::chrono::seconds expiry,
           OnAnswer on_answer);
  void remove(std::string_view key, OnAnswer on_answer);

  [[nodiscard]] State state() const noexcept { return state_; }
  /// Why the last connection ended, for the status.
  [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }

 private:
  friend struct RedisTrampolines;
  /// One command on its way.
  struct Pending {
    OnAnswer on_answer;
    Instant deadline{};
    std::uint64_t serial = 0;
    bool is_greeting = false;  // AUTH or SELECT
  };
  /// What the library reported while it was at work.
  struct Report {
    OnAnswer on_answer;
    RedisAnswer answer;
  };

  void on_edge() override;
  void on_alarm() override;
  void connect();
  void greet();
  void send(const std::vector<std::string_view>& words, OnAnswer on_answer, bool is_greeting);
  void pump();
  void read_all();
  void write_all();
  void deliver();
  void go_down(std::string trouble);
  void set_alarm();
  void take_report(std::uint64_t serial, RedisAnswer answer, std::string fault);

  RedisAddress address_;
  RedisBounds bounds_;
  DescriptorWatches& watches_;
  RedisNumbers numbers_;
  std::unique_ptr<DescriptorWatch> watch_;
  ::redisAsyncContext* context_ = nullptr;
  State state_ = State::kDown;
  std::deque<Pending> pending_;  // in the order of their answers
  std::vector<Report> reports_;
  std::string trouble_;
  std::string fault_;  // reported by the library, not acted upon yet
  std::uint64_t last_serial_ = 0;
  Instant connect_deadline_ = kNever;
  Instant retry_at_ = kNever;
  Duration retry_after_;
  std::size_t greetings_left_ = 0;
  bool is_connected_ = false;  // the library says so
  bool wants_write_ = false;
  bool is_log_due_ = true;  // the first trouble after an up, or ever
};

}  // namespace limpet::mcp
