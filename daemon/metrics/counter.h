// SPDX-License-Identifier: Apache-2.0
#pragma once
// Counter, Gauge, Histogram: numbers with one writer, read by anybody without a lock. MetricSet
// owns those of one worker. Not Prometheus: exposition.h adds up the workers and writes the text.

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace limpet {

/// A number that only grows.
/// Thread: one writer (its worker), any number of readers.
class Counter {
 public:
  [[gnu::always_inline]] void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// A number that goes up and down.
/// Thread: one writer, any number of readers.
class Gauge {
 public:
  void add(std::int64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void set(std::int64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// Durations by size. Bounds are the same everywhere: 0.5 ms to 30 s in about half-decades.
/// Thread: one writer, any number of readers.
class Histogram {
 public:
  static constexpr std::array<std::chrono::microseconds, 14> kBounds = {
      std::chrono::microseconds(500),        std::chrono::microseconds(1'000),
      std::chrono::microseconds(2'500),      std::chrono::microseconds(5'000),
      std::chrono::microseconds(10'000),     std::chrono::microseconds(25'000),
      std::chrono::microseconds(50'000),     std::chrono::microseconds(100'000),
      std::chrono::microseconds(250'000),    std::chrono::microseconds(500'000),
      std::chrono::microseconds(1'000'000),  std::chrono::microseconds(5'000'000),
      std::chrono::microseconds(10'000'000), std::chrono::microseconds(30'000'000)};

  void observe(std::chrono::nanoseconds took) noexcept {
    const std::uint64_t ns = took.count() > 0 ? static_cast<std::uint64_t>(took.count()) : 0;
    std::size_t i = kFirstOfWidth[static_cast<std::size_t>(std::bit_width(ns))];
    while (i < kBounds.size() && took > kBoundsInNs[i])
      ++i;
    counts_[i].add();
    sum_ns_.add(ns);
  }
  /// Observations in the bucket `i`, not cumulative; kBounds.size() is the last, unbounded one.
  [[nodiscard]] std::uint64_t count(std::size_t i) const noexcept { return counts_[i].value(); }
  [[nodiscard]] std::uint64_t sum_ns() const noexcept { return sum_ns_.value(); }

 private:
  static constexpr std::array<std::chrono::nanoseconds, kBounds.size()> kBoundsInNs = [] {
    std::array<std::chrono::nanoseconds, kBounds.size()> bounds{};
    for (std::size_t i = 0; i < kBounds.size(); ++i)
      bounds[i] = kBounds[i];
    return bounds;
  }();
  // Where to begin to look, by the number of bits of a duration: one or two buckets before its own.
  static constexpr std::array<std::uint8_t, 65> kFirstOfWidth = [] {
    std::array<std::uint8_t, 65> first{};
    for (std::size_t width = 1; width < first.size(); ++width) {
      const std::uint64_t least = std::uint64_t{1} << (width - 1);
      std::uint8_t i = 0;
      while (i < kBounds.size() && least > static_cast<std::uint64_t>(kBoundsInNs[i].count()))
        ++i;
      first[width] = i;
    }
    return first;
  }();

  std::array<Counter, kBounds.size() + 1> counts_;
  Counter sum_ns_;
};

/// Label names with their values, in the order in which they are shown.
using Labels = std::vector<std::pair<std::string_view, std::string>>;

/// The numbers of one worker (or of the process's main thread), found by name and labels, and kept
/// across reloads. Owns: every metric it gave out; addresses stay valid as long as the set. Thread:
/// asked by its worker, read by any; the lock is taken when a handle is asked for and at a scrape,
/// never per request.
class MetricSet {
 public:
  static constexpr std::size_t kSeriesMax =
      20'000;  ///< beyond it, one shared series named by kFolded takes the rest
  static constexpr std::string_view kFolded = "other";

  /// The handle for a series of the catalogue (metrics/catalogue.h); made at first asking.
  /// Cost: a map look-up under a lock; keep the handle.
  [[nodiscard]] Counter& counter(std::string_view name, const Labels& labels = {});
  [[nodiscard]] Gauge& gauge(std::string_view name, const Labels& labels = {});
  [[nodiscard]] Histogram& histogram(std::string_view name, const Labels& labels = {});

  struct Key {
    std::string name;
    std::vector<std::pair<std::string, std::string>> labels;
    auto operator<=>(const Key&) const = default;
  };
  /// Calls `counters`, `gauges`, `histograms` for each series, in name order, under the lock.
  template <typename Counters, typename Gauges, typename Histograms>
  void visit(Counters&& counters, Gauges&& gauges, Histograms&& histograms) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, metric] : counters_)
      counters(key, *metric);
    for (const auto& [key, metric] : gauges_)
      gauges(key, *metric);
    for (const auto& [key, metric] : histograms_)
      histograms(key, *metric);
  }

 private:
  template <typename T>
  T& find_or_make(std::map<Key, std::unique_ptr<T>>& family, std::string_view name,
                  const Labels& labels);

  mutable std::mutex mutex_;
  std::map<Key, std::unique_ptr<Counter>> counters_;
  std::map<Key, std::unique_ptr<Gauge>> gauges_;
  std::map<Key, std::unique_ptr<Histogram>> histograms_;
};

}  // namespace limpet
