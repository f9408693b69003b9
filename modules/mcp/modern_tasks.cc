// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/modern_tasks.h"

#include <utility>

#include "modules/mcp/modern.h"
#include "modules/mcp/rpc_answer.h"

namespace limpet::mcp {

TaskTable::TaskTable(std::size_t tasks_max)
    : tasks_(StoreBounds{.records_max = tasks_max,
                         .record_bytes_max = 2 * kHeaderValueBytesMax,
                         .bytes_max = std::size_t{64} << 20U,
                         .subscriptions_max = 0,
                         .tombstones_max = 1,
                         .tombstone_time = std::chrono::seconds(1)}) {}

void TaskTable::learn(std::string_view task, const Replica& replica, const WorkerServices& worker) {
  SessionRecord record;
  record.home = {replica.id,
                 {},
                 worker.wall_now(),
                 replica.vitals->incarnation.load(std::memory_order_relaxed),
                 0};
  static_cast<void>(tasks_.keep(task, std::move(record), worker.now()));
}

std::optional<SessionHome> TaskTable::home_of(std::string_view task, Instant now) {
  return tasks_.home_of(task, now);
}

std::string_view TaskScan::on_body(std::string_view bytes, Buffer&) {
  if (form_ == Form::kEvents) {
    scanner_.feed(bytes, this);
  } else if (!is_too_large_) {
    is_too_large_ = json_.size() + bytes.size() > kResultBytesMax;
    if (is_too_large_)
      json_ = std::string();
    else
      json_ += bytes;
    // The client may call as soon as it has the last octet.
    look_at(json_);
  }
  return bytes;
}

std::string_view TaskScan::on_end(Buffer&) { return {}; }

void TaskScan::on_event(const SseEvent& event) {
  if (!event.is_cut) look_at(event.data);
}

void TaskScan::look_at(std::string_view json) {
  if (json.find("\"taskId\"") == std::string_view::npos || exchange_.replica == nullptr) return;
  const RpcAnswer answer = read_answer(json);
  if (answer.kind != RpcAnswer::Kind::kResult) return;
  const std::string task = created_task(answer.result);
  if (!task.empty() && task.size() <= kHeaderValueBytesMax)
    table_.learn(task, *exchange_.replica, worker_);
}

}  // namespace limpet::mcp
