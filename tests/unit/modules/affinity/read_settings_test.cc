// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/read_settings.h"

#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>

#include "tests/unit/modules/affinity/affinity_rig.h"

namespace limpet::affinity {
namespace {

using test::make_pool;
using test::PlanRig;

std::string mistakes(std::string_view lines, std::string_view more = {}) {
  const auto pool = make_pool("web", std::vector<std::string>{"a", "b"});
  const PlanRig plan(kAffinity, *pool,
                     "[pool.web.affinity]\n" + std::string(lines) + "\n" + std::string(more),
                     test::shared_state_dir());
  return plan.mistakes();
}

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("every setting of the contract is read without a mistake") {
  CHECK(mistakes(R"(
from = ["cookie", "header:X-User", "query:user", "mcp", "client-ip"]
cookie = { name = "limpet", path = "/", domain = "", same_site = "lax", secure = "auto", http_only = true, partitioned = false, max_age = "off", prefix = "" }
idle = "30m"
absolute = "12h"
incarnation = "strict"
strip = true
on_gone = "move"
on_down = "wait:1s then move"
on_full = "wait:2s then refuse:503"
on_draining = "keep"
on_invalid = "refuse:400"
show = true
[pool.web.mcp]
session_ids = "wrap"
carry_over = "compatible"
keep_alive = "15s"
session_idle = "30m"
bind_to = "off"
store = ""
)") == "");
}

TEST_CASE("the presets hold policies that affinity can read") {
  for (const std::string preset : {"web", "strict", "mcp", "azure"}) {
    Config config = Config::from_text(
        "[pool.web]\npreset = \"" + preset + "\"\nreplicas = [\"127.0.0.1:9\"]\n", "t.toml");
    const auto pool = make_pool("web", std::vector<std::string>{"127.0.0.1:9"});
    const ConfigReader root = config.root();
    const auto plan = kAffinity.read(root.table("pool").table("web").table("affinity"),
                                     PlanContext{pool.get(), root, test::shared_state_dir()});
    const std::string text = config.mistakes().render();
    CHECK_MESSAGE(!says(text, "affinity"), text);
    CHECK(plan->wants(Phase::kSelect));
  }
}

TEST_CASE("a wrong source is named at its place with what was expected") {
  const std::string text = mistakes("from = [\"cookie\", \"kookie\"]");
  CHECK(says(text, "test.toml:2:19"));
  CHECK(says(text, "expected one of: cookie, header:NAME, query:NAME, mcp, principal, client-ip"));
  CHECK(says(mistakes("from = [\"header:\"]"), "header:X-User"));
  CHECK(says(mistakes("from = [\"header:a b\"]"), "not a header name"));
  CHECK(says(mistakes("from = [\"query:\"]"), "query:user"));
  CHECK(says(mistakes("from = [\"cookie\", \"cookie\"]"), "twice"));
  CHECK(says(mistakes("from = [\"header:X-A\", \"header:x-a\"]"), "twice"));
}

TEST_CASE("a principal is a JWT's subject or a header's value") {
  CHECK(mistakes("from = [\"principal\"]") == "");
  CHECK(mistakes("from = [\"principal\"]\nprincipal = \"header:X-User\"") == "");
  const std::string text = mistakes("from = [\"principal\"]\nprincipal = \"cookie\"");
  CHECK(says(
      text, "principal: \"cookie\" names nobody; expected jwt, header:NAME or client-certificate"));
  CHECK(says(text, "test.toml:3:13"));
}

constexpr std::string_view kAsksClients = R"(
[[listener]]
name = "secure"
[listener.tls]
client_ca = "/ca.pem"
client_auth = "optional"
)";

TEST_CASE("a principal of the client's certificate needs a listener that asks for one") {
  const std::string lines = "from = [\"principal\"]\nprincipal = \"client-certificate\"";
  CHECK(mistakes(lines, kAsksClients) == "");
  for (const std::string_view more :
       {std::string_view(), std::string_view("[[listener]]\nname = \"web\"")}) {
    const std::string text = mistakes(lines, more);
    CHECK(says(text, "test.toml:3:13"));
    CHECK(says(text,
               "principal: no listener asks its clients for a certificate; expected "
               "client_auth = \"required\" or \"optional\", and client_ca"));
  }
}

TEST_CASE("ids cannot be learnt where nobody keeps their table, or nobody looks at ids") {
  const auto learn = [](const std::string& from, const std::string& chain) {
    return mistakes("from = [" + from + "]",
                    "[pool.web.mcp]\nsession_ids = \"learn\"\n[pool.web]\nchain = [" + chain + "]");
  };
  CHECK(learn(R"("mcp", "cookie")", R"("mcp", "affinity")") == "");
  const std::string without_module = learn(R"("mcp")", R"("affinity", "balance")");
  CHECK(says(without_module, "test.toml:4:15"));
  CHECK(says(without_module,
             "session_ids: \"learn\" needs the module that keeps the table of ids; expected "
             "\"mcp\" in the chain of this pool"));
  CHECK(says(learn(R"("cookie")", R"("mcp", "affinity")"),
             "expected \"mcp\" in affinity.from of this pool"));
  CHECK(mistakes("from = [\"mcp\"]", "[pool.web.mcp]\nsession_ids = \"wrap\"") == "");
}

TEST_CASE("bind_to is used here where the module mcp is not in the chain, which reports it alone") {
  const auto bound = [](const std::string& to) {
    return mistakes("from = [\"mcp\"]", "[pool.web.mcp]\nbind_to = \"" + to + "\"\n");
  };
  CHECK(bound("jwt-subject") == "");
  CHECK(bound("somebody") == "");
}

TEST_CASE("a table outside the chain is looked at, and no key is made for it") {
  Config config =
      Config::fragment("[pool.web.affinity]\nfrom = [\"kookie\", \"cookie\"]\n", "t.toml");
  const auto pool = make_pool("web", std::vector<std::string>{"a"});
  const ConfigReader root = config.root();
  PlanContext context{pool.get(), root, "/nonexistent/limpet"};
  context.is_in_chain = false;
  CHECK(kAffinity.read(root.table("pool").table("web").table("affinity"), context) != nullptr);
  CHECK(config.mistakes().size() == 1);
  CHECK(says(config.mistakes().render(), "t.toml:2:9"));
}

TEST_CASE("a wrong policy is named with its key and what was expected") {
  const std::string text = mistakes("on_gone = \"mvoe\"\non_full = \"wait:2s\"");
  CHECK(says(text, "on_gone: \"mvoe\""));
  CHECK(says(text, "on_full: a wait needs"));
}

TEST_CASE("cookie attributes that browsers would drop are mistakes") {
  CHECK(says(mistakes("cookie = { name = \"a b\" }"), "not a cookie name"));
  CHECK(says(mistakes("cookie = { path = \"x\" }"), "begins with"));
  CHECK(says(mistakes("cookie = { same_site = \"none\", secure = false }"), "Secure"));
  CHECK(says(mistakes("cookie = { prefix = \"__Host-\", path = \"/app\" }"), "__Host-"));
  CHECK(mistakes("cookie = { prefix = \"__Host-\" }") == "");
}

TEST_CASE("a lifetime of less than a second is a mistake") {
  for (const std::string key : {"idle", "absolute", "cookie.max_age"}) {
    CHECK(says(mistakes(key + " = \"0s\""), "expected 1s or more, or off"));
    CHECK(says(mistakes(key + " = \"999ms\""), "expected 1s or more, or off"));
    CHECK(mistakes(key + " = \"1s\"") == "");
  }
}

TEST_CASE("a __Host- cookie is named and Secure accordingly") {
  test::AffinityRig rig("cookie = { prefix = \"__Host-\", name = \"s\" }");
  CHECK(rig.visit("").front().find("; Path=/; Secure; HttpOnly; SameSite=Lax") !=
        std::string::npos);
  CHECK(rig.visit("").front().starts_with("__Host-s="));
}

TEST_CASE("a key file that cannot be read is a mistake of [keys]") {
  const std::string text = mistakes("", "[keys]\nfile = \"/nonexistent/affinity.keys\"");
  CHECK(says(text, "/nonexistent/affinity.keys"));
  CHECK(says(text, "test.toml:4"));
}

TEST_CASE("a state directory that cannot be had is a mistake of [daemon]") {
  const auto pool = make_pool("web", std::vector<std::string>{"a"});
  Config config = Config::from_text("[daemon]\nstate_dir = \"/proc/none\"\n[pool.web]\n", "t.toml");
  const ConfigReader root = config.root();
  static_cast<void>(kAffinity.read(root.table("pool").table("web").table("affinity"),
                                   PlanContext{pool.get(), root, "/proc/none"}));
  CHECK(says(config.mistakes().render(), "t.toml:2:13: error: state_dir: cannot make"));
}

TEST_CASE(
    "an operator who switches affinity on where the file has it off gets what the preset would "
    "have") {
  const auto pool = make_pool("web", std::vector<std::string>{"a"});
  for (const auto& [preset, count] : {std::pair<std::string, std::size_t>{"web", 1}, {"mcp", 2}}) {
    Config config =
        Config::fragment("[pool.web]\npreset = \"" + preset + "\"\naffinity.from = []\n", "t.toml");
    const ConfigReader root = config.root();
    PlanContext context{pool.get(), root, test::shared_state_dir()};
    const ConfigReader reader = root.table("pool").table("web").table("affinity");
    CHECK(read_settings(reader, context).sources.empty());
    context.wants_affinity = true;
    CHECK(read_settings(reader, context).sources.size() == count);
  }
}

TEST_CASE("a chain without a pool has no affinity") {
  Config config = Config::fragment("", "t.toml");
  const auto plan = kAffinity.read(ConfigReader{}, PlanContext{nullptr, config.root(), {}});
  CHECK_FALSE(plan->wants(Phase::kSelect));
}

TEST_CASE("a pool without tokens needs no keys") {
  CHECK(mistakes("from = [\"client-ip\"]", "[keys]\nfile = \"/nonexistent/affinity.keys\"") == "");
}

}  // namespace
}  // namespace limpet::affinity
