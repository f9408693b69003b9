// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/check.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <stdlib.h>

#include "tests/unit/config/fake_modules.h"

namespace limpet {
namespace {

constexpr std::string_view kSound = R"([[listener]]
bind = ["127.0.0.1:8080"]
[[route]]
pool = "web"
[pool.web]
replicas = ["10.0.0.1:80"]
)";

/// What is wrong with a sound configuration after `more` is added to it.
std::string with(std::string_view more) {
  Config config = Config::from_text(std::string(kSound) + std::string(more), "l.toml");
  fake::ask_all(config);
  return config.mistakes().render();
}

/// What is wrong with a text of its own.
std::string alone(std::string_view text) {
  Config config = Config::from_text(text, "l.toml");
  fake::ask_all(config);
  return config.mistakes().render();
}

TEST_CASE("a sound configuration has no mistakes") { CHECK(with("") == ""); }

TEST_CASE("nothing at all lacks a listener and a route") {
  CHECK(alone("") ==
        "l.toml: error: no [[listener]]: nothing would be served\n"
        "l.toml: error: no [[route]]: every request would be answered 404\n");
}

TEST_CASE("a route to a pool that is not there names the nearest pool") {
  CHECK(with("[[route]]\npath = \"/x\"\npool = \"wbe\"\n") ==
        "l.toml:9:8: error: pool: there is no [pool.wbe], did you mean \"web\"?\n"
        "pool = \"wbe\"\n       ^\n");
}

TEST_CASE("two routes of one host and path are a tie") {
  CHECK(with("[[route]]\nhost = \"*\"\nrespond = { status = 404 }\n") ==
        "l.toml:7:1: error: a route for host \"*\" and path \"/\" is already at l.toml:3:1\n"
        "[[route]]\n^\n");
  CHECK(with("[[route]]\nhost = \"A.example\"\npath = \"/x/\"\npool = \"web\"\n"
             "[[route]]\nhost = \"a.example.\"\npath = \"/x\"\npool = \"web\"\n") ==
        "l.toml:11:1: error: a route for host \"a.example\" and path \"/x\" is already at "
        "l.toml:7:1\n[[route]]\n^\n");
  CHECK(with("[[route]]\nhost = \"a.example\"\npool = \"web\"\n").empty());
}

TEST_CASE("a route has exactly one target") {
  CHECK(with("[[route]]\npath = \"/x\"\n") ==
        "l.toml:7:1: error: a route has one of pool, redirect and respond; this one has none\n"
        "[[route]]\n^\n");
  CHECK(with("[[route]]\npath = \"/x\"\npool = \"web\"\nredirect = { to = \"/y\" }\n") ==
        "l.toml:10:12: error: a route has one of pool, redirect and respond; this one has pool and "
        "redirect\nredirect = { to = \"/y\" }\n           ^\n");
}

TEST_CASE("hosts, paths and targets of routes are looked at") {
  CHECK(
      with("[[route]]\nhost = \"a:80\"\npool = \"web\"\n") ==
      "l.toml:8:8: error: host: expected a name such as \"app.example.org\", \"*.example.org\" or "
      "\"*\", without a port\nhost = \"a:80\"\n       ^\n");
  for (const char* host : {"", "*.", "a b", "*.*.x", "http://x"}) {
    CHECK_MESSAGE(
        !with("[[route]]\nhost = \"" + std::string(host) + "\"\npool = \"web\"\n").empty(), host);
  }
  for (const char* host : {"a", "*.example.org", "10.0.0.1", "[::1]"}) {
    CHECK_MESSAGE(with("[[route]]\nhost = \"" + std::string(host) + "\"\npool = \"web\"\n").empty(),
                  host);
  }
  CHECK(with("[[route]]\npath = \"x\"\npool = \"web\"\n") ==
        "l.toml:8:8: error: path: expected a path that begins with \"/\", without query or "
        "fragment\npath = \"x\"\n       ^\n");
  CHECK(!with("[[route]]\npath = \"/x?y\"\npool = \"web\"\n").empty());
  CHECK(with("[[route]]\npath = \"/x\"\nredirect = { to = \"\", status = 305 }\n") ==
        "l.toml:9:19: error: to: expected a URL such as \"https://example.org/\", without spaces\n"
        "redirect = { to = \"\", status = 305 }\n                  ^\n"
        "l.toml:9:32: error: status: expected 301, 302, 303, 307 or 308\n"
        "redirect = { to = \"\", status = 305 }\n                               ^\n");
  CHECK(!with("[[route]]\npath = \"/x\"\nredirect = { to = \"/\\r\\nSet-Cookie: x\" }\n").empty());
}

TEST_CASE("an answer that has no content has no body") {
  const auto respond = [](const std::string& table) {
    return with("[[route]]\npath = \"/x\"\nrespond = " + table + "\n");
  };
  CHECK(
      respond("{ status = 204, body = \"x\" }") ==
      "l.toml:9:34: error: body: an answer of status 204 has no content; expected another status, "
      "or no body\nrespond = { status = 204, body = \"x\" }\n"
      "                                 ^\n");
  CHECK_FALSE(respond("{ status = 205, body = \"x\" }").empty());
  CHECK_FALSE(respond("{ status = 304, body = \"x\" }").empty());
  CHECK(respond("{ status = 204 }").empty());
  CHECK(respond("{ status = 404, body = \"x\" }").empty());
}

TEST_CASE("an address is listened on once") {
  CHECK(with("[[listener]]\nbind = [\"127.0.0.1:80\", \"127.0.0.1:8080\"]\n") ==
        "l.toml:8:25: error: bind: \"127.0.0.1:8080\" is already at l.toml:2:9\n"
        "bind = [\"127.0.0.1:80\", \"127.0.0.1:8080\"]\n                        ^\n");
  CHECK(with("[admin]\nbind = \"127.0.0.1:8080\"\n") ==
        "l.toml:8:8: error: bind: \"127.0.0.1:8080\" is already at l.toml:2:9\n"
        "bind = \"127.0.0.1:8080\"\n       ^\n");
  CHECK(!with("[[listener]]\nbind = [\"systemd:a\", \"systemd:a\"]\n").empty());
  CHECK(with("[[listener]]\nbind = [\"127.0.0.1:0\", \"127.0.0.1:0\", \"systemd:a\"]\n").empty());
}

TEST_CASE("an address that is none says why, at its place in the list") {
  CHECK(with("[[listener]]\nbind = [\"127.0.0.1:80\", \"example.org:80\"]\n") ==
        "l.toml:8:25: error: bind: \"example.org\" is not an IP address; names are not resolved "
        "here, only \"localhost\" is known\n"
        "bind = [\"127.0.0.1:80\", \"example.org:80\"]\n                        ^\n");
  CHECK(
      with("[[listener]]\nbind = [\"unix:/x\"]\ntrusted = [\"10.0.0.0/8\", \"10.0.0.1/8\"]\n") ==
      "l.toml:9:26: error: trusted: \"10.0.0.1/8\" has bits set behind its prefix, the network is "
      "\"10.0.0.0/8\"\n"
      "trusted = [\"10.0.0.0/8\", \"10.0.0.1/8\"]\n                         ^\n");
  CHECK(!with("[[listener]]\nbind = []\n").empty());
  CHECK(!with("[[listener]]\nbind = [\"systemd:\"]\n").empty());
  CHECK(!with("[admin]\nbind = \"9180\"\n").empty());
}

TEST_CASE("listeners have names of their own") {
  CHECK(with("[[listener]]\nname = \"listener-1\"\nbind = [\"unix:/x\"]\n") ==
        "l.toml:8:8: error: name: listener \"listener-1\" is already at l.toml:1:1\n"
        "name = \"listener-1\"\n       ^\n");
  CHECK(!with("[[listener]]\nname = \"a b\"\nbind = [\"unix:/x\"]\n").empty());
}

TEST_CASE("what a listener needs beside a setting is asked for") {
  CHECK(with("[[listener]]\nbind = [\"unix:/x\"]\nproxy_protocol = true\n") ==
        "l.toml:9:18: error: proxy_protocol: nobody may send it while trusted is empty\n"
        "proxy_protocol = true\n                 ^\n");
  CHECK(with("[[listener]]\nbind = [\"unix:/x\"]\n[listener.tls]\nclient_auth = \"required\"\n") ==
        "l.toml:9:1: error: tls: expected certificates = [ { cert = \"...\", key = \"...\" } ]\n"
        "[listener.tls]\n^\n"
        "l.toml:10:15: error: client_auth: clients cannot be checked without client_ca\n"
        "client_auth = \"required\"\n              ^\n");
  CHECK(!with("[[listener]]\nbind = [\"unix:/x\"]\n[listener.tls]\n"
              "certificates = [ { cert = \"a\" } ]\n")
             .empty());
}

TEST_CASE("the settings of TLS are checked against each other and their ranges") {
  const std::string tls =
      "[[listener]]\nbind = [\"unix:/x\"]\n[listener.tls]\n"
      "certificates = [ { cert = \"a\", key = \"b\", ocsp = \"c\" } ]\n";
  CHECK(with(tls).empty());
  CHECK(with(tls + "ktls = true\nhandshake_timeout = \"3s\"\nhandshakes_max = 100\n"
                   "tickets = { rotate = \"1d\", file = \"/x\" }\n")
            .empty());
  CHECK(with(tls + "client_ca = \"/ca\"\n") ==
        "l.toml:11:13: error: client_ca: no client is asked for a certificate; expected "
        "client_auth = \"optional\" or \"required\" with it\nclient_ca = \"/ca\"\n            ^\n");
  CHECK(with(tls + "client_ca = \"/ca\"\nclient_auth = \"optional\"\n").empty());
  for (const char* rotate : {"59s", "25h"}) {
    CHECK(with(tls + "tickets = { rotate = \"" + rotate + "\" }\n") ==
          "l.toml:11:22: error: rotate: expected from \"1m\" to \"1d\"\ntickets = { rotate = \"" +
              std::string(rotate) + "\" }\n                     ^\n");
  }
  CHECK(!with(tls + "handshakes_max = -1\n").empty());
}

TEST_CASE("TLS to replicas needs whom to believe and a name to expect") {
  const std::string pool = "[pool.b]\nreplicas = [\"10.0.0.1:80\", \"unix:/r\"]\n";
  CHECK(with(pool + "tls = { enabled = true }\n") ==
        "l.toml:8:28: error: tls: a Unix socket has no host to find in a certificate; expected "
        "server_name in the pool's tls\nreplicas = [\"10.0.0.1:80\", \"unix:/r\"]\n"
        "                           ^\n");
  CHECK(with(pool + "tls = { enabled = true, server_name = \"a.example\" }\n").empty());
  CHECK(
      with(pool + "tls = { enabled = true, server_name = \"a.example\", ca = \"\" }\n")
          .starts_with("l.toml:9:57: error: ca: expected \"system\" or the path of a PEM file\n"));
  CHECK(with(pool + "tls = { ca = \"\" }\n").empty());
}

TEST_CASE("a pool has replicas or finds them") {
  CHECK(with("[pool.b]\n") ==
        "l.toml:7:1: error: pool \"b\" has no replicas; expected replicas = [\"IP:PORT\"], "
        "[[pool.b.replica]] or discovery\n[pool.b]\n^\n");
  CHECK(!with("[pool.b]\nreplicas = []\n").empty());
  CHECK(with("[pool.b]\nreplicas = [\"10.0.0.1:80\", 7]\n") ==
        "l.toml:8:28: error: replicas: expected a text, found the number 7\n"
        "replicas = [\"10.0.0.1:80\", 7]\n                           ^\n");
  CHECK(with("[pool.b]\ndiscovery = { type = \"file\", path = \"/x\" }\n").empty());
  CHECK(with("[pool.b]\ndiscovery = { type = \"dns\", name = \"x:80\" }\n").empty());
  CHECK(with("[pool.b]\ndiscovery = { type = \"file\" }\n") ==
        "l.toml:8:22: error: discovery: type \"file\" needs path = \"/path/of/the/file\"\n"
        "discovery = { type = \"file\" }\n                     ^\n");
  CHECK(!with("[pool.b]\ndiscovery = { type = \"dns\" }\n").empty());
}

TEST_CASE("a replica is there once, by id and by address") {
  CHECK(with("[pool.b]\nreplicas = [\"10.0.0.1:80\", \"10.0.0.1:80\"]\n") ==
        "l.toml:8:28: error: a replica with id \"10.0.0.1:80\" is already at l.toml:8:13\n"
        "replicas = [\"10.0.0.1:80\", \"10.0.0.1:80\"]\n                           ^\n");
  CHECK(with("[[pool.b.replica]]\nid = \"a\"\naddress = \"10.0.0.1:80\"\n"
             "[[pool.b.replica]]\nid = \"a\"\naddress = \"10.0.0.1:80\"\n") ==
        "l.toml:11:6: error: a replica with id \"a\" is already at l.toml:8:6\nid = \"a\"\n     ^\n"
        "l.toml:12:11: error: a replica with address \"10.0.0.1:80\" is already at l.toml:9:11\n"
        "address = \"10.0.0.1:80\"\n          ^\n");
  CHECK(with("[pool.b]\nreplicas = [\"10.0.0.1:80\"]\n").empty());
}

TEST_CASE("a replica has an address, a port and a plain id") {
  CHECK(with("[[pool.b.replica]]\nadress = \"10.0.0.1:80\"\n") ==
        "l.toml:7:1: error: address: a replica has an address such as \"10.0.0.11:3001\"\n"
        "[[pool.b.replica]]\n^\n"
        "l.toml:8:1: error: unknown key \"adress\", did you mean \"address\"?\n"
        "adress = \"10.0.0.1:80\"\n^\n");
  CHECK(with("[pool.b]\nreplicas = [\"10.0.0.1:0\"]\n") ==
        "l.toml:8:13: error: address: a replica has a port from 1 to 65535\n"
        "replicas = [\"10.0.0.1:0\"]\n            ^\n");
  CHECK(!with("[[pool.b.replica]]\nid = \"a b\"\naddress = \"10.0.0.1:80\"\n").empty());
  CHECK(!with("[[pool.b.replica]]\nid = \"\"\naddress = \"10.0.0.1:80\"\n").empty());
  CHECK(with("[[pool.b.replica]]\nid = \"a\"\naddress = \"unix:/run/a.sock\"\n").empty());
}

TEST_CASE("revisions name what replicas have") {
  const std::string replica = "[[pool.b.replica]]\naddress = \"10.0.0.1:80\"\nrevision = \"v10\"\n";
  CHECK(with("[pool.b]\nrevisions = { v11 = 1 }\n" + replica) ==
        "l.toml:8:13: error: revisions: no replica of the pool has revision \"v11\", did you mean "
        "\"v10\"?\nrevisions = { v11 = 1 }\n            ^\n");
  CHECK(with("[pool.b]\nrevisions = { v10 = 1 }\n" + replica).empty());
  CHECK(!with("[pool.b]\nrevisions = { v10 = 0 }\n" + replica).empty());
  CHECK(with("[pool.b]\nrevisions = { v10 = 65535 }\n" + replica).empty());
  CHECK(with("[pool.b]\nrevisions = { v10 = 4294967296 }\n" + replica) ==
        "l.toml:8:13: error: revisions: expected shares from 0 to 65535\n"
        "revisions = { v10 = 4294967296 }\n            ^\n");
  CHECK(with("[pool.b]\nrevisions = { v9 = 1 }\ndiscovery = { type = \"file\", path = \"/x\" }\n")
            .empty());
}

TEST_CASE("limits of a head are no larger than codecs can keep") {
  CHECK(with("[limits]\nrequest_line_bytes = \"64KiB\"\nheader_bytes = \"512KiB\"\n"
             "header_fields = 1024\n")
            .empty());
  CHECK(with("[limits]\nrequest_line_bytes = 65537\nheader_bytes = \"4GiB\"\n"
             "header_fields = 1025\n") ==
        "l.toml:8:22: error: request_line_bytes: expected 64KiB or less\n"
        "request_line_bytes = 65537\n                     ^\n"
        "l.toml:9:16: error: header_bytes: expected 512KiB or less\n"
        "header_bytes = \"4GiB\"\n               ^\n"
        "l.toml:10:17: error: header_fields: expected a whole number from 8 to 1024, found the "
        "number 1025\n"
        "header_fields = 1025\n                ^\n");
}

TEST_CASE("a time after which somebody is given up is not nothing") {
  for (const std::string key : {"request_head", "client_idle", "client_stall", "connect",
                                "response_head", "response_body", "stream_idle", "replica_idle"}) {
    CHECK(with("[timeouts]\n" + key + " = \"off\"\n").empty());
    CHECK(with("[timeouts]\n" + key + " = \"0s\"\n").find(key + ": expected a time above 0s, or") !=
          std::string::npos);
  }
  CHECK(
      !with("[pool.b]\nreplicas = [\"10.0.0.1:80\"]\ntimeouts = { connect = \"0ms\" }\n").empty());
}

TEST_CASE("chains, names and pairs of pools and modules are looked at") {
  CHECK(with("[pool.b]\nreplicas = [\"10.0.0.1:80\"]\nchain = [\"retry\", \"retry\"]\n") ==
        "l.toml:9:19: error: chain: \"retry\" is in it twice\n"
        "chain = [\"retry\", \"retry\"]\n                  ^\n");
  CHECK(!with("[pool.\"a b\"]\nreplicas = [\"10.0.0.1:80\"]\n").empty());
  CHECK(!with("[pool.b]\nreplicas = [\"10.0.0.1:80\"]\ntls = { cert = \"x\" }\n").empty());
  CHECK(
      with("[[module]]\nname = \"a\"\n[[module]]\nname = \"a\"\npath = \"/x\"\n") ==
      "l.toml:7:1: error: path: a module has the path of its file\n[[module]]\n^\n"
      "l.toml:10:8: error: name: module \"a\" is already at l.toml:8:8\nname = \"a\"\n       ^\n");
}

TEST_CASE("a variable that is not set and a wrong type are one mistake each") {
  ::unsetenv("LIMPET_TEST_UNSET");
  for (const char* line :
       {"[[route]]\npath = \"/x\"\npool = \"${LIMPET_TEST_UNSET}\"\n",
        "[[route]]\npath = \"${LIMPET_TEST_UNSET}\"\npool = \"web\"\n",
        "[[listener]]\nbind = [\"${LIMPET_TEST_UNSET}\"]\n",
        "[pool.other]\nreplicas = [\"10.0.0.1:80\", \"${LIMPET_TEST_UNSET}\"]\n",
        "[[pool.web.replica]]\naddress = \"${LIMPET_TEST_UNSET}\"\n",
        "[[pool.web.replica]]\naddress = 5\n", "[[route]]\npath = \"/x\"\nredirect = { to = 5 }\n",
        "[pool.other]\nreplicas = [5]\n"}) {
    Config config = Config::from_text(std::string(kSound) + line, "l.toml");
    fake::ask_all(config);
    CHECK_MESSAGE(config.mistakes().size() == 1, config.mistakes().render());
  }
}

TEST_CASE("what is wrong with one element of a list does not hide what is with another") {
  const std::string text = with("[pool.other]\nreplicas = [5, \"10.0.0.1\", \"10.0.0.2:80\"]\n");
  CHECK(text.find("found the number 5") != std::string::npos);
  CHECK(text.find("l.toml:8:16: error: address: ") != std::string::npos);
}

TEST_CASE("all mistakes of a file come out of one run, in its order") {
  const std::string all = alone(
      "[daemon]\nworkers = 0\nusr = \"x\"\n[[listener]]\nbind = [\"1\"]\n[[route]]\npool = \"b\"\n"
      "[pool.web]\nreplicas = [\"10.0.0.1:80\"]\npreset = \"webb\"\n"
      "[pool.web.affinity]\nidle = 5\non_gon = \"move\"\n");
  std::vector<std::string> places;
  for (std::size_t at = 0; (at = all.find("l.toml:", at)) != std::string::npos; ++at) {
    places.push_back(all.substr(at + 7, all.find(": error", at) - at - 7));
  }
  CHECK(places == std::vector<std::string>{"2:11", "3:1", "5:9", "7:8", "10:10", "12:8", "13:1"});
}

}  // namespace
}  // namespace limpet
