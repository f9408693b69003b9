// SPDX-License-Identifier: Apache-2.0
#include "modules/balance/settings.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/base/text.h"

namespace limpet::balance {
namespace {

constexpr std::string_view kHashPrefix = "hash:";
constexpr std::int64_t kReplicaCapMax = 1'000'000'000;

constexpr std::array<std::pair<std::string_view, BalancePolicy>, 5> kPolicies = {
    {{"two-choices", BalancePolicy::kTwoChoices},
     {"least-requests", BalancePolicy::kLeastRequests},
     {"sessions", BalancePolicy::kSessions},
     {"round-robin", BalancePolicy::kRoundRobin},
     {"random", BalancePolicy::kRandom}}};

void read_policy(const ConfigReader& reader, BalanceSettings& settings) {
  const std::string word =
      reader.text("policy", "two-choices",
                  "two-choices, least-requests, sessions, round-robin, random or hash:KEY");
  for (const auto& [name, policy] : kPolicies) {
    if (word == name) {
      settings.policy = policy;
      return;
    }
  }
  if (word.starts_with(kHashPrefix)) {
    settings.policy = BalancePolicy::kHash;
    const auto key = HashKey::parse(std::string_view(word).substr(kHashPrefix.size()));
    if (key) {
      settings.hash_key = *key;
    } else {
      reader.mistake("policy", "\"" + text::escaped(word) +
                                   "\" names no key: expected hash:header:NAME, hash:query:NAME, "
                                   "hash:cookie:NAME, hash:client-ip or hash:path");
    }
    return;
  }
  std::array<std::string_view, kPolicies.size() + 1> words{};
  for (std::size_t i = 0; i < kPolicies.size(); ++i)
    words[i] = kPolicies[i].first;
  words.back() = "hash:KEY";
  const std::string_view near = text::nearest(word, words);
  reader.mistake("policy", "unknown policy \"" + text::escaped(word) + "\"" +
                               (near.empty() ? ": expected two-choices, least-requests, sessions, "
                                               "round-robin, random or hash:KEY"
                                             : ", did you mean \"" + std::string(near) + "\"?"));
}

std::uint32_t read_count(const ConfigReader& reader, std::string_view key, std::int64_t fallback,
                         std::string_view help) {
  return static_cast<std::uint32_t>(reader.number(key, fallback, 0, kReplicaCapMax, help));
}

}  // namespace

BalanceSettings read_balance_settings(const ConfigReader& reader) {
  BalanceSettings settings;
  read_policy(reader, settings);
  settings.slow_start = reader.duration("slow_start", std::chrono::seconds(30), Off::kAllowed,
                                        "how long a recovered replica takes to its full share");
  if (settings.slow_start == kForever) settings.slow_start = Duration{0};
  settings.requests_max =
      read_count(reader, "max_requests", 0, "in flight per replica, 0 = no limit");
  settings.sessions_max =
      read_count(reader, "max_sessions", 0, "live sessions per replica, 0 = no limit");
  settings.queue_max =
      read_count(reader, "queue", 1024, "how many requests may wait for a full replica");
  settings.queue_timeout = reader.duration("queue_timeout", std::chrono::seconds(5), Off::kRefused,
                                           "how long a request may wait for a full replica");
  settings.panic_threshold_percent = static_cast<std::uint32_t>(
      reader.number("panic_threshold", 30, 0, 100,
                    "percent of replicas eligible under which all are, 0 = never"));
  return settings;
}

}  // namespace limpet::balance
