// SPDX-License-Identifier: Apache-2.0
#include "daemon/limpetctl/command.h"

#include <iostream>

#include <CLI/CLI.hpp>

#include "daemon/base/address.h"
#include "daemon/base/units.h"
#include "daemon/version.h"

namespace limpet::ctl {

namespace {

constexpr const char* kFooter =
    "Examples:\n"
    "  limpetctl replicas --pool web\n"
    "  limpetctl replica drain a --wait 10m\n"
    "  limpetctl affinity web none\n"
    "  limpetctl show config pool.web.affinity\n"
    "  limpetctl explain --cookie limpet=AbC… --pool web\n"
    "Exit status: 0 done, 1 the daemon refused and said why, 2 wrong usage or no daemon.\n"
    "Environment: LIMPET_SOCKET, the control socket where --socket is not given.";

/// The answers to questions of which exactly one may be asked.
struct Questions {
  std::string cookie;
  std::string session;
  std::string header;
  std::string query;
  std::string principal;
  std::string client_ip;
};

// "NAME=VALUE", or a value alone where the name may be left to the pool.
void split(const std::string& text, Command& command) {
  const std::size_t equals = text.find('=');
  command.name = equals == std::string::npos ? std::string() : text.substr(0, equals);
  command.value = equals == std::string::npos ? text : text.substr(equals + 1);
}

// A cookie is often pasted as its value alone, which may end in "=".
void split_cookie(const std::string& text, Command& command) {
  const std::size_t equals = text.find('=');
  const bool has_name =
      equals != std::string::npos && text.find_first_not_of('=', equals) != std::string::npos;
  if (has_name) return split(text, command);
  command.name.clear();
  command.value = text;
}

void take(const Questions& asked, Command& command) {
  if (!asked.cookie.empty()) {
    command.kind = "cookie";
    split_cookie(asked.cookie, command);
  } else if (!asked.session.empty()) {
    command.kind = "session";
    command.value = asked.session;
  } else if (!asked.header.empty()) {
    command.kind = "header";
    split(asked.header, command);
  } else if (!asked.query.empty()) {
    command.kind = "query";
    split(asked.query, command);
  } else if (!asked.principal.empty()) {
    command.kind = "principal";
    command.value = asked.principal;
  } else {
    command.kind = "client-ip";
    command.value = asked.client_ip;
  }
}

std::string wait_fault(const std::string& text) {
  return parse_duration(text) ? std::string() : "expected a duration such as 30s or 10m";
}

std::string value_fault(const std::string& text) {
  return text.empty() ? "expected a value" : std::string();
}

std::string address_fault(const std::string& text) {
  const auto address = Address::parse_ip(text);
  return address ? std::string() : address.error().text;
}

void add_explain(CLI::App& app, Command& command, Questions& asked) {
  auto* explain = app.add_subcommand("explain", "where a cookie, header or session leads, and why");
  auto* kinds = explain->add_option_group("question");
  kinds->add_option("--cookie", asked.cookie, "as the client sends it")->type_name("[NAME=]VALUE");
  kinds->add_option("--session", asked.session, "an Mcp-Session-Id")->type_name("ID");
  kinds->add_option("--header", asked.header, "a header field")->type_name("NAME=VALUE");
  kinds->add_option("--query", asked.query, "a parameter of the query")->type_name("NAME=VALUE");
  kinds->add_option("--principal", asked.principal, "a bearer token, or the value of its header")
      ->type_name("VALUE");
  for (CLI::Option* option : kinds->get_options({}))
    option->check(value_fault);
  kinds->add_option("--client-ip", asked.client_ip, "the client's address")
      ->type_name("ADDRESS")
      ->check(address_fault);
  kinds->require_option(1);
  explain->add_option("--pool", command.pool, "in this pool only")->type_name("POOL");
  explain->callback([&] {
    command.verb = Verb::kExplain;
    take(asked, command);
  });
}

void add_orders(CLI::App& app, Command& command, std::string& wait) {
  auto* replica = app.add_subcommand("replica", "drain a replica, or take it in or out");
  replica->add_option("STATE", command.state, "drain: keep sessions, take no new ones; ready; down")
      ->required()
      ->check(CLI::IsMember({"drain", "ready", "down"}));
  replica->add_option("ID", command.id)->required();
  replica->add_option("--pool", command.pool, "in this pool only; else in all that have it")
      ->type_name("POOL");
  replica->add_option("--wait", wait, "until nothing is left on it, at most so long")
      ->type_name("DURATION")
      ->check(wait_fault);
  replica->callback([&] {
    command.verb = Verb::kReplica;
    if (wait.empty()) return;
    command.wait = std::chrono::duration_cast<std::chrono::seconds>(
        parse_duration(wait).value_or(Duration{0}));
  });
  auto* affinity = app.add_subcommand("affinity", "switch a pool's affinity, until a reload");
  affinity->add_option("POOL", command.pool)->required();
  affinity->add_option("STATE", command.state)
      ->required()
      ->check(CLI::IsMember({"sticky", "none"}));
  affinity->callback([&] { command.verb = Verb::kAffinity; });
  app.add_subcommand("reload", "read the configuration again; every mistake is shown")
      ->callback([&] { command.verb = Verb::kReload; });
}

void add_views(CLI::App& app, Command& command) {
  app.add_subcommand("status", "the daemon, its pools and workers")->callback([&] {
    command.verb = Verb::kStatus;
  });
  app.add_subcommand("pools", "every pool with its load and affinity outcomes")->callback([&] {
    command.verb = Verb::kPools;
  });
  auto* replicas = app.add_subcommand("replicas", "every replica with health, load and sessions");
  replicas->add_option("--pool", command.pool, "of this pool only")->type_name("POOL");
  replicas->callback([&] { command.verb = Verb::kReplicas; });
  auto* show = app.add_subcommand("show", "show the configuration");
  auto* config = show->add_subcommand("config", "in force, with every default");
  config->add_option("PATH", command.path, "a part of it, such as pool.web.affinity");
  config->callback([&] { command.verb = Verb::kShowConfig; });
  show->require_subcommand(1);
}

// What is wrong, in the words of the manual. A word that is left over says more than the verb that
// is missed without it.
std::string wrong_usage(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> verbs = app.get_subcommands();
  if (app.remaining().empty()) {
    const bool has_verb = !verbs.empty();
    return has_verb ? error.what() : "expected a verb, such as status";
  }
  const std::string word = app.remaining().front();
  const bool is_option = word.starts_with('-');
  const bool is_verb = verbs.empty() || verbs.front()->get_name() == "show";
  return (is_option ? "unknown option "
          : is_verb ? "unknown verb "
                    : "unexpected argument ") +
         ('"' + word + '"');
}

}  // namespace

ParsedCommand parse_command(int argc, const char* const* argv) {
  Command command;
  Questions asked;
  std::string wait;
  CLI::App app("limpetctl: asks and steers a running limpetd.", "limpetctl");
  app.footer(kFooter);
  app.set_version_flag("-V,--version", "limpetctl " + std::string(kVersion));
  app.add_option("--socket", command.socket, "the daemon's control socket")->type_name("PATH");
  app.add_flag("--json", command.is_json, "print the daemon's answer as JSON");
  add_views(app, command);
  add_orders(app, command, wait);
  add_explain(app, command, asked);
  app.require_subcommand(1);
  app.fallthrough();  // --json and --socket may stand behind the verb
  for (CLI::App* verb : app.get_subcommands({}))
    verb->fallthrough();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool is_wrong = error.get_exit_code() != 0;
    if (is_wrong) {
      std::cerr << "limpetctl: " << wrong_usage(app, error)
                << "\nRun with --help to see what there is.\n";
      return {std::nullopt, 2};
    }
    static_cast<void>(app.exit(error, std::cout, std::cerr));
    return {std::nullopt, 0};
  }
  return {command, 0};
}

}  // namespace limpet::ctl
