// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/load.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/config/check.h"
#include "daemon/config/files.h"
#include "daemon/config/ledger.h"
#include "daemon/config/node.h"
#include "daemon/config/parse.h"
#include "daemon/config/presets.h"
#include "daemon/config/tables.h"

namespace limpet {

// On the heap and never moved: readers and mistakes point into it.
struct Config::State {
  Sources sources;
  Mistakes mistakes{sources};
  Node root;
  bool is_readable = true;  ///< every file could be read and parsed
  std::map<Preset, Node> presets;
  Ledger ledger{mistakes};
  Model model;

  std::optional<Node> parse(std::string name, std::string text);
  void take_main(std::string name, std::string text);
  void take_included(const std::string& path, Position named_at);
  void take_includes(const std::string& main_path);
  void refuse_include();
  const Node& preset(Preset preset);
  void load();
};

std::optional<Node> Config::State::parse(std::string name, std::string text) {
  std::optional<Node> node =
      parse_toml(sources, sources.add(std::move(name), std::move(text)), mistakes);
  if (!node) is_readable = false;
  return node;
}

void Config::State::take_main(std::string name, std::string text) {
  if (auto node = parse(std::move(name), std::move(text))) root = std::move(*node);
  root.position = {0, 1, 1};
}

void Config::State::take_included(const std::string& path, Position named_at) {
  Result<std::string> text = read_whole_file(path);
  if (!text) {
    is_readable = false;
    mistakes.add(named_at, path + " " + text.error().text);
    return;
  }
  std::optional<Node> node = parse(path, std::move(*text));
  if (!node) return;
  if (const Node* include = node->find("include")) {
    mistakes.add(include->key_position, "include: only the main file includes others");
    return;
  }
  merge(root, std::move(*node), sources, mistakes);
}

void Config::State::take_includes(const std::string& main_path) {
  const Node* include = root.find("include");
  if (include == nullptr || include->kind != NodeKind::kList) return;
  std::vector<std::pair<std::string, Position>> files;
  for (const Node& pattern : include->children) {
    if (pattern.kind != NodeKind::kText) continue;
    for (std::string& file : included_files(main_path, pattern.text)) {
      const auto same = [&file](const auto& taken) { return taken.first == file; };
      if (std::none_of(files.begin(), files.end(), same)) {
        files.emplace_back(std::move(file), pattern.position);
      }
    }
  }
  // `include` points into root, which grows from here on.
  for (const auto& [file, named_at] : files)
    take_included(file, named_at);
}

void Config::State::refuse_include() {
  const Node* include = root.find("include");
  if (include == nullptr || include->children.empty()) return;
  mistakes.add(include->key_position,
               "include: this configuration is not a file, it has no folder");
}

const Node& Config::State::preset(Preset preset) {
  const auto known = presets.find(preset);
  if (known != presets.end()) return known->second;
  const std::uint32_t file = sources.add("preset \"" + std::string(preset_name(preset)) + "\"",
                                         std::string(preset_text(preset)));
  return presets.emplace(preset, parse_toml(sources, file, mistakes).value_or(Node{}))
      .first->second;
}

void Config::State::load() {
  ledger.set_root(root);
  const ConfigReader in = ledger.root_reader();
  static_cast<void>(in.texts("include", {}, "files to join, relative to this one"));
  load_globals(in, model);
  load_listeners(in, model);
  load_routes(in, model);
  load_pools(
      in, ledger, [this](Preset wanted) -> const Node& { return preset(wanted); }, model);
  load_modules(in, model);
  // What an unreadable file would have held is not missing: rules across tables wait for the next
  // run.
  if (is_readable) check(model, mistakes);
}

Config::Config(std::unique_ptr<State> state) : state_(std::move(state)) {}
Config::Config(Config&& other) noexcept = default;
Config& Config::operator=(Config&& other) noexcept = default;
Config::~Config() = default;

Config Config::load_file(const std::string& path) {
  auto state = std::make_unique<State>();
  Result<std::string> text = read_whole_file(path);
  if (!text) {
    state->is_readable = false;
    state->sources.add(path, "");
    state->mistakes.add({}, text.error().text);
  } else {
    state->take_main(path, std::move(*text));
    state->take_includes(path);
  }
  state->load();
  return Config(std::move(state));
}

Config Config::from_text(std::string_view text, std::string name) {
  auto state = std::make_unique<State>();
  state->take_main(std::move(name), std::string(text));
  state->refuse_include();
  state->load();
  return Config(std::move(state));
}

Config Config::fragment(std::string_view text, std::string name) {
  auto state = std::make_unique<State>();
  state->take_main(std::move(name), std::string(text));
  state->ledger.set_root(state->root);
  return Config(std::move(state));
}

Mistakes& Config::mistakes() noexcept { return state_->mistakes; }
const Mistakes& Config::mistakes() const noexcept { return state_->mistakes; }
bool Config::is_whole() const noexcept { return state_->is_readable; }
const Model& Config::model() const noexcept { return state_->model; }
const Ledger& Config::ledger() const noexcept { return state_->ledger; }
ConfigReader Config::root() const { return state_->ledger.root_reader(); }

void Config::mistake(Position position, std::string text) {
  state_->mistakes.add(position, std::move(text));
}

void Config::report_unknown_keys(std::span<const std::string_view> module_names) {
  state_->ledger.report_unknown_keys(module_names);
}

}  // namespace limpet
