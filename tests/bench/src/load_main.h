// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the load generators, load.cc and load_h2.cc, do from their start to their end: connect and
// warm up, say "ready", run when a line comes, print the figures, and stay until the input ends.

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>

#include "tests/bench/src/load_options.h"
#include "tests/bench/src/socket.h"

namespace limpet::bench {

/// `name` begins what is said of a failure, `lost` is what a number of errors counts.
template <typename Load>
int run_load(Load&& load, const char* name, const char* lost) {
  load.warm_up();
  if (load.has_failed() || load.errors() > 0) {
    std::fprintf(stderr, "%s: no answers, or %llu %s\n", name,
                 static_cast<unsigned long long>(load.errors()), lost);
    return 1;
  }
  if constexpr (requires { load.ready(); }) load.ready();
  std::puts("ready");
  std::fflush(stdout);
  std::string line;
  if (!std::getline(std::cin, line)) return 0;
  load.run();
  load.print();
  while (std::getline(std::cin, line))
    continue;
  return 0;
}

/// Before anything is opened.
inline void prepare_process() {
  std::signal(SIGPIPE, SIG_IGN);
  lift_descriptor_limit();
}

}  // namespace limpet::bench
