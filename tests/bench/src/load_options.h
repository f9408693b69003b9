// SPDX-License-Identifier: Apache-2.0
#pragma once

// The command line of the load generator, load.cc, and nothing else.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace limpet::bench {

struct LoadOptions {
  uint16_t port = 0;
  size_t connections = 1;
  std::string path = "/128";
  uint64_t requests = 1;
  std::chrono::milliseconds duration{0};  // of a run over event streams
  int warm = 1;                           // requests per connection before the run
  bool keeps_cookies = false;

  bool is_stream() const { return path.starts_with("/sse"); }
};

/// Reads the command line; ends the program with a hint where it is wrong.
inline LoadOptions read_load_options(int argc, char** argv) {
  LoadOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--cookies") {
      options.keeps_cookies = true;
      continue;
    }
    const char* value = i + 1 < argc ? argv[++i] : "";
    if (name == "--port") {
      options.port = static_cast<uint16_t>(std::atoi(value));
    } else if (name == "--connections") {
      options.connections = std::strtoul(value, nullptr, 10);
    } else if (name == "--path") {
      options.path = value;
    } else if (name == "--requests") {
      options.requests = std::strtoull(value, nullptr, 10);
    } else if (name == "--seconds") {
      options.duration =
          std::chrono::milliseconds(static_cast<int64_t>(std::strtod(value, nullptr) * 1000));
    } else if (name == "--warm") {
      options.warm = std::atoi(value);
    } else {
      std::fprintf(stderr, "load: unknown option %s\n", argv[i]);
      std::exit(2);
    }
  }
  if (options.port == 0 || options.warm < 1) {
    std::fprintf(stderr, "load: needs --port, and --warm of at least 1\n");
    std::exit(2);
  }
  return options;
}

}  // namespace limpet::bench
