// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a load generator, load.cc or load_h2.cc, counted in one run, and how it is told.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace limpet::bench {

struct Tally {
  uint64_t done = 0;         // answers, or events
  uint64_t errors = 0;       // connections that broke, or answered what they should not
  uint64_t moved = 0;        // answers to a cookie from another replica than the one before
  uint64_t with_cookie = 0;  // answers to a cookie
  uint64_t resumed = 0;      // answers on a connection that resumed a TLS session
  uint64_t bytes = 0;
  std::chrono::nanoseconds elapsed{0};
  std::vector<std::chrono::nanoseconds> delays;  // of answers, or of events
  std::map<std::string, uint64_t> answers;       // by replica

  double delay_us(double share) const {
    if (delays.empty()) return 0;
    const auto at = static_cast<size_t>(share * static_cast<double>(delays.size() - 1));
    return std::chrono::duration<double, std::micro>(delays[at]).count();
  }

  /// Prints one JSON object on one line.
  void print() {
    const auto plain = [](uint64_t value) { return static_cast<unsigned long long>(value); };
    std::sort(delays.begin(), delays.end());
    std::printf("{\"done\": %llu, \"errors\": %llu, \"bytes\": %llu, ", plain(done), plain(errors),
                plain(bytes));
    std::printf("\"moved\": %llu, \"with_cookie\": %llu, \"resumed\": %llu, ", plain(moved),
                plain(with_cookie), plain(resumed));
    std::printf("\"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"replicas\": {",
                std::chrono::duration<double>(elapsed).count(), delay_us(0.50), delay_us(0.99));
    const char* separator = "";
    for (const auto& [name, count] : answers) {
      std::printf("%s\"%s\": %llu", separator, name.c_str(), plain(count));
      separator = ", ";
    }
    std::printf("}}\n");
    std::fflush(stdout);
  }
};

}  // namespace limpet::bench
