// SPDX-License-Identifier: Apache-2.0
#include "daemon/cores.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

using namespace limpet;

namespace {

struct FakeRoot {
  std::string path;
  FakeRoot() {
    char name[] = "/tmp/limpet-cores-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~FakeRoot() { std::filesystem::remove_all(path); }
  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path + file).parent_path());
    std::ofstream(path + file) << text;
  }
};

}  // namespace

TEST_CASE("cores: the least quota of the groups around counts, rounded up") {
  const FakeRoot root;
  CHECK(quota_cores(root.path) == 0);
  root.write("/proc/self/cgroup", "1:name=x:/y\n0::/a/b\n");
  root.write("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  CHECK(quota_cores(root.path) == 0);
  root.write("/sys/fs/cgroup/a/cpu.max", "250000 100000\n");
  CHECK(quota_cores(root.path) == 3);
  root.write("/sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  CHECK(quota_cores(root.path) == 1);
}

TEST_CASE("cores: the quota of the first version of control groups is read as well") {
  const FakeRoot root;
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  CHECK(quota_cores(root.path) == 0);
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n");
  CHECK(quota_cores(root.path) == 4);
}

TEST_CASE("cores: there is always one") {
  CHECK(!allowed_cores().empty());
  CHECK(usable_cores() >= 1);
  CHECK(usable_cores() <= allowed_cores().size());
}
