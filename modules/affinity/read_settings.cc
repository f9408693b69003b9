// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/read_settings.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/module/client_certificate.h"
#include "modules/affinity/replica_table.h"

namespace limpet::affinity {

namespace {

PrincipalSetting read_principal(const ConfigReader& reader, const ConfigReader& root) {
  const std::string said =
      reader.text("principal", "jwt",
                  "jwt, header:NAME or client-certificate: whom the source principal places by");
  auto rule = parse_principal(said, "jwt");
  if (!rule) {
    reader.mistake("principal", "principal: \"" + text::escaped(said) +
                                    "\" names nobody; expected jwt, header:NAME or "
                                    "client-certificate");
    return {};
  }
  if (rule->kind == PrincipalRule::Kind::kCertificate)
    expect_client_certificates(reader, "principal", root);
  return *std::move(rule);
}

std::vector<Source> read_sources(const ConfigReader& reader, const ConfigReader& root) {
  std::vector<Source> sources;
  const PrincipalSetting principal = read_principal(reader, root);
  const std::vector<std::string> texts = reader.texts(
      "from", {"cookie"},
      "in order: cookie, header:NAME, query:NAME, mcp, principal, client-ip; [] for none");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Result<Source> source = parse_source(texts[i]);
    if (!source) {
      reader.mistake("from", i, "from: " + source.error().text);
      continue;
    }
    const bool is_repeated = std::any_of(sources.begin(), sources.end(), [&](const Source& other) {
      return other.label == source->label;
    });
    if (is_repeated)
      reader.mistake("from", i, "from: \"" + texts[i] + "\" stands here twice");
    else
      sources.push_back(*std::move(source));
    if (!is_repeated && sources.back().kind == Source::Kind::kPrincipal)
      sources.back().principal = principal;
  }
  return sources;
}

// What an operator means by switching affinity on where the file has it off: what the pool's preset
// would have.
std::vector<Source> usual_sources(const ConfigReader& pool) {
  std::vector<Source> sources;
  if (pool.text("preset", "web") == "mcp") sources.push_back(parse_source("mcp").value());
  sources.push_back(parse_source("cookie").value());
  return sources;
}

bool is_attribute_value(std::string_view value) noexcept {
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= ' ' && c < '\x7f' && c != ';'; });
}

// What browsers demand of the attributes together: they drop a cookie that breaks it, silently.
void check_cookie(const ConfigReader& reader, const CookieAttributes& cookie,
                  std::optional<bool> secure) {
  const bool is_never_secure = secure && !*secure;
  if (!is_cookie_name(cookie.name)) {
    reader.mistake("name", "name: \"" + text::escaped(cookie.name) +
                               "\" is not a cookie name; expected letters, digits, - and _");
  }
  if (!cookie.path.starts_with('/') || !is_attribute_value(cookie.path)) {
    reader.mistake("path", "path: expected a path that begins with \"/\" and has no \";\"");
  }
  if (!is_attribute_value(cookie.domain)) reader.mistake("domain", "domain: expected a host name");
  if (is_never_secure && (cookie.same_site == SameSite::kNone || cookie.is_partitioned ||
                          cookie.prefix != CookiePrefix::kNone)) {
    reader.mistake("secure",
                   "secure: browsers drop a cookie with same_site = \"none\", partitioned or a "
                   "prefix unless it is Secure; "
                   "expected true or \"auto\"");
  }
  if (cookie.prefix == CookiePrefix::kHost && (cookie.path != "/" || !cookie.domain.empty())) {
    reader.mistake("prefix", "prefix: a __Host- cookie has path = \"/\" and no domain");
  }
}

// Tokens and cookies count in seconds: less would be none at all.
Duration read_lifetime(const ConfigReader& reader, std::string_view key, std::string_view help) {
  const Duration lifetime = reader.duration(key, kForever, Off::kAllowed, help);
  if (lifetime < std::chrono::seconds(1)) {
    reader.mistake(key, std::string(key) + ": expected 1s or more, or off");
  }
  return lifetime;
}

CookieAttributes read_cookie(const ConfigReader& reader, std::optional<bool>& secure) {
  CookieAttributes cookie;
  cookie.name = reader.text("name", "limpet");
  cookie.path = reader.text("path", "/");
  cookie.domain = reader.text("domain", "");
  cookie.same_site = reader.choice<SameSite>(
      "same_site", SameSite::kLax,
      {{"lax", SameSite::kLax}, {"strict", SameSite::kStrict}, {"none", SameSite::kNone}});
  secure = reader.flag_or_auto("secure", "auto: where the client came over TLS");
  cookie.is_http_only = reader.flag("http_only", true);
  cookie.is_partitioned = reader.flag("partitioned", false);
  const Duration max_age = read_lifetime(reader, "max_age", "off: until the browser ends");
  if (max_age != kForever)
    cookie.max_age = std::chrono::duration_cast<std::chrono::seconds>(max_age);
  cookie.prefix = reader.choice<CookiePrefix>("prefix", CookiePrefix::kNone,
                                              {{"", CookiePrefix::kNone},
                                               {"__Host-", CookiePrefix::kHost},
                                               {"__Secure-", CookiePrefix::kSecure}});
  check_cookie(reader, cookie, secure);
  return cookie;
}

