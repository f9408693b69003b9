// SPDX-License-Identifier: Apache-2.0
#pragma once
// Cores: how many processors this process may use: its cpuset, cut by the quota of its control
// group. For daemon.workers = "auto" and daemon.pin.

#include <cstddef>
#include <string>
#include <vector>

namespace limpet {

/// The numbers of the processors that this thread may run on, in order; never empty.
[[nodiscard]] std::vector<int> allowed_cores();

/// The CPU quota that the control groups of this process set, in cores; 0 = none. `root` is put in
/// front of the paths of /proc and /sys, for tests.
/// Units: processors, rounded up.
[[nodiscard]] std::size_t quota_cores(const std::string& root = {});

/// How many workers make sense here, at least 1.
[[nodiscard]] std::size_t usable_cores();

}  // namespace limpet
