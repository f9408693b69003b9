// SPDX-License-Identifier: Apache-2.0
#include "daemon/check.h"

#include <cstdio>
#include <string>

#include "daemon/config/dump.h"
#include "daemon/configurations.h"

namespace limpet {

namespace {

Candidate try_config(const Options& options, std::span<const ModuleKind> kinds) {
  Configurations configurations({options.config_file, {}}, kinds);
  Candidate candidate = configurations.read(nullptr);
  configurations.try_out(candidate);
  return candidate;
}

void say(std::FILE* where, const std::string& text) { std::fputs(text.c_str(), where); }

}  // namespace

int check_config(const Options& options, std::span<const ModuleKind> kinds) {
  const Candidate candidate = try_config(options, kinds);
  const Mistakes& mistakes = candidate.config.mistakes();
  if (options.check_format == Options::CheckFormat::kJson) {
    say(stdout, mistakes.render_json());
  } else if (!mistakes.is_empty()) {
    const std::size_t count = mistakes.size();
    say(stderr, mistakes.render());
    say(stderr, options.config_file + ": " + std::to_string(count) +
                    (count == 1 ? " mistake\n" : " mistakes\n"));
  } else {
    say(stdout, options.config_file + ": good\n");
  }
  return mistakes.is_empty() ? 0 : 1;
}

int dump_config(const Options& options, std::span<const ModuleKind> kinds) {
  const Candidate candidate = try_config(options, kinds);
  if (!candidate.config.is_valid()) {
    say(stderr, candidate.config.mistakes().render());
    return 1;
  }
  say(stdout, dump(candidate.config));
  return 0;
}

}  // namespace limpet
