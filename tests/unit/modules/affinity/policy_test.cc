// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/policy.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet::affinity {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Policy read(std::string_view text, Cause cause) {
  const Result<Policy> policy = parse_policy(text, words_for(cause));
  REQUIRE_MESSAGE(policy, text);
  return policy.value();
}

std::string error(std::string_view text, Cause cause) {
  const Result<Policy> policy = parse_policy(text, words_for(cause));
  return policy ? std::string("accepted") : policy.error().text;
}

TEST_CASE("every form of a policy reads as what it says") {
  CHECK(read("move", Cause::kGone) == Policy{});
  CHECK(read("refuse:404", Cause::kGone) == Policy{{}, Measure::kRefuse, 404, false});
  CHECK(read("wait:250ms then move", Cause::kDown) ==
        Policy{milliseconds(250), Measure::kMove, 0, false});
  CHECK(read("wait:2s then refuse:503", Cause::kFull) ==
        Policy{seconds(2), Measure::kRefuse, 503, false});
  CHECK(read("keep", Cause::kDraining) == Policy{{}, Measure::kKeep, 0, false});
  CHECK(read("carry-over else refuse:404", Cause::kGone) ==
        Policy{{}, Measure::kRefuse, 404, true});
  CHECK(read("wait:1s then carry-over else refuse:404", Cause::kDown) ==
        Policy{seconds(1), Measure::kRefuse, 404, true});
}

TEST_CASE("a policy prints as it is read") {
  for (const std::string_view text :
       {"move", "refuse:503", "wait:2s then move", "wait:1s then carry-over else refuse:404"}) {
    CHECK(print_policy(read(text, Cause::kDown)) == text);
  }
  CHECK(print_policy(read("keep", Cause::kDraining)) == "keep");
}

TEST_CASE("what is not a policy is refused with what was expected") {
  CHECK(error("mvoe", Cause::kGone).find("expected one of: move, refuse:STATUS") !=
        std::string::npos);
  CHECK(error("", Cause::kDown).find("expected") != std::string::npos);
  CHECK(error("wait:2s", Cause::kFull).find("what follows it") != std::string::npos);
  CHECK(error("wait:soon then move", Cause::kFull).find("such as 250ms") != std::string::npos);
  CHECK(error("wait:0s then move", Cause::kFull).find("duration") != std::string::npos);
  CHECK(error("wait:2s then move later", Cause::kFull) != "accepted");
  CHECK(error("refuse:", Cause::kGone).find("400 to 599") != std::string::npos);
  CHECK(error("refuse:200", Cause::kGone).find("400 to 599") != std::string::npos);
  CHECK(error("refuse:0404", Cause::kGone) != "accepted");
  CHECK(error("move\n", Cause::kGone) != "accepted");
}

TEST_CASE("a word that helps nothing for a cause is refused there") {
  CHECK(error("wait:2s then move", Cause::kGone) != "accepted");
  CHECK(error("wait:2s then move", Cause::kInvalid) != "accepted");
  CHECK(error("keep", Cause::kDown) != "accepted");
  CHECK(error("refuse:503", Cause::kDraining) != "accepted");
  CHECK(error("carry-over else refuse:404", Cause::kInvalid) != "accepted");
}

}  // namespace
}  // namespace limpet::affinity
