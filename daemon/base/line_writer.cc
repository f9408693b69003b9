// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/line_writer.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/fd.h"
#include "daemon/base/line_ring.h"
#include "daemon/base/line_sink.h"

namespace limpet {
namespace {

constexpr std::chrono::seconds kFlushWait{2};
constexpr std::chrono::milliseconds kGoodbye{200};  // for a reader that is slow to the end
// After writing, the thread rests for a moment without being woken: under load it writes fifty
// times a second and costs the workers no system call.
constexpr std::chrono::milliseconds kNap{20};

class RingLineWriter final : public LineWriter {
 public:
  explicit RingLineWriter(std::size_t workers) : bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    for (std::size_t i = 0; i < std::max<std::size_t>(workers, 1); ++i) {
      lanes_.push_back(std::make_unique<Lane>());
    }
  }

  ~RingLineWriter() override {
    give_up_ns_ = (monotonic_now() + kGoodbye).time_since_epoch().count();
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    ring_bell();
    if (thread_.joinable()) thread_.join();
    if (is_withdrawn_ && sink_ != nullptr) sink_->withdraw();
  }

  Status start(const std::string& path) {
    if (!bell_.is_open()) return Error{"cannot make an eventfd for the log's thread"};
    auto sink = LineSink::open(path, give_up_ns_);
    if (!sink) return sink.error();
    sink_ = std::move(*sink);
    // Signals are for the main thread; SIGPIPE of a reader that went away comes back as an error.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return {};
  }

  bool append(std::size_t worker, std::string_view line) noexcept override {
    Lane& lane = *lanes_[worker % lanes_.size()];
    if (!lane.ring.push(line)) {
      lane.dropped.store(lane.dropped.load(std::memory_order_relaxed) + 1,
                         std::memory_order_relaxed);
      return false;
    }
    const State state = state_.load(std::memory_order_seq_cst);
    if (state == State::kAsleep || (state == State::kNapping && lane.ring.is_over_half())) {
      if (state_.exchange(State::kAwake) != State::kAwake) ring_bell();
    }
    return true;
  }

  void withdraw() noexcept override { is_withdrawn_ = true; }

  void reopen() override {
    std::unique_lock lock(mutex_);
    ++reopens_wanted_;
    await(lock, reopens_wanted_, reopens_done_);
  }

  void flush() override {
    std::unique_lock lock(mutex_);
    ++flushes_wanted_;
    await(lock, flushes_wanted_, flushes_done_);
  }

  [[nodiscard]] std::uint64_t dropped() const noexcept override {
    std::uint64_t total = lost_.load(std::memory_order_relaxed);
    for (const auto& lane : lanes_)
      total += lane->dropped.load(std::memory_order_relaxed);
    return total;
  }

 private:
  /// What the thread is at; workers wake it only from the last two.
  ///
  ///   kAwake ──wrote──► kNapping ──time, or a ring half full──► kAwake
  ///      └──nothing to write──► kAsleep ──first line──► kAwake
  enum class State : std::uint8_t { kAwake, kNapping, kAsleep };
  enum class Wrote : std::uint8_t { kNothing, kSomething };

  struct Lane {
    LineRing ring{kRingBytes};
    std::atomic<std::uint64_t> dropped{0};
  };

  void ring_bell() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t ignored = ::write(bell_.number(), &one, sizeof one);
  }

  void await(std::unique_lock<std::mutex>& lock, std::uint64_t wanted, const std::uint64_t& done) {
    ring_bell();
    fulfilled_.wait_for(lock, kFlushWait, [&] { return done >= wanted; });
  }

  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      const std::uint64_t flushes = flushes_wanted_;
      const std::uint64_t reopens = reopens_wanted_;
      const bool is_stopping = is_stopping_;
      const bool is_reopening = reopens > reopens_done_;
      lock.unlock();

      const Wrote wrote = drain();
      if (is_reopening) sink_->reopen();

      lock.lock();
      flushes_done_ = flushes;
      reopens_done_ = reopens;
      lock.unlock();
      fulfilled_.notify_all();
      if (is_stopping) return;
      rest(wrote);
    }
  }

  Wrote drain() {
    Wrote wrote = Wrote::kNothing;
    for (const auto& lane : lanes_) {
      // Both sides of the ring's seam before the next lane, so that a line across it stays whole.
      for (std::size_t left = lane->ring.held_bytes(); left > 0;) {
        const std::string_view bytes = lane->ring.readable().substr(0, left);
        const std::uint64_t lost = sink_->write(bytes);
        if (lost > 0) lost_.fetch_add(lost, std::memory_order_relaxed);
        lane->ring.pop(bytes.size());
        left -= bytes.size();
        wrote = Wrote::kSomething;
      }
    }
    return wrote;
  }

  void rest(Wrote wrote) {
    const bool is_nap = wrote == Wrote::kSomething;
    state_.store(is_nap ? State::kNapping : State::kAsleep, std::memory_order_seq_cst);
    if (is_nap || !has_lines()) {
      pollfd bell{bell_.number(), POLLIN, 0};
      ::poll(&bell, 1, is_nap ? static_cast<int>(kNap.count()) : -1);
    }
    state_.store(State::kAwake, std::memory_order_seq_cst);
    std::uint64_t rings = 0;
    [[maybe_unused]] const ssize_t ignored = ::read(bell_.number(), &rings, sizeof rings);
  }

  [[nodiscard]] bool has_lines() const noexcept {
    for (const auto& lane : lanes_) {
      if (lane->ring.held_bytes() > 0) return true;
    }
    return false;
  }

  Fd bell_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::atomic<State> state_{State::kAwake};
  std::atomic<std::uint64_t> lost_{0};
  std::atomic<std::int64_t> give_up_ns_{INT64_MAX};
  std::unique_ptr<LineSink> sink_;  // the thread's, once it runs

  std::mutex mutex_;  // over the orders below
  std::condition_variable fulfilled_;
  std::uint64_t flushes_wanted_ = 0, flushes_done_ = 0;
  std::uint64_t reopens_wanted_ = 0, reopens_done_ = 0;
  bool is_stopping_ = false;
  bool is_withdrawn_ = false;  // main's
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<LineWriter>> LineWriter::open(const std::string& path, std::size_t workers) {
  auto writer = std::make_unique<RingLineWriter>(workers);
  if (const Status started = writer->start(path); !started) return started.error();
  return std::unique_ptr<LineWriter>(std::move(writer));
}

}  // namespace limpet
