// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/policy.h"

#include <optional>

#include "daemon/base/text.h"
#include "daemon/base/units.h"

namespace limpet::affinity {

namespace {

constexpr std::string_view kWait = "wait:";
constexpr std::string_view kThen = " then ";
constexpr std::string_view kCarryOver = "carry-over else ";
constexpr std::string_view kRefuse = "refuse:";

bool take_prefix(std::string_view& text, std::string_view prefix) noexcept {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string expected(PolicyWords words) {
  std::string list = "move";
  if (words.may_keep) list += ", keep";
  if (words.may_refuse) list += ", refuse:STATUS";
  if (words.may_wait) list += ", wait:DURATION then move";
  if (words.may_wait && words.may_refuse) list += ", wait:DURATION then refuse:STATUS";
  if (words.may_carry_over) list += ", carry-over else refuse:STATUS";
  return "expected one of: " + list;
}

Error wrong(std::string_view text, PolicyWords words) {
  return Error{"\"" + text::escaped(text) + "\" is not a policy here; " + expected(words)};
}

// What a refused client is told must be an error of HTTP: 400 to 599.
std::optional<std::uint16_t> status_of(std::string_view text) noexcept {
  const std::optional<std::uint64_t> number = text::parse_unsigned(text);
  if (!number || text.size() != 3 || *number < 400 || *number > 599) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

// "DURATION then " at the start of `rest`, which is moved behind it.
Result<Duration> take_wait(std::string_view& rest) {
  const std::size_t end = rest.find(kThen);
  if (end == std::string_view::npos) {
    return Error{
        "a wait needs what follows it: wait:DURATION then move, or wait:DURATION then "
        "refuse:STATUS"};
  }
  const std::string_view length = text::trim(rest.substr(0, end));
  rest = text::trim(rest.substr(end + kThen.size()));
  const std::optional<Duration> duration = parse_duration(length);
  if (!duration || *duration <= Duration::zero()) {
    return Error{"\"" + text::escaped(length) +
                 "\" is not a duration to wait; expected one such as 250ms or 2s"};
  }
  return *duration;
}

}  // namespace

PolicyWords words_for(Cause cause) noexcept {
  switch (cause) {
    case Cause::kGone:
      return {.may_carry_over = true};
    case Cause::kDown:
      return {.may_wait = true, .may_carry_over = true};
    case Cause::kFull:
      return {.may_wait = true};
    case Cause::kDraining:
      return {.may_keep = true, .may_refuse = false};
    default:
      return {};
  }
}

Result<Policy> parse_policy(std::string_view text, PolicyWords words) {
  Policy policy;
  std::string_view rest = text::trim(text);
  if (words.may_wait && take_prefix(rest, kWait)) {
    Result<Duration> wait = take_wait(rest);
    if (!wait) return wait.error();
    policy.wait = *wait;
  }
  if (words.may_carry_over && take_prefix(rest, kCarryOver)) {
    policy.is_carried_if_possible = true;
    rest = text::trim(rest);
  }
  if (rest == "move") return policy;
  if (rest == "keep" && words.may_keep) {
    policy.then = Measure::kKeep;
    return policy;
  }
  if (!words.may_refuse || !take_prefix(rest, kRefuse)) return wrong(text, words);
  const std::optional<std::uint16_t> status = status_of(rest);
  if (!status) {
    return Error{"\"" + text::escaped(rest) +
                 "\" is not a status to refuse with; expected a number from 400 to 599"};
  }
  policy.then = Measure::kRefuse;
  policy.status = *status;
  return policy;
}

std::string print_policy(const Policy& policy) {
  std::string text;
  if (policy.wait > Duration::zero())
    text += std::string(kWait) + print_duration(policy.wait) + std::string(kThen);
  if (policy.is_carried_if_possible) text += kCarryOver;
  switch (policy.then) {
    case Measure::kMove:
      text += "move";
      break;
    case Measure::kKeep:
      text += "keep";
      break;
    case Measure::kRefuse:
      text += std::string(kRefuse) + std::to_string(policy.status);
      break;
  }
  return text;
}

}  // namespace limpet::affinity
