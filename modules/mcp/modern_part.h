// SPDX-License-Identifier: Apache-2.0
#pragma once
// ModernPart: requests of the revisions without sessions (2026-07-28 and later). Most go where
// balance puts them; calls about a task meet the replica that made it, none goes to a replica of
// the other era, and initialize goes to none of this one.

#include "modules/mcp/modern_eras.h"
#include "modules/mcp/modern_probe.h"
#include "modules/mcp/part.h"

namespace limpet::mcp {

/// Thread: its worker.
class ModernPart final : public Part {
 public:
  /// The largest server/discover that is read for the name of the client.
  static constexpr std::size_t kIntroductionBytesMax = 16 * 1024;

  explicit ModernPart(const PartContext& context);

  [[nodiscard]] ClientEra era() const noexcept override { return ClientEra::kModern; }
  Taking on_request(Exchange& exchange) override;
  Verdict on_select(Exchange& exchange, Candidates& candidates) override;
  void on_response(Exchange& exchange) override;
  void on_foreign_select(Exchange& exchange, Candidates& candidates) override;
  void on_foreign_response(Exchange& exchange) override;
  void on_done(const Exchange& exchange) noexcept override;
  void on_tick(Instant now) override;

 private:
  PartContext context_;
  EraFilter eras_;
  EraProber prober_;
};

}  // namespace limpet::mcp
