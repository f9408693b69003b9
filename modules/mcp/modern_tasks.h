// SPDX-License-Identifier: Apache-2.0
#pragma once
// TaskTable: which replica made a task, learnt from the result that says so, since a task's id says
// nothing by itself and calls about it carry the id in Mcp-Name (revision 2026-07-28). TaskScan
// looks for such results in responses on their way.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "modules/mcp/part.h"
#include "modules/mcp/session_store.h"
#include "modules/mcp/sse_scanner.h"

namespace limpet::mcp {

/// One for a pool, shared by its workers.
/// Thread: any; short locks. Bound: mcp.max_tasks; the longest unused make room.
class TaskTable {
 public:
  static constexpr std::size_t kTasksMax = 100'000;  ///< where nobody says otherwise

  explicit TaskTable(std::size_t tasks_max = kTasksMax);

  void learn(std::string_view task, const Replica& replica, const WorkerServices& worker);
  /// Where the task was made; nothing where that is not known.
  [[nodiscard]] std::optional<SessionHome> home_of(std::string_view task, Instant now);
  [[nodiscard]] StoreCounts counts() { return tasks_.counts(); }
  [[nodiscard]] std::size_t tasks_max() const noexcept { return tasks_.bounds().records_max; }

 private:
  SessionStore tasks_;
};

/// The body of one response of the modern era on its way to the client, unchanged.
/// Borrows: the exchange, the table and the worker.
class TaskScan final : public PartNote, public ResponseHook, private SseSink {
 public:
  /// A result that creates a task is short: a longer body of JSON is not one.
  static constexpr std::size_t kResultBytesMax = 64 * 1024;

  enum class Form : std::uint8_t { kJson, kEvents };

  TaskScan(Exchange& exchange, TaskTable& table, const WorkerServices& worker, Numbers& numbers,
           Form form)
      : exchange_(exchange), table_(table), worker_(worker), form_(form) {
    if (form == Form::kEvents) open_.emplace(numbers, exchange);
  }

  [[nodiscard]] std::string_view on_body(std::string_view bytes, Buffer& scratch) override;
  [[nodiscard]] std::string_view on_end(Buffer& scratch) override;
  [[nodiscard]] bool is_between() const noexcept override {
    return form_ == Form::kEvents && scanner_.is_between_events();
  }
  [[nodiscard]] Mend on_lost(Exchange&, const Failure&, Buffer&) override { return Mend::kBreak; }
  [[nodiscard]] bool on_continued(Exchange&, const ResponseHead&) override { return false; }

 private:
  void on_event(const SseEvent& event) override;
  void look_at(std::string_view json);

  Exchange& exchange_;
  TaskTable& table_;
  const WorkerServices& worker_;
  Form form_;
  std::optional<OpenStream> open_;  // of events
  bool is_too_large_ = false;
  std::string json_;
  SseScanner scanner_;
};

}  // namespace limpet::mcp
