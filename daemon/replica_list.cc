// SPDX-License-Identifier: Apache-2.0
#include "daemon/replica_list.h"

#include <algorithm>
#include <map>

#include "daemon/base/text.h"
#include "daemon/config/load.h"
#include "daemon/config/mistakes.h"

namespace limpet {

namespace {

constexpr std::uint32_t kWeightMax = 65535;
constexpr std::size_t kIdBytesMax = 128;

// The rules of ids in limpet.toml: they go into tokens, metrics and paths.
bool is_id(std::string_view id) {
  const auto is_good = [](char c) {
    const char low = text::lower(c);
    return text::is_digit(c) || (low >= 'a' && low <= 'z') ||
           std::string_view("._-:/@[]%+~").find(c) != std::string_view::npos;
  };
  return !id.empty() && id.size() <= kIdBytesMax && std::all_of(id.begin(), id.end(), is_good);
}

std::string quoted(std::string_view s) { return '"' + text::escaped(s) + '"'; }

std::string address_fault(std::string_view word, Address& out) {
  const auto address = Address::parse(word);
  if (!address) return address.error().text;
  if (address->is_ip() && address->port() == 0) return "a replica has a port from 1 to 65535";
  out = *address;
  return {};
}

/// What holds between the replicas of one list.
class Uniqueness {
 public:
  explicit Uniqueness(Mistakes& mistakes) : mistakes_(mistakes) {}

  void check(const ReplicaModel& replica) {
    if (replica.address.is_empty()) return;
    if (!is_id(replica.id)) {
      mistakes_.add(
          replica.id_where,
          "id: expected 1 to 128 letters, digits or any of . _ - : / @ [ ] % + ~, found " +
              quoted(replica.id));
    }
    see(ids_, replica.id, replica.id_where, "id");
    see(addresses_, replica.address.print(), replica.where, "address");
  }

 private:
  void see(std::map<std::string, Position>& seen, const std::string& key, Position where,
           std::string_view what) {
    const auto [at, is_first] = seen.emplace(key, where);
    if (is_first) return;
    mistakes_.add(where, "a replica with " + std::string(what) + " " + quoted(key) +
                             " is already at " + mistakes_.print(at->second));
  }

  Mistakes& mistakes_;
  std::map<std::string, Position> ids_;
  std::map<std::string, Position> addresses_;
};

/// One word of a line.
struct Word {
  std::string_view text;
  Position where;
};

std::vector<Word> words_of(std::string_view line, Position at) {
  std::vector<Word> words;
  line = line.substr(0, line.find('#'));
  std::size_t i = 0;
  while (i < line.size()) {
    const auto is_space = [&](std::size_t k) { return text::is_space(line[k]) || line[k] == '\r'; };
    if (is_space(i)) {
      ++i;
      continue;
    }
    const std::size_t begin = i;
    while (i < line.size() && !is_space(i))
      ++i;
    Position where = at;
    where.column = static_cast<std::uint32_t>(begin + 1);
    words.push_back({line.substr(begin, i - begin), where});
  }
  return words;
}

void read_setting(const Word& word, ReplicaModel& replica, Mistakes& mistakes) {
  std::string_view value = word.text;
  const std::string_view key = text::cut(value, '=');
  if (word.text == "backup") {
    replica.backup = true;
  } else if (word.text == "drain") {
    replica.state = ReplicaState::kDrain;
  } else if (word.text == "down") {
    replica.state = ReplicaState::kDown;
  } else if (key == "revision" && !value.empty()) {
    replica.revision = value;
  } else if (key == "weight") {
    const auto weight = text::parse_unsigned(value);
    if (weight && *weight <= kWeightMax) {
      replica.weight = static_cast<std::uint32_t>(*weight);
    } else {
      mistakes.add(word.where, "weight: expected a number from 0 to 65535, found " + quoted(value));
    }
  } else {
    mistakes.add(word.where,
                 "unknown setting " + quoted(word.text) +
                     "; expected weight=N, revision=NAME, backup, drain or down" +
                     did_you_mean(key, {"weight", "revision", "backup", "drain", "down"}));
  }
}

// The address is the second word, or the first where it stands alone: then it is the id as well.
void read_line(const std::vector<Word>& words, Mistakes& mistakes, ReplicaList& list) {
  ReplicaModel replica;
  replica.id = words[0].text;
  replica.id_where = words[0].where;
  const bool has_id = words.size() > 1 && address_fault(words[1].text, replica.address).empty();
  const Word& address = has_id ? words[1] : words[0];
  replica.where = address.where;
  const std::string fault = address_fault(address.text, replica.address);
  if (!fault.empty()) {
    return mistakes.add(words.back().where, "expected `ID ADDRESS` or an address: " + fault);
  }
  for (std::size_t i = has_id ? 2 : 1; i < words.size(); ++i)
    read_setting(words[i], replica, mistakes);
  list.replicas.push_back(std::move(replica));
}

void read_lines(std::string_view text, Mistakes& mistakes, ReplicaList& list) {
  Position at{0, 0, 1};
  while (!text.empty()) {
    ++at.line;
    const std::vector<Word> words = words_of(text::cut(text, '\n'), at);
    if (!words.empty()) read_line(words, mistakes, list);
  }
}

void read_table(const ConfigReader& in, ReplicaList& list) {
  ReplicaModel replica;
  replica.where = in.position("address");
  replica.id_where = in.position("id");
  const std::string address = in.text("address", "");
  replica.id = in.text("id", address);
  const std::string fault = address_fault(address, replica.address);
  if (!in.has("address")) {
    in.mistake("address: a replica has an address such as \"10.0.0.11:3001\"");
  } else if (!fault.empty()) {
    in.mistake("address", "address: " + fault);
  }
  replica.weight = static_cast<std::uint32_t>(in.number("weight", 1, 0, kWeightMax));
  replica.revision = in.text("revision", "");
  replica.backup = in.flag("backup", false);
  replica.state = in.choice<ReplicaState>("state", replica.state,
                                          {{"ready", ReplicaState::kReady},
                                           {"drain", ReplicaState::kDrain},
                                           {"down", ReplicaState::kDown}});
  list.replicas.push_back(std::move(replica));
}

void check_list(const ReplicaList& list, Mistakes& mistakes) {
  Uniqueness uniqueness(mistakes);
  for (const ReplicaModel& replica : list.replicas)
    uniqueness.check(replica);
  // A list cut short while it was written must not take every replica away.
  if (list.replicas.empty() && mistakes.is_empty()) {
    mistakes.add({}, "the file names no replica; to take all out, mark them `drain`");
  }
}

bool is_toml(std::string_view text) {
  while (!text.empty()) {
    if (text::trim(text::cut(text, '\n')).rfind("[[", 0) == 0) return true;
  }
  return false;
}

}  // namespace

ReplicaList parse_replica_list(std::string_view text, const std::string& name, Position where) {
  ReplicaList list;
  if (is_toml(text)) {
    Config config = Config::fragment(text, name);
    for (const ConfigReader& in : config.root().tables("replica"))
      read_table(in, list);
    config.report_unknown_keys({});
    check_list(list, config.mistakes());
    list.mistakes = config.mistakes().render();
  } else {
    Sources sources;
    sources.add(name, std::string(text));
    Mistakes mistakes(sources);
    read_lines(text, mistakes, list);
    check_list(list, mistakes);
    list.mistakes = mistakes.render();
  }
  for (ReplicaModel& replica : list.replicas)
    replica.where = replica.id_where = where;
  return list;
}

}  // namespace limpet
