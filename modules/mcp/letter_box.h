// SPDX-License-Identifier: Apache-2.0
#pragma once
// LetterBox: how another worker tells this one that a carry-over, for which an exchange here waits,
// has ended. Letters are posted by any thread and read by the loop of the box's own. Not the
// workers' mailboxes (event/mailbox.h), which modules do not see.

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/base/fd.h"
#include "daemon/module/descriptor_watch.h"
#include "modules/mcp/carry_guard.h"

namespace limpet::mcp {

/// Reads letters.
class LetterReader {
 public:
  virtual void on_letter(CarryEnd end) = 0;

 protected:
  ~LetterReader() = default;
};

/// One worker's box.
/// Thread: its worker, but for post().
class LetterBox final : private DescriptorWatch::Owner {
 public:
  explicit LetterBox(DescriptorWatches& watches);
  ~LetterBox();
  LetterBox(const LetterBox&) = delete;
  LetterBox& operator=(const LetterBox&) = delete;

  /// The number under which a reader gets letters, until it leaves.
  [[nodiscard]] std::uint64_t enter(LetterReader& reader);
  void leave(std::uint64_t number) noexcept { readers_.erase(number); }
  /// Thread: any.
  void post(std::uint64_t number, CarryEnd end) noexcept;

 private:
  void on_edge() override;
  void on_alarm() override {}

  Fd wake_;
  std::unique_ptr<DescriptorWatch> watch_;
  std::unordered_map<std::uint64_t, LetterReader*> readers_;
  std::uint64_t last_number_ = 0;
  std::mutex mutex_;
  std::vector<std::pair<std::uint64_t, CarryEnd>> letters_;
};

}  // namespace limpet::mcp
