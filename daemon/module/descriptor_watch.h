// SPDX-License-Identifier: Apache-2.0
#pragma once
// DescriptorWatch: readiness of one descriptor and one alarm, for the rare module that talks to a
// service of its own. The worker's loop stands behind it; modules see neither the loop nor its
// library. Not for clients and replicas: those are the relay's.

#include <memory>

#include "daemon/base/clock.h"

namespace limpet {

/// One descriptor and one alarm, told to one owner.
/// Borrows: the descriptor. Lifetime: a member of its owner; stops when destroyed. Thread: its
/// worker.
class DescriptorWatch {
 public:
  struct Owner {
    /// An edge: bytes, room, or the end have come since the last one. The owner reads and writes
    /// until the descriptor would block, or it is not told again.
    virtual void on_edge() = 0;
    /// The alarm's instant has come.
    virtual void on_alarm() = 0;

   protected:
    ~Owner() = default;
  };

  DescriptorWatch() = default;
  DescriptorWatch(const DescriptorWatch&) = delete;
  DescriptorWatch& operator=(const DescriptorWatch&) = delete;
  virtual ~DescriptorWatch() = default;

  /// Watches a descriptor in both directions, in place of an earlier one.
  virtual void start(int descriptor) = 0;
  /// Must be called before the descriptor is closed.
  virtual void stop() noexcept = 0;
  /// Sets the alarm anew; kNever for none.
  virtual void set_alarm(Instant at) = 0;
};

/// What a worker lends to modules that need one.
/// Lifetime: its worker's. Thread: its worker.
class DescriptorWatches {
 public:
  virtual ~DescriptorWatches() = default;
  [[nodiscard]] virtual std::unique_ptr<DescriptorWatch> make(DescriptorWatch::Owner& owner) = 0;
  [[nodiscard]] virtual Instant now() const noexcept = 0;
};

}  // namespace limpet
