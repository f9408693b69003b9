// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.h"

#include <iostream>

#include <CLI/CLI.hpp>

#include "daemon/version.h"

namespace limpet {

namespace {

constexpr const char* kAbout =
    "limpetd: a load balancer for replicas that keep state.\n"
    "It brings every request of a session back to the replica that holds it.";

constexpr const char* kSignals =
    "Signals:\n"
    "  HUP        read the configuration again; a bad file changes nothing\n"
    "  TERM, INT  finish running requests (daemon.drain_timeout), then exit; twice: at once\n"
    "  USR1       open the access log again, after rotation\n"
    "Files:\n"
    "  /etc/limpet/limpet.toml   see limpet.toml(5)";

}  // namespace

ParsedOptions parse_options(int argc, const char* const* argv) {
  Options options;
  bool is_check = false;
  bool is_dump = false;
  std::string check_format = "text";
  unsigned demo_replicas = 0;

  CLI::App app(kAbout, "limpetd");
  app.footer(kSignals);
  app.set_version_flag("-V,--version", "limpetd " + std::string(kVersion));
  auto* file = app.add_option("-c,--config", options.config_file, "the configuration")
                   ->type_name("FILE")
                   ->capture_default_str();
  auto* check = app.add_flag("--check", is_check, "show every mistake of the file; exit 0 or 1");
  app.add_option("--check-format", check_format, "how --check shows mistakes: text or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}))
      ->needs(check);
  auto* dump = app.add_flag("--dump", is_dump, "print the file with every default and exit");
  auto* demo = app.add_option("--demo", demo_replicas,
                              "run with N sample replicas (default 3) on 127.0.0.1:8080")
                   ->type_name("N")
                   ->expected(0, 1)
                   ->default_str("3")
                   ->check(CLI::Range(1, 26));
  auto* life = app.add_option("--demo-replica", options.demo_replica)->group("");
  check->excludes(dump)->excludes(demo);
  dump->excludes(demo);
  demo->excludes(file);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool is_wrong = error.get_exit_code() != 0;
    static_cast<void>(app.exit(error, std::cout, std::cerr));
    return {std::nullopt, is_wrong ? 2 : 0};
  }
  if (check_format == "json") options.check_format = Options::CheckFormat::kJson;
  if (demo_replicas > 0) options.demo_replicas = demo_replicas;
  if (is_check) options.mode = Options::Mode::kCheck;
  if (is_dump) options.mode = Options::Mode::kDump;
  if (demo->count() > 0) options.mode = Options::Mode::kDemo;
  if (life->count() > 0) options.mode = Options::Mode::kDemoReplica;
  return {options, 0};
}

}  // namespace limpet
