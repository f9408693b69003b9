// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <doctest/doctest.h>

#include "modules/affinity/token.h"
#include "tests/unit/modules/affinity/affinity_rig.h"

namespace limpet::affinity {
namespace {

using std::chrono::seconds;
using test::AffinityRig;

struct Asked : ExplainAnswer {
  [[nodiscard]] bool notes_say(std::string_view part) const {
    for (const std::string& note : notes) {
      if (note.find(part) != std::string::npos) return true;
    }
    return false;
  }
};

Asked ask(AffinityRig& rig, std::string_view kind, std::string_view value,
          std::string_view name = {}) {
  Asked answer;
  rig.plan->explain({kind, name, value, rig.rig.wall()}, *rig.pool, answer);
  return answer;
}

TEST_CASE("a good cookie: replica, rule, verdict, age, key and what if it were gone") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  rig.rig.advance(seconds(190));
  const Asked answer = ask(rig, "cookie", cookie.substr(7));
  CHECK(answer.is_answered);
  CHECK(answer.rule == "cookie limpet");
  CHECK(answer.verdict == "hit");
  CHECK(answer.replica == "b");
  CHECK(answer.notes_say("sealed 2026-"));
  CHECK(answer.notes_say("(3m ago) with key "));
  CHECK(answer.notes_say("last seen 3m ago"));
  CHECK(answer.notes_say("replica b is up"));
  CHECK(answer.notes_say("if it were gone: move"));
  CHECK(ask(rig, "cookie", cookie).verdict == "hit");  // with its name in front
  CHECK(ask(rig, "cookie", cookie.substr(7), "other").verdict == "none");
}

TEST_CASE("a replica that was seen dead since, be it in the second of the seal, is told as that") {
  AffinityRig rig("");
  const std::string cookie = rig.new_cookie("b");
  CHECK_FALSE(ask(rig, "cookie", cookie).notes_say("seen dead"));
  rig.vitals("b").note_death(rig.rig.wall());
  const Asked answer = ask(rig, "cookie", cookie);
  CHECK(answer.verdict == "hit");
  CHECK(answer.notes_say("it was seen dead 0s ago"));
  CHECK(answer.notes_say("where it still refuses to connect, the request finds it gone"));
  CHECK_FALSE(ask(rig, "cookie", rig.new_cookie("b")).notes_say("seen dead"));
}

TEST_CASE("a cookie whose replica is down, gone or draining: what the policy does") {
  AffinityRig rig("on_down = \"wait:2s then refuse:503\"\non_gone = \"refuse:410\"");
  const std::string cookie = rig.new_cookie("b");
  rig.vitals("b").health = Health::kDown;
  const Asked down = ask(rig, "cookie", cookie);
  CHECK(down.verdict == "waits up to 2s, then refused 503: down");
  CHECK(down.replica == "b");
  rig.vitals("b").health = Health::kUp;
  rig.vitals("b").admin = AdminState::kDrain;
  CHECK(ask(rig, "cookie", cookie).verdict == "hit: draining");
  AffinityRig later("on_gone = \"refuse:410\"", {"a", "c"});
  const Asked gone = ask(later, "cookie", cookie);
  CHECK(gone.verdict == "refused 410: gone");
  CHECK(gone.replica.empty());
}

TEST_CASE("a cookie that is worth nothing: why") {
  AffinityRig rig("");
  std::string forged = rig.new_cookie("b").substr(7);
  forged[70] = forged[70] == 'x' ? 'y' : 'x';
  CHECK(ask(rig, "cookie", forged).verdict == "moved: invalid");
  CHECK(ask(rig, "cookie", forged).notes_say("does not verify"));
  CHECK(ask(rig, "cookie", "rubbish").notes_say("not a token"));
  AffinityRig other("", {"a", "b"}, "shop");
  CHECK(ask(rig, "cookie", other.new_cookie("a")).verdict == "moved: foreign");
}

TEST_CASE("a session id: the replica, and the id that the replica knows") {
  AffinityRig rig("from = [\"mcp\"]\non_invalid = \"refuse:404\"");
  const auto exchange = rig.request();
  exchange->method("POST");
  rig.select(*exchange, "c");
  exchange->respond(200).response_header("mcp-session-id", "original-1");
  rig.finish(*exchange);
  const Asked answer = ask(rig, "session", exchange->response_value("mcp-session-id"));
  CHECK(answer.verdict == "hit");
  CHECK(answer.replica == "c");
  CHECK(answer.notes_say("original-1"));
  CHECK(ask(rig, "session", "original-1").verdict == "refused 404: invalid");
}

TEST_CASE("a header, a query parameter or an address: the first replica and the next") {
  AffinityRig rig("from = [\"header:X-User\", \"query:user\", \"client-ip\"]");
  const auto exchange = rig.request();
  exchange->header("x-user", "u7");
  rig.select(*exchange);
  const Asked answer = ask(rig, "header", "u7", "X-User");
  CHECK(answer.replica == (*exchange)->replica->id);
  CHECK(answer.rule == "header:x-user");
  CHECK(answer.verdict == "hit");
  CHECK(answer.notes_say("if it were gone: "));
  CHECK(ask(rig, "query", "u7").replica == answer.replica);
  CHECK(ask(rig, "client-ip", "u7").replica == answer.replica);
  CHECK(ask(rig, "header", "u7", "X-Other").verdict == "none");
}

TEST_CASE("a question about a source that the pool does not use is answered by what it uses") {
  AffinityRig rig("from = [\"cookie\"]");
  const Asked answer = ask(rig, "session", "x");
  CHECK(answer.verdict == "none");
  CHECK(answer.notes_say("from = [\"cookie\"]"));
  CHECK_FALSE(ask(rig, "weather", "x").is_answered);
}

}  // namespace
}  // namespace limpet::affinity
