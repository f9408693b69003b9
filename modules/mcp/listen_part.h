// SPDX-License-Identifier: Apache-2.0
#pragma once
// ListenPart: takes subscriptions/listen requests (revision 2026-07-28) and keeps their fans
// (listen_fan.h): a change on a replica is told on that replica's streams only, so each client's
// stream hears all of them. When the pool's replicas change, streams are ended in order and their
// clients ask anew, of the new ones too.

#include <vector>

#include "modules/mcp/listen_fan.h"
#include "modules/mcp/modern_eras.h"
#include "modules/mcp/part.h"

namespace limpet::mcp {

/// Thread: its worker.
class ListenPart final : public Part, private ListenFans {
 public:
  /// The largest request that is read and sent to every replica.
  static constexpr std::size_t kRequestBytesMax = 64 * 1024;

  explicit ListenPart(const PartContext& context);

  [[nodiscard]] ClientEra era() const noexcept override { return ClientEra::kModern; }
  Taking on_request(Exchange& exchange) override;
  Verdict on_select(Exchange& exchange, Candidates& candidates) override;
  void on_response(Exchange& exchange) override;
  void on_tick(Instant now) override;

 private:
  void on_fan_over(const ListenFan& fan) noexcept override;

  PartContext context_;
  EraFilter eras_;
  std::uint64_t replicas_mark_;
  std::vector<ListenFan*> fans_;
};

}  // namespace limpet::mcp
