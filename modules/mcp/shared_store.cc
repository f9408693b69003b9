// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/shared_store.h"

#include <utility>

namespace limpet::mcp {

SharedStore::SharedStore(Settings settings, std::string pool, DescriptorWatches& watches,
                         RedisNumbers numbers)
    : settings_(std::move(settings)),
      pool_(std::move(pool)),
      link_(settings_.address, settings_.bounds, watches, numbers) {}

void SharedStore::publish(std::string_view id, const SessionRecord& record) {
  link_.set(record_key(pool_, id), print_record(record), settings_.record_time,
            [](const RedisAnswer&) {});
}

void SharedStore::bury(std::string_view id) {
  // The tombstone first: in between, the session would seem unknown and not ended.
  link_.set(tombstone_key(pool_, id), "1", settings_.tombstone_time, [](const RedisAnswer&) {});
  link_.remove(record_key(pool_, id), [](const RedisAnswer&) {});
}

void SharedStore::look_up(std::string_view id, OnLookedUp on_answer) {
  link_.get(
      tombstone_key(pool_, id),
      [this, id = std::string(id), on_answer = std::move(on_answer)](const RedisAnswer& tombstone) {
        if (tombstone.kind == RedisAnswer::Kind::kValue) return on_answer({LookedUp::Kind::kEnded});
        if (tombstone.kind != RedisAnswer::Kind::kMissing)
          return on_answer({LookedUp::Kind::kFailed});
        link_.get(record_key(pool_, id), [on_answer](const RedisAnswer& answer) {
          if (answer.kind == RedisAnswer::Kind::kFailed)
            return on_answer({LookedUp::Kind::kFailed});
          std::optional<SessionRecord> record;
          if (answer.kind == RedisAnswer::Kind::kValue) record = read_record(answer.value);
          if (!record) return on_answer({LookedUp::Kind::kMissing});
          on_answer({LookedUp::Kind::kRecord, std::move(record)});
        });
      });
}

}  // namespace limpet::mcp
