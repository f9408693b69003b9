// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/keyring.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "daemon/base/text.h"
#include "tests/unit/modules/affinity/affinity_rig.h"

namespace limpet::affinity {
namespace {

using test::TempDir;

std::string key(char fill) { return text::base64url(std::string(32, fill)); }

std::string write(const TempDir& dir, std::string_view text, mode_t mode = 0600) {
  const std::string path = dir.path() + "/keys";
  std::ofstream(path) << text;
  ::chmod(path.c_str(), mode);
  return path;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("keys are read in order, among comments, blank lines and Windows line ends") {
  const auto ring =
      KeyRing::parse("# active\n" + key('a') + "=  # since May\r\n\n  " + key('b') + "\n", "keys");
  REQUIRE(ring);
  REQUIRE((*ring)->keys().size() == 2);
  CHECK((*ring)->keys()[0].bytes[0] == 'a');
  CHECK((*ring)->keys()[1].bytes[31] == 'b');
}

TEST_CASE("a mistake in a key file names file, line and what was expected, never the key") {
  const std::string secret = "c2VjcmV0c2VjcmV0";
  const auto ring = KeyRing::parse(key('a') + "\n" + secret + "\n", "/etc/keys");
  REQUIRE_FALSE(ring);
  CHECK(contains(ring.error().text, "/etc/keys:2"));
  CHECK(contains(ring.error().text, "32 bytes"));
  CHECK_FALSE(contains(ring.error().text, secret));
}

TEST_CASE("text that is not base64, an empty file and a repeated key are refused") {
  CHECK_FALSE(KeyRing::parse("not base64 at all!\n", "k"));
  CHECK_FALSE(KeyRing::parse("# nothing\n", "k"));
  const auto repeated = KeyRing::parse(key('a') + "\n" + key('a') + "\n", "k");
  REQUIRE_FALSE(repeated);
  CHECK(contains(repeated.error().text, "k:2"));
}

TEST_CASE("a missing key file of the operator's is an error that names it") {
  const auto ring = KeyRing::read("/nonexistent/keys");
  REQUIRE_FALSE(ring);
  CHECK(contains(ring.error().text, "/nonexistent/keys"));
}

TEST_CASE("a key file that everybody may read gives a warning, a private one does not") {
  const TempDir dir;
  CHECK(KeyRing::read(write(dir, key('a'), 0600)).value()->warning().empty());
  CHECK(contains(KeyRing::read(write(dir, key('a'), 0644)).value()->warning(), "chmod 600"));
}

TEST_CASE("the first start makes a key with mode 0600, the next ones read it") {
  const TempDir dir;
  const std::string state = dir.path() + "/state";
  const auto first = KeyRing::read_or_make(state);
  REQUIRE(first);
  struct stat facts {};
  REQUIRE(::stat((state + "/affinity.keys").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  const auto second = KeyRing::read_or_make(state);
  REQUIRE(second);
  CHECK((*first)->keys()[0].bytes == (*second)->keys()[0].bytes);
  const auto files = std::filesystem::directory_iterator(state);
  CHECK(std::distance(begin(files), end(files)) == 1);  // no temporary file stays
}

TEST_CASE("starts at the same time agree on one key") {
  const TempDir dir;
  std::vector<KeyBytes> keys(8);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto ring = KeyRing::read_or_make(dir.path());
      if (ring) keys[i] = (*ring)->keys()[0].bytes;
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  for (const KeyBytes& each : keys)
    CHECK(each == keys[0]);
  CHECK(keys[0] != KeyBytes{});
}

TEST_CASE("a state directory that cannot be made is an error that names it") {
  const TempDir dir;
  std::ofstream(dir.path() + "/file") << "x";
  const auto ring = KeyRing::read_or_make(dir.path() + "/file/state");
  REQUIRE_FALSE(ring);
  CHECK(contains(ring.error().text, "/file/state"));
}

TEST_CASE("without a state directory a key lives in memory alone, and each is another") {
  const auto one = KeyRing::read_or_make({});
  const auto two = KeyRing::read_or_make({});
  REQUIRE(one);
  REQUIRE(two);
  CHECK((*one)->keys()[0].bytes != (*two)->keys()[0].bytes);
}

}  // namespace
}  // namespace limpet::affinity
