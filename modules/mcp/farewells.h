// SPDX-License-Identifier: Apache-2.0
#pragma once
// Farewells: DELETEs on their way to replicas, for sessions that nothing leads to any more. Nobody
// waits for their answers. Not the DELETEs of clients: those are relayed.

#include <list>
#include <memory>

#include "daemon/module/replica_call.h"

namespace limpet::mcp {

/// One worker's.
/// Owns: the calls under way; those are given up when it dies. Thread: its worker.
class Farewells {
 public:
  /// More at a time are not sent: what is left behind ends by the replica's own limit.
  static constexpr std::size_t kMax = 256;

  void send(ReplicaCalls& calls, CallRequest request);

 private:
  struct Farewell final : CallOwner {
    explicit Farewell(Farewells& of) : all(of) {}
    void on_call_head(const ResponseHead&) override {}
    void on_call_body(std::string_view) override {}
    void on_call_end() override { all.remove(*this); }
    void on_call_failed(FailureCause) override { all.remove(*this); }

    Farewells& all;
    std::unique_ptr<ReplicaCall> call;
  };

  void remove(const Farewell& farewell);

  std::list<Farewell> under_way_;
};

}  // namespace limpet::mcp
