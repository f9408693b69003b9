// SPDX-License-Identifier: Apache-2.0
#pragma once
// EraProber: asks replicas which eras they speak: server/discover, which only the modern revisions
// know, then a ping outside any session, which only the others answer. It asks where real requests
// have shown what the endpoint's path is, once for each life of a replica, and again now and then
// while modern requests come. What it hears stands in the EraBook; answers to real requests count
// as well (EraEar).

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "modules/mcp/modern_eras.h"
#include "modules/mcp/part.h"

namespace limpet::mcp {

/// One worker's share of the asking.
/// Borrows: everything given. Thread: its worker.
class EraProber {
 public:
  static constexpr Duration kAskAgainUnknown = std::chrono::seconds(5);
  static constexpr Duration kAskAgainKnown = std::chrono::minutes(1);
  static constexpr Duration kAnswerWithin = std::chrono::seconds(3);
  static constexpr std::size_t kAnswerBytesMax = 64 * 1024;

  EraProber(const PartContext& context, EraBook& book, EraFilter& eras) noexcept;
  EraProber(const EraProber&) = delete;
  EraProber& operator=(const EraProber&) = delete;
  ~EraProber();

  /// A request of MCP's was answered by a replica as MCP answers: its path is the endpoint's.
  void note_endpoint(const Exchange& exchange);
  void on_tick(Instant now);

 private:
  class Probe;

  [[nodiscard]] bool is_due(std::uint32_t index, Instant now) const;
  [[nodiscard]] std::unique_ptr<ReplicaCall> ask(Probe& probe, std::string body, Era era);

  PartContext context_;
  EraBook& book_;
  EraFilter& eras_;
  std::string target_;
  std::string authority_;
  std::vector<std::unique_ptr<Probe>> probes_;
};

/// Listens to the answer to a real request that may tell an era: to server/discover, or an error to
/// one of either era. Lives in the exchange's arena and keeps the first bytes of the body.
class EraEar final : public ResponseHook {
 public:
  static constexpr std::size_t kHeardBytesMax = 4 * 1024;

  /// Puts one into the exchange where its answer may tell something and nobody else hooks it.
  static void listen(Exchange& exchange, ReplicaEras& eras, Era era);

  EraEar(Exchange& exchange, ReplicaEras& eras, Era era, char* place) noexcept
      : exchange_(exchange), eras_(eras), era_(era), heard_(place) {}

  [[nodiscard]] std::string_view on_body(std::string_view bytes, Buffer& scratch) override;
  [[nodiscard]] std::string_view on_end(Buffer& scratch) override;
  [[nodiscard]] bool is_between() const noexcept override { return false; }
  [[nodiscard]] Mend on_lost(Exchange&, const Failure&, Buffer&) override { return Mend::kBreak; }
  [[nodiscard]] bool on_continued(Exchange&, const ResponseHead&) override { return false; }

 private:
  Exchange& exchange_;
  ReplicaEras& eras_;
  Era era_;
  char* heard_;
  std::size_t heard_bytes_ = 0;
  bool is_too_long_ = false;
};

/// What an answer to a request of `era` says about that era.
[[nodiscard]] Speaks speaks_era(Era era, std::uint16_t status, std::string_view content_type,
                                std::string_view body);

}  // namespace limpet::mcp
