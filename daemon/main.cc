// SPDX-License-Identifier: Apache-2.0
// limpetd: reads the command line and calls what it asks for.
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include "daemon/check.h"
#include "daemon/demo/demo_config.h"
#include "daemon/demo/demo_replicas.h"
#include "daemon/demo/replica_process.h"
#include "daemon/options.h"
#include "daemon/supervisor.h"
#include "modules/registry.h"

namespace {

using namespace limpet;

int fail(const std::string& text) {
  std::fprintf(stderr, "limpetd: %s\n", text.c_str());
  return 1;
}

int run_daemon(const Options& options) {
  Supervisor supervisor({{options.config_file, {}}, built_in_modules(), {}});
  return supervisor.run();
}

int run_demo(const Options& options) {
  const Result<demo::DemoPlan> plan = demo::plan_demo();
  if (!plan) return fail(plan.error().text);
  Result<demo::DemoReplicas> replicas = demo::start_demo_replicas(options.demo_replicas);
  if (!replicas) return fail(replicas.error().text);
  const auto show_banner = [&] {
    std::fputs(demo::demo_banner(plan.value(), replicas->list()).c_str(), stdout);
    std::fflush(stdout);
  };
  const std::string text = demo::demo_config(plan.value(), replicas->list());
  Supervisor supervisor({{"demo.toml", text}, built_in_modules(), show_banner});
  return supervisor.run();
}

int run_replica(const Options& options) {
  const auto option = demo::parse_demo_replica_option(options.demo_replica);
  if (!option) return fail(option.error().text);
  demo::run_demo_replica(option.value().id, option.value().listening_fd);
}

int run(const Options& options) {
  switch (options.mode) {
    case Options::Mode::kRun:
      return run_daemon(options);
    case Options::Mode::kCheck:
      return check_config(options, built_in_modules());
    case Options::Mode::kDump:
      return dump_config(options, built_in_modules());
    case Options::Mode::kDemo:
      return run_demo(options);
    case Options::Mode::kDemoReplica:
      return run_replica(options);
  }
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const ParsedOptions parsed = parse_options(argc, argv);
    return parsed.options ? run(*parsed.options) : parsed.exit_status;
  } catch (const std::exception& error) {
    return fail(std::string("ended by an unexpected error: ") + error.what());
  }
}
