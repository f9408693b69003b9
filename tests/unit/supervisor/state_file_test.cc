// SPDX-License-Identifier: Apache-2.0
#include "daemon/state_file.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <doctest/doctest.h>
#include <stdlib.h>

namespace limpet {
namespace {

const Instant kNow = monotonic_now();
const WallSeconds kWall{std::chrono::seconds(1'800'000'000)};

struct Folder {
  Folder() : path(::mkdtemp(pattern.data())) {}
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
  std::string pattern = (std::filesystem::temp_directory_path() / "limpet-state-XXXXXX").string();
  std::string path;
  [[nodiscard]] std::string file() const { return path + "/replicas.state"; }
  [[nodiscard]] std::string text() const {
    std::ifstream in(file());
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
};

SavedReplicas saved(WallSeconds when, AdminState admin = AdminState::kDrain) {
  SavedReplica replica;
  replica.pool = "web";
  replica.id = "a";
  replica.address = "127.0.0.1:1";
  replica.admin = admin;
  return {when, {replica}};
}

TEST_CASE("what was written is there for the next process, and for its user alone") {
  const Folder folder;
  StateFile first;
  CHECK(first.open(folder.path).replicas.empty());
  CHECK(first.is_due(kNow));
  first.write(saved(kWall), kNow);
  CHECK_FALSE(first.is_due(kNow + std::chrono::seconds(4)));
  CHECK(first.is_due(kNow + std::chrono::seconds(5)));
  StateFile next;
  const SavedReplicas read = next.open(folder.path);
  CHECK(read.when == kWall);
  CHECK(read.replicas == saved(kWall).replicas);
  CHECK(std::filesystem::status(folder.file()).permissions() ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("what has not changed is written again only to keep its time fresh") {
  const Folder folder;
  StateFile file;
  static_cast<void>(file.open(folder.path));
  file.write(saved(kWall), kNow);
  const std::string before = folder.text();
  file.write(saved(kWall + std::chrono::seconds(5)), kNow);
  CHECK(folder.text() == before);
  file.write(saved(kWall + std::chrono::seconds(6), AdminState::kDown), kNow);
  CHECK(folder.text() != before);
  const std::string changed = folder.text();
  file.write(saved(kWall + std::chrono::seconds(66), AdminState::kDown), kNow);
  CHECK(folder.text() != changed);
}

TEST_CASE("a file that is garbled, a folder or not to be written keeps nobody from anything") {
  const Folder folder;
  StateFile file;
  std::ofstream(folder.file()) << "limpet replicas 1 5\nodd\n";
  CHECK(file.open(folder.path).replicas.empty());
  std::filesystem::remove(folder.file());
  std::filesystem::create_directory(folder.file());
  CHECK(file.open(folder.path).replicas.empty());
  file.write(saved(kWall), kNow);  // the rename fails
  StateFile nowhere;
  CHECK(nowhere.open(folder.path + "/none").replicas.empty());
  nowhere.write(saved(kWall), kNow);
}

}  // namespace
}  // namespace limpet