void read_cookies(const ConfigReader& reader, AffinitySettings& settings) {
  std::optional<bool> secure;
  CookieAttributes cookie = read_cookie(reader.table("cookie"), secure);
  const bool is_source =
      std::any_of(settings.sources.begin(), settings.sources.end(),
                  [](const Source& source) { return source.kind == Source::Kind::kCookie; });
  if (!is_source) return;
  settings.cookie.emplace(cookie, secure);
  if (!settings.is_arr_compatible) return;
  cookie.name += "SameSite";
  cookie.same_site = SameSite::kNone;
  settings.twin_cookie.emplace(cookie, true);
}

void read_policy(const ConfigReader& reader, std::string_view key, std::string_view fallback,
                 Cause cause, PolicyTable& policies) {
  Result<Policy> policy = parse_policy(reader.text(key, fallback), words_for(cause));
  if (!policy) return reader.mistake(key, std::string(key) + ": " + policy.error().text);
  policies[static_cast<std::size_t>(cause)] = *policy;
}

PolicyTable read_policies(const ConfigReader& reader) {
  PolicyTable policies;
  read_policy(reader, "on_gone", "move", Cause::kGone, policies);
  read_policy(reader, "on_down", "move", Cause::kDown, policies);
  read_policy(reader, "on_full", "wait:2s then move", Cause::kFull, policies);
  read_policy(reader, "on_draining", "keep", Cause::kDraining, policies);
  read_policy(reader, "on_invalid", "move", Cause::kInvalid, policies);
  policies[static_cast<std::size_t>(Cause::kForeign)] =
      policies[static_cast<std::size_t>(Cause::kInvalid)];
  return policies;
}

TokenRules read_rules(const ConfigReader& reader, const std::string& pool_name) {
  TokenRules rules;
  rules.pool = pool_mark(pool_name);
  rules.idle = read_lifetime(reader, "idle", "a token unused for so long is expired");
  rules.absolute = read_lifetime(reader, "absolute", "a session older than that is expired");
  rules.clock_skew = reader.duration("clock_skew", std::chrono::minutes(5), Off::kRefused,
                                     "how far the clocks of instances may differ");
  rules.is_strict =
      reader.choice("incarnation", "ignore", {"ignore", "strict"},
                    "strict: a restarted replica is not the one that the token names") == "strict";
  return rules;
}

// What [pool.NAME.mcp] says about ids concerns their tokens. The rest is the module mcp's, which
// also reports what cannot be read, in the chain or not.
void read_mcp(const ConfigReader& pool, AffinitySettings& settings) {
  const std::vector<std::string> chain = pool.texts("chain", {});
  const bool is_in_chain = std::find(chain.begin(), chain.end(), "mcp") != chain.end();
  if (!is_in_chain && !settings.has_sessions) return;  // it concerns no token
  const ConfigReader reader = pool.table("mcp");
  settings.is_learning = reader.text("session_ids", "wrap") == "learn";
  if (settings.is_learning && !is_in_chain) {
    reader.mistake("session_ids",
                   "session_ids: \"learn\" needs the module that keeps the table of ids; expected "
                   "\"mcp\" in the chain of this pool");
  } else if (settings.is_learning && !settings.has_sessions) {
    reader.mistake("session_ids",
                   "session_ids: \"learn\" has no effect where affinity does not look at session "
                   "ids; expected \"mcp\" in affinity.from of this pool");
  }
  const std::string bound = reader.text("bind_to", "off");
  if (bound == "off") return;
  if (auto rule = parse_principal(bound, "jwt-subject")) settings.binding = *std::move(rule);
}

std::shared_ptr<const KeyRing> read_keys(const PlanContext& context) {
  const ConfigReader reader = context.root.table("keys");
  const std::string path =
      reader.text("file", "", "one base64 key a line; \"\": state_dir/affinity.keys");
  Result<std::shared_ptr<const KeyRing>> ring =
      path.empty() ? KeyRing::read_or_make(context.state_dir) : KeyRing::read(path);
  if (!ring) {
    const std::string key = path.empty() ? "state_dir" : "file";
    const ConfigReader table = path.empty() ? context.root.table("daemon") : reader;
    table.mistake(key, key + ": " + ring.error().text);
    return nullptr;
  }
  if (!(*ring)->warning().empty()) log::warning((*ring)->warning());
  return *ring;
}

}  // namespace

AffinitySettings read_settings(const ConfigReader& reader, const PlanContext& context) {
  AffinitySettings settings;
  if (context.pool == nullptr) return settings;  // without a pool there is nothing to be tied to
  settings.pool_name = context.pool->name;
  const ConfigReader pool = context.root.table("pool").table(settings.pool_name);
  settings.sources = read_sources(reader, context.root);
  if (settings.sources.empty() && context.wants_affinity) settings.sources = usual_sources(pool);
  settings.is_arr_compatible = reader.flag(
      "arr_compat", false, "a second cookie NAMESameSite; Arr-Disable-Session-Affinity is obeyed");
  read_cookies(reader, settings);
  settings.rules = read_rules(reader, settings.pool_name);
  settings.is_stripped = reader.flag("strip", true, "the replica does not see limpet's cookie");
  settings.policies = read_policies(reader);
  settings.is_shown = reader.flag("show", false, "response header Limpet-Affinity-Outcome");
  settings.has_sessions =
      std::any_of(settings.sources.begin(), settings.sources.end(),
                  [](const Source& source) { return source.kind == Source::Kind::kSession; });
  if (!context.is_in_chain) return settings;  // keys would be made, and mcp is not our neighbour
  read_mcp(pool, settings);
  if (settings.cookie || settings.has_sessions) {
    settings.keys = read_keys(context);
    const std::string collision = ReplicaTable::collision(*context.pool);
    if (!collision.empty()) reader.mistake(collision);
  }
  return settings;
}

}  // namespace limpet::affinity
