// SPDX-License-Identifier: Apache-2.0
#include "daemon/cores.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

#include <sched.h>

#include "daemon/base/text.h"

namespace limpet {

namespace {

std::size_t rounded_up(std::uint64_t quota, std::uint64_t period) {
  return static_cast<std::size_t>((quota + period - 1) / period);
}

// "200000 100000" or "max 100000" (control groups, second version).
std::optional<std::size_t> read_cpu_max(const std::string& file) {
  std::ifstream in(file);
  std::string quota;
  std::uint64_t period = 0;
  if (!(in >> quota >> period) || period == 0) return std::nullopt;
  const auto number = text::parse_unsigned(quota);
  if (!number || *number == 0) return std::nullopt;
  return rounded_up(*number, period);
}

std::optional<std::size_t> read_cfs_quota(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  std::int64_t quota = 0;
  std::int64_t period = 0;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) {
    return std::nullopt;
  }
  return rounded_up(static_cast<std::uint64_t>(quota), static_cast<std::uint64_t>(period));
}

// The control group of the second version: the path behind "0::".
std::string own_group(const std::string& root) {
  std::ifstream in(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(in, line)) {
    if (line.rfind("0::", 0) == 0) return line.substr(3);
  }
  return "/";
}

}  // namespace

std::vector<int> allowed_cores() {
  std::vector<int> cores;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    for (std::size_t core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) cores.push_back(static_cast<int>(core));
    }
  }
  if (cores.empty()) cores.push_back(0);
  return cores;
}

// A group is bound by its own quota and by that of every group around it.
std::size_t quota_cores(const std::string& root) {
  std::size_t least = 0;
  const auto bound_by = [&least](std::optional<std::size_t> cores) {
    if (cores && (least == 0 || *cores < least)) least = *cores;
  };
  const std::string mount = root + "/sys/fs/cgroup";
  std::string group = own_group(root);
  while (!group.empty() && group != "/") {
    bound_by(read_cpu_max(mount + group + "/cpu.max"));
    group.resize(std::min(group.rfind('/'), group.size() - 1));
  }
  bound_by(read_cpu_max(mount + "/cpu.max"));
  bound_by(read_cfs_quota(mount + "/cpu"));
  bound_by(read_cfs_quota(mount + "/cpu,cpuacct"));
  return least;
}

std::size_t usable_cores() {
  const std::size_t allowed = allowed_cores().size();
  const std::size_t quota = quota_cores();
  return quota == 0 ? allowed : std::max<std::size_t>(1, std::min(allowed, quota));
}

}  // namespace limpet
