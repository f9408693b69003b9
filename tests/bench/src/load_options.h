// SPDX-License-Identifier: Apache-2.0
#pragma once

// The command line of the load generators, load.cc and load_h2.cc, and nothing else.

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
  size_t streams = 1;  // at once on each connection, load_h2 only
  std::string path = "/128";
  uint64_t requests = 1;
  std::chrono::milliseconds duration{0};  // of a run over event streams
  int warm = 1;                           // requests per connection before the run
  bool keeps_cookies = false;
  bool is_tls = false;
  bool renews = false;   // a new connection for each request of the run
  bool resumes = false;  // and with the last one's TLS session

  bool is_stream() const { return path.starts_with("/sse"); }
};

/// Sets what has no value; false for another name.
inline bool read_flag(LoadOptions& options, std::string_view name) {
  if (name == "--cookies") {
    options.keeps_cookies = true;
  } else if (name == "--tls") {
    options.is_tls = true;
  } else if (name == "--renew") {
    options.renews = true;
  } else if (name == "--resume") {
    options.renews = options.resumes = true;
  } else {
    return false;
  }
  return true;
}

/// Sets what has a value; false for another name.
inline bool read_option(LoadOptions& options, std::string_view name, const char* value) {
  if (name == "--port") {
    options.port = static_cast<uint16_t>(std::atoi(value));
  } else if (name == "--connections") {
    options.connections = std::strtoul(value, nullptr, 10);
  } else if (name == "--streams") {
    options.streams = std::strtoul(value, nullptr, 10);
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
    return false;
  }
  return true;
}

/// Reads the command line; ends the program with a hint where it is wrong.
inline LoadOptions read_load_options(int argc, char** argv) {
  LoadOptions options;
  for (int i = 1; i < argc; ++i) {
    if (read_flag(options, argv[i])) continue;
    if (i + 1 < argc && read_option(options, argv[i], argv[i + 1])) {
      ++i;
      continue;
    }
    std::fprintf(stderr, "load: unknown option, or without its value: %s\n", argv[i]);
    std::exit(2);
  }
  if (options.port == 0 || options.warm < 1 || options.streams < 1) {
    std::fprintf(stderr, "load: needs --port, and --warm and --streams of at least 1\n");
    std::exit(2);
  }
  return options;
}

}  // namespace limpet::bench
