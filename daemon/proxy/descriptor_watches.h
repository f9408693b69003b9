// SPDX-License-Identifier: Apache-2.0
#pragma once
// DescriptorWatches of a worker's loop: what module/descriptor_watch.h promises to modules that
// keep a connection of their own. It reads and writes nothing.

#include <memory>

#include "daemon/event/loop.h"
#include "daemon/module/descriptor_watch.h"

namespace limpet {

/// Lends the worker's loop to modules.
/// Borrows: the loop. Thread: its worker.
class LoopWatches final : public DescriptorWatches {
 public:
  /// `after_callback` runs behind each of an owner's callbacks.
  struct Callbacks {
    virtual void after_owner() = 0;

   protected:
    ~Callbacks() = default;
  };
  LoopWatches(Loop& loop, Callbacks& callbacks) noexcept : loop_(loop), callbacks_(callbacks) {}

  [[nodiscard]] std::unique_ptr<DescriptorWatch> make(DescriptorWatch::Owner& owner) override;
  [[nodiscard]] Instant now() const noexcept override { return loop_.now(); }

 private:
  Loop& loop_;
  Callbacks& callbacks_;
};

}  // namespace limpet
