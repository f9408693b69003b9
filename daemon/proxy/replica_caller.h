// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaCaller: carries the requests that modules make of their own (module/replica_call.h), over
// the same slots and connections as everybody's. One attempt each, but for a kept connection that
// turned out to be stale. Neighbours: relay.h carries clients' exchanges; lease.h ties both.

#include <memory>

#include "daemon/base/list.h"
#include "daemon/event/loop.h"
#include "daemon/module/replica_call.h"
#include "daemon/proxy/lease.h"

namespace limpet {

class ReplicaSlot;
class WorkerRoom;
class CallHandle;

/// One call under way.
///
///   asked ──(next errand)──► leasing ──► sent ──► head ──► body ──► over
///                               └── failure, given up ─────────────┘
///
/// Lifetime: buried when over. Thread: its worker.
class CallAtWork final : public Mortal,
                         public ListNode<CallAtWork>,
                         private Errand,
                         private LeaseHolder {
 public:
  CallAtWork(WorkerRoom& room, CallRequest request, CallOwner& owner);
  ~CallAtWork() override;

  void begin(CallHandle& handle);
  /// The owner wants no answer any more.
  void give_up();

 private:
  void on_errand() override;
  void on_leased() override;
  void on_informational(ResponseHead&) override {}
  void on_response_head(ResponseHead& head) override;
  void on_response_body(std::string_view bytes) override;
  void on_response_trailers(HeaderList&) override {}
  void on_response_end() override;
  void on_attempt_failed(FailureCause cause) override;
  void on_replica_drained() override {}
  void flush_client() override {}
  [[nodiscard]] Arena& arena() const noexcept override { return *arena_; }

  void dial();
  void send();
  void end();

  WorkerRoom& room_;
  CallRequest request_;
  CallOwner* owner_;
  CallHandle* handle_ = nullptr;
  ReplicaSlot* slot_ = nullptr;
  Arena* arena_;
  Lease lease_;
  bool has_answered_ = false;
  bool was_reused_ = false;
  bool has_redialled_ = false;
  bool is_over_ = false;
};

/// The owner's end of a call.
class CallHandle final : public ReplicaCall {
 public:
  ~CallHandle() override {
    if (call_ != nullptr) call_->give_up();
  }

 private:
  friend class CallAtWork;
  CallAtWork* call_ = nullptr;
};

/// One worker's calls.
class ReplicaCaller final : public ReplicaCalls {
 public:
  explicit ReplicaCaller(WorkerRoom& room) : room_(room) {}
  ReplicaCaller(const ReplicaCaller&) = delete;
  ReplicaCaller& operator=(const ReplicaCaller&) = delete;
  ~ReplicaCaller() { give_up_all(); }

  [[nodiscard]] std::unique_ptr<ReplicaCall> call(CallRequest request, CallOwner& owner) override;
  void give_up_all();

 private:
  WorkerRoom& room_;
  List<CallAtWork> calls_;
};

}  // namespace limpet
