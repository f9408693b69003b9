// SPDX-License-Identifier: Apache-2.0
#pragma once
// Policy: one way of picking a replica of a group. Each has a file of its own, named like it. A
// policy decides nothing about groups, queues and refusals; balance.cc does.

#include <memory>

#include "daemon/base/random.h"
#include "modules/balance/ballot.h"

namespace limpet::balance {

/// Picks in one group for one worker; may keep state from pick to pick.
/// Borrows: the group.
class Policy {
 public:
  explicit Policy(const ReplicaGroup& group) noexcept : group_(group) {}
  virtual ~Policy() = default;
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  /// An eligible replica, or null where the group has none.
  [[nodiscard]] virtual const Replica* pick(const Ballot& ballot) = 0;

 protected:
  [[nodiscard]] const ReplicaGroup& group() const noexcept { return group_; }

 private:
  const ReplicaGroup& group_;
};

[[nodiscard]] std::unique_ptr<Policy> make_two_choices(const ReplicaGroup& group);
[[nodiscard]] std::unique_ptr<Policy> make_least_requests(const ReplicaGroup& group);
[[nodiscard]] std::unique_ptr<Policy> make_sessions(const ReplicaGroup& group);
/// `random` says where in the round this worker begins.
[[nodiscard]] std::unique_ptr<Policy> make_round_robin(const ReplicaGroup& group, Random& random);
[[nodiscard]] std::unique_ptr<Policy> make_random(const ReplicaGroup& group);
/// Borrows: `key`, which is the plan's.
[[nodiscard]] std::unique_ptr<Policy> make_hash(const ReplicaGroup& group, const HashKey& key);

}  // namespace limpet::balance
