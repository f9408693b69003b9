// SPDX-License-Identifier: Apache-2.0
#include "daemon/privileges.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/address.h"
#include "daemon/net/socket.h"

using namespace limpet;

namespace {

/// A folder that goes with the test.
struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "limpet-unit-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

uid_t owner_of(const std::filesystem::path& path) {
  struct stat facts {};
  REQUIRE(::lstat(path.c_str(), &facts) == 0);
  return facts.st_uid;
}

bool is_not_root() { return ::geteuid() != 0; }

}  // namespace

TEST_CASE("privileges: a socket and a directory are given to the user" *
          doctest::skip(is_not_root())) {
  const Folder folder;
  const std::string socket = folder.path / "control.sock";
  const auto opened = open_listening(Address::parse("unix:" + socket).value());
  REQUIRE(opened);
  give_to_user(socket, "nobody");
  CHECK(owner_of(socket) != 0);
  const std::string made = folder.path / "state";
  CHECK(prepare_directory(made, "nobody"));
  CHECK(owner_of(made) == owner_of(socket));
}

TEST_CASE("privileges: what a link of the user leads to is not given away" *
          doctest::skip(is_not_root())) {
  const Folder folder;
  const auto secret = folder.path / "secret";
  std::ofstream(secret) << "root's own\n";
  std::filesystem::create_directory(folder.path / "roots");
  std::filesystem::create_symlink(secret, folder.path / "to_file");
  std::filesystem::create_directory_symlink(folder.path / "roots", folder.path / "to_folder");
  std::filesystem::create_hard_link(secret, folder.path / "same_file");
  for (const char* name : {"to_file", "to_folder", "same_file"})
    give_to_user(folder.path / name, "nobody");
  CHECK(owner_of(secret) == 0);
  CHECK(owner_of(folder.path / "roots") == 0);
  CHECK(owner_of(folder.path / "to_file") == 0);
}
