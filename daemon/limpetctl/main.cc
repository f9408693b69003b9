// SPDX-License-Identifier: Apache-2.0
// limpetctl: asks a running limpetd over its control socket and prints the answer.
#include <cstdio>
#include <exception>
#include <string>

#include "daemon/limpetctl/client.h"
#include "daemon/limpetctl/command.h"
#include "daemon/limpetctl/render.h"

namespace {

using namespace limpet::ctl;

constexpr int kRefused = 1;
constexpr int kNoDaemon = 2;
constexpr std::chrono::seconds kPatience{30};

std::string target_of(const Command& command) {
  const auto only_pool = [&](const char* path) {
    return path + (command.pool.empty() ? std::string() : "?pool=" + percent_encoded(command.pool));
  };
  switch (command.verb) {
    case Verb::kStatus:
      return "/v1/status";
    case Verb::kPools:
      return "/v1/pools";
    case Verb::kReplicas:
      return only_pool("/v1/replicas");
    case Verb::kReplica:
      return "/v1/replicas/" + (command.pool.empty() ? "-" : percent_encoded(command.pool)) + "/" +
             percent_encoded(command.id) + "/" + command.state +
             (command.wait ? "?wait_seconds=" + std::to_string(command.wait->count()) : "");
    case Verb::kAffinity:
      return "/v1/pools/" + percent_encoded(command.pool) + "/affinity/" + command.state;
    case Verb::kShowConfig:
      return "/v1/config?path=" + percent_encoded(command.path);
    case Verb::kReload:
      return "/v1/reload";
    case Verb::kExplain:
      return "/v1/explain";
  }
  return "/v1/status";
}

bool is_question(Verb verb) {
  return verb == Verb::kStatus || verb == Verb::kPools || verb == Verb::kReplicas ||
         verb == Verb::kShowConfig;
}

int carry_out(const Command& command) {
  const std::string socket = command.socket.empty() ? default_socket() : command.socket;
  const auto answer = ask(
      socket, {is_question(command.verb) ? "GET" : "POST", target_of(command),
               question_body(command), kPatience + command.wait.value_or(std::chrono::seconds(0))});
  if (!answer) {
    std::fprintf(stderr, "limpetctl: %s\n", answer.error().text.c_str());
    return kNoDaemon;
  }
  const bool is_good = answer->status == 200;
  if (command.is_json) {
    std::fputs(answer->body.c_str(), stdout);
    return is_good ? 0 : kRefused;
  }
  if (!is_good) {
    std::fprintf(stderr, "limpetctl: %s\n", refusal_text(answer->body).c_str());
    return kRefused;
  }
  const Rendered rendered = render(command, answer->body);
  std::fputs(rendered.text.c_str(), stdout);
  return rendered.is_whole ? 0 : kRefused;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const ParsedCommand parsed = parse_command(argc, argv);
    return parsed.command ? carry_out(*parsed.command) : parsed.exit_status;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "limpetctl: unexpected error: %s\n", error.what());
    return kNoDaemon;
  }
}
