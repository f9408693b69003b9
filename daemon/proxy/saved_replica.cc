// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/saved_replica.h"

#include <array>
#include <charconv>
#include <optional>

#include "daemon/base/text.h"

namespace limpet {

namespace {

constexpr std::string_view kHead = "limpet replicas 1 ";
constexpr std::array<std::string_view, 3> kAdmins = {"ready", "drain", "down"};
constexpr std::array<std::string_view, 3> kHealths = {"unproven", "up", "down"};

// Names come from the configuration and may hold anything but what parts words and lines.
std::string as_word(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string word;
  for (const char c : text) {
    const unsigned byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '%') {
      word += c;
    } else {
      word += '%';
      word += kHex[byte >> 4U];
      word += kHex[byte & 15U];
    }
  }
  return word.empty() ? "%" : word;
}

std::string from_word(std::string_view word) {
  std::string text;
  while (!word.empty()) {
    unsigned byte = 0;
    const bool is_coded =
        word.front() == '%' && word.size() >= 3 &&
        std::from_chars(word.data() + 1, word.data() + 3, byte, 16).ptr == word.data() + 3;
    if (is_coded) text += static_cast<char>(byte);
    if (!is_coded && word.front() != '%') text += word.front();
    word.remove_prefix(is_coded ? 3 : 1);
  }
  return text;
}

template <typename Number>
bool take_number(std::string_view& line, Number& number) {
  const std::string_view word = text::cut(line, ' ');
  const auto end = word.data() + word.size();
  return !word.empty() && std::from_chars(word.data(), end, number).ptr == end;
}

template <typename Enum>
bool take_choice(std::string_view& line, const std::array<std::string_view, 3>& words,
                 Enum& chosen) {
  const std::string_view word = text::cut(line, ' ');
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] != word) continue;
    chosen = static_cast<Enum>(i);
    return true;
  }
  return false;
}

std::string print_sessions(const SavedSessions& sessions) {
  std::string out;
  for (const auto& [bucket, count] : sessions)
    out += (out.empty() ? "" : ",") + std::to_string(bucket) + ":" + std::to_string(count);
  return out.empty() ? "-" : out;
}

bool take_sessions(std::string_view& line, SavedSessions& sessions) {
  std::string_view list = text::cut(line, ' ');
  if (list == "-") return true;
  while (!list.empty()) {
    std::string_view pair = text::cut(list, ',');
    std::string_view bucket_word = text::cut(pair, ':');
    std::uint32_t bucket = 0;
    std::int32_t count = 0;
    if (!take_number(bucket_word, bucket) || !take_number(pair, count)) return false;
    sessions.emplace_back(bucket, count);
  }
  return !sessions.empty();
}

std::optional<SavedReplica> parse_line(std::string_view line) {
  SavedReplica replica;
  replica.pool = from_word(text::cut(line, ' '));
  replica.id = from_word(text::cut(line, ' '));
  replica.address = from_word(text::cut(line, ' '));
  const bool is_good =
      take_choice(line, kAdmins, replica.written) && take_choice(line, kAdmins, replica.admin) &&
      take_choice(line, kHealths, replica.health) && take_number(line, replica.ejected_until_s) &&
      take_number(line, replica.last_dead_s) && take_number(line, replica.incarnation) &&
      take_sessions(line, replica.sessions) && take_sessions(line, replica.sessions_by_id);
  if (!is_good || !line.empty()) return std::nullopt;
  return replica;
}

}  // namespace

std::string_view word_of(AdminState state) noexcept {
  return kAdmins[static_cast<std::size_t>(state)];
}

std::string print_saved(const SavedReplicas& saved) {
  std::string out = std::string(kHead) + std::to_string(saved.when.time_since_epoch().count());
  out += '\n';
  for (const SavedReplica& replica : saved.replicas) {
    out += as_word(replica.pool) + ' ' + as_word(replica.id) + ' ' + as_word(replica.address);
    out += ' ';
    out += word_of(replica.written);
    out += ' ';
    out += word_of(replica.admin);
    out += ' ';
    out += kHealths[static_cast<std::size_t>(replica.health)];
    out += ' ' + std::to_string(replica.ejected_until_s) + ' ' +
           std::to_string(replica.last_dead_s) + ' ' + std::to_string(replica.incarnation) + ' ' +
           print_sessions(replica.sessions) + ' ' + print_sessions(replica.sessions_by_id) + '\n';
  }
  return out;
}

Result<SavedReplicas> parse_saved(std::string_view text) {
  SavedReplicas saved;
  std::string_view head = text::cut(text, '\n');
  std::int64_t when = 0;
  if (!head.starts_with(kHead)) return Error{"line 1 is not \"" + std::string(kHead) + "TIME\""};
  head.remove_prefix(kHead.size());
  if (!take_number(head, when)) return Error{"line 1 has no time"};
  saved.when = WallSeconds(std::chrono::seconds(when));
  for (std::size_t number = 2; !text.empty(); ++number) {
    std::optional<SavedReplica> replica = parse_line(text::cut(text, '\n'));
    if (!replica) return Error{"line " + std::to_string(number) + " is not of the form"};
    saved.replicas.push_back(std::move(*replica));
  }
  return saved;
}

SavedSessions saved_sessions(const Vitals& vitals, SessionLedger WorkerShare::*ledger,
                             std::uint32_t now) {
  SavedSessions sessions;
  for (std::uint32_t bucket = now - kLiveSessionBuckets; bucket <= now; ++bucket) {
    std::int64_t count = 0;
    for (std::size_t worker = 0; worker < vitals.workers(); ++worker)
      count += (vitals.share(worker).*ledger).count(bucket, bucket);
    if (count != 0) sessions.emplace_back(bucket, static_cast<std::int32_t>(count));
  }
  return sessions;
}

}  // namespace limpet
