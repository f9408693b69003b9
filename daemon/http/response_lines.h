// SPDX-License-Identifier: Apache-2.0
#pragma once
// ResponseLines: Date and Via as limpet adds them to nearly every response, as field lines side by
// side, so that HTTP/1 sends them in one piece. Not the fields of limpet's own answers
// (local_answer.h). Neighbours: date.h writes the date, forwarded.h the other Via lines.

#include <array>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/http/date.h"
#include "daemon/http/forwarded.h"
#include "daemon/http/message.h"

namespace limpet {

/// The lines of the current second.
/// Thread: each worker has its own.
class ResponseLines {
 public:
  /// Adds Via, and Date where the replica sent none. RFC: 9110 sections 6.6.1, 7.6.3.
  /// Lifetime: what is added is good until another second is asked for; the head is written before.
  void add_to(ResponseHead& head, WallSeconds now) {
    if (now != second_) renew(now);
    HeaderList& fields = head.fields;
    if (fields.may_have(FieldName::kDate) || head.version != HttpVersion::kHttp11)
      return add_some_to(head);
    constexpr std::size_t kViaNameBytes = 3;
    fields.add_line(FieldName::kDate, {lines_.data(), DateCache::kLineBytes},
                    DateCache::kNameBytes);
    fields.add_line(FieldName::kVia, {lines_.data() + DateCache::kLineBytes, kVia.size()},
                    kViaNameBytes);
  }
  /// The Date's value. Lifetime: as of what add_to() adds.
  [[nodiscard]] std::string_view date(WallSeconds now) noexcept { return date_.text(now); }

 private:
  static constexpr std::string_view kVia = "via: 1.1 limpet\r\n";

  [[gnu::noinline]] void add_some_to(ResponseHead& head);
  [[gnu::noinline]] void renew(WallSeconds now) noexcept;

  DateCache date_;
  WallSeconds second_ = WallSeconds::min();
  std::array<char, DateCache::kLineBytes + kVia.size()> lines_{};
};

}  // namespace limpet
