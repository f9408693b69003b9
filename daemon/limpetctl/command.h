// SPDX-License-Identifier: Apache-2.0
#pragma once
// Command: what the command line of limpetctl asks for. command.cc reads it (CLI11's home here),
// main.cc carries it out.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace limpet::ctl {

enum class Verb : std::uint8_t {
  kStatus,
  kPools,
  kReplicas,
  kReplica,
  kAffinity,
  kShowConfig,
  kReload,
  kExplain
};

/// One question or order.
struct Command {
  Verb verb = Verb::kStatus;
  std::string socket;    ///< "": default_socket()
  bool is_json = false;  ///< print the daemon's answer as it comes
  std::string pool;
  std::string id;
  std::string state;  ///< ready, drain, down; or sticky, none
  std::optional<std::chrono::seconds> wait;
  std::string path;  ///< of the configuration
  std::string kind;  ///< of the question to explain
  std::string name;
  std::string value;
};

/// The command line read, or the status to exit with: what was to be said is said.
struct ParsedCommand {
  std::optional<Command> command;
  int exit_status = 0;
};
[[nodiscard]] ParsedCommand parse_command(int argc, const char* const* argv);

}  // namespace limpet::ctl
