// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_files.h"

#include <array>
#include <filesystem>

#include <doctest/doctest.h>

#include "tests/support/certificates.h"

using namespace limpet;  // NOLINT(google-build-using-namespace)

TEST_CASE("a file that was replaced, written, removed or made is another one") {
  const test::TestFolder folder;
  const std::string path = folder.write("a", "one");
  const std::array<FileMark, 1> marks = {mark_of(path)};
  CHECK_FALSE(has_changed(marks));
  CHECK(first_changed(marks).empty());
  folder.write("a", "two");
  CHECK(has_changed(marks));
  CHECK(first_changed(marks) == path);
  const std::array<FileMark, 1> later = {mark_of(path)};
  CHECK_FALSE(has_changed(later));
  std::filesystem::remove(path);
  CHECK(has_changed(later));
  const std::array<FileMark, 1> gone = {mark_of(path)};
  CHECK_FALSE(gone[0].exists);
  CHECK_FALSE(has_changed(gone));
  folder.write("a", "two");
  CHECK(has_changed(gone));
}

TEST_CASE("a symbolic link that points elsewhere is another file") {
  const test::TestFolder folder;
  const std::string link = folder.path_of("link");
  std::filesystem::create_symlink(folder.write("a", "same"), link);
  const std::array<FileMark, 1> marks = {mark_of(link)};
  std::filesystem::remove(link);
  std::filesystem::create_symlink(folder.write("b", "same"), link);
  CHECK(has_changed(marks));
}
