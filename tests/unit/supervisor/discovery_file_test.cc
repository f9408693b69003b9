// SPDX-License-Identifier: Apache-2.0
#include "daemon/discovery_file.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include "tests/unit/control/turns.h"

using namespace limpet;

namespace {

/// A folder with one watched file.
struct Scene {
  std::string folder;
  Loop loop;
  int changes = 0;
  DiscoveryFiles files{loop, [this] { ++changes; }};

  Scene() {
    char name[] = "/tmp/limpet-discovery-XXXXXX";
    folder = ::mkdtemp(name);
  }
  ~Scene() { std::filesystem::remove_all(folder); }

  DiscoveryPlace place() const { return {"web", folder + "/replicas", {}}; }
  void write(const std::string& text) const { std::ofstream(folder + "/replicas") << text; }
  void replace(const std::string& text) const {
    std::ofstream(folder + "/new") << text;
    std::filesystem::rename(folder + "/new", folder + "/replicas");
  }
  void begin() {
    ReplicaList list = read_replica_file(place());
    REQUIRE(list.mistakes == "");
    files.adopt({place()}, {{"web", list.replicas}});
  }
  std::size_t count() const { return files.lists().at("web").size(); }
  bool comes_to(std::size_t replicas) {
    return test::turn_until(loop, [&] { return count() == replicas; });
  }
};

}  // namespace

TEST_CASE("discovery file: writes and replacements are seen, a bad file changes nothing") {
  Scene scene;
  scene.write("10.0.0.1:80\n");
  scene.begin();
  CHECK(scene.count() == 1);
  scene.write("10.0.0.1:80\n10.0.0.2:80\n");
  REQUIRE(scene.comes_to(2));
  scene.replace("10.0.0.1:80\n10.0.0.2:80\n10.0.0.3:80\n");
  REQUIRE(scene.comes_to(3));
  const int changes = scene.changes;
  scene.replace("10.0.0.1:80\nnonsense\n");
  std::filesystem::remove(scene.folder + "/replicas");
  scene.files.look();
  CHECK(scene.count() == 3);
  CHECK(scene.changes == changes);
  scene.replace("a 10.0.0.1:80 drain\n");
  REQUIRE(scene.comes_to(1));
}

TEST_CASE("discovery file: the same list in other words is no change") {
  Scene scene;
  scene.write("10.0.0.1:80\n");
  scene.begin();
  scene.replace("# comment\n10.0.0.1:80 weight=1\n");
  scene.files.look();
  CHECK(scene.changes == 0);
  CHECK(scene.files.last_good(scene.place()) != nullptr);
  CHECK(scene.files.last_good({"api", scene.place().path, {}}) == nullptr);
}

TEST_CASE("discovery file: a file that cannot be read is a mistake that names it") {
  const ReplicaList list = read_replica_file({"web", "/nonexistent/replicas", {}});
  CHECK(list.mistakes.find("/nonexistent/replicas") == 0);
}
