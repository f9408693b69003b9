// SPDX-License-Identifier: Apache-2.0
#pragma once
// Options: the command line of limpetd. It parses and refuses; main.cc and the supervisor act.
// CLI11's home together with limpetctl.

#include <cstdint>
#include <optional>
#include <string>

namespace limpet {

/// What the command line asks for.
struct Options {
  enum class Mode : std::uint8_t { kRun, kCheck, kDump, kDemo, kDemoReplica };
  enum class CheckFormat : std::uint8_t { kText, kJson };

  Mode mode = Mode::kRun;
  std::string config_file = "/etc/limpet/limpet.toml";
  CheckFormat check_format = CheckFormat::kText;
  unsigned demo_replicas = 3;
  std::string demo_replica;  ///< "ID:FD", internal
};

/// The command line read, or the status to exit with: what was to be said is said.
struct ParsedOptions {
  std::optional<Options> options;
  int exit_status = 0;
};
[[nodiscard]] ParsedOptions parse_options(int argc, const char* const* argv);

}  // namespace limpet
