// SPDX-License-Identifier: Apache-2.0
#pragma once
// ListenFan: one client's subscriptions/listen stream at work. The client's own request is the
// first leg, on the replica that was chosen for it; for every other replica the fan opens a call
// with the same body, and puts what those say into the client's stream. listen_merge.h decides what
// the client sees; listen_part.h keeps the fans.
//
//   first leg ──────────────┐
//   call to replica b ──────┼──► ListenMerge ──► the client's stream
//   call to replica c ──────┘

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "modules/mcp/listen_merge.h"
#include "modules/mcp/modern_eras.h"
#include "modules/mcp/part.h"

namespace limpet::mcp {

/// Told when a fan ends.
class ListenFans {
 public:
  virtual void on_fan_over(const class ListenFan& fan) noexcept = 0;

 protected:
  ~ListenFans() = default;
};

/// One client stream.
/// Borrows: the exchange, the context and the eras. Lifetime: the exchange's note. Thread: its
/// worker.
class ListenFan final : public PartNote, public ResponseHook {
 public:
  /// How long the acknowledgement waits for legs that have not answered.
  static constexpr Duration kAcknowledgeWithin = std::chrono::seconds(1);
  static constexpr Duration kOpenAgainAfter = std::chrono::seconds(5);
  /// Notices that wait for a client that does not read; beyond it they are dropped, and the client
  /// is told later that everything has changed.
  static constexpr std::size_t kPendingBytesMax = 256 * 1024;
  /// What a stream that is continued again and again may take of its exchange's arena beyond the
  /// first block; then it breaks, and its client opens it anew.
  static constexpr std::size_t kContinuedBytesMax = 64 * 1024;
  /// Streams in a row that their replicas cut within a second; then the client is to ask anew.
  static constexpr std::uint32_t kQuickLossesMax = 3;

  /// `id` is the request's, raw.
  ListenFan(ListenFans& owner, Exchange& exchange, const PartContext& context, EraFilter& eras,
            std::string_view id);
  ~ListenFan() override;

  /// The response has begun: opens the other legs.
  void begin();
  /// About once a second: the acknowledgement's time, legs to open again, notices that wait.
  /// May end the exchange, and the fan with it.
  void on_tick(Instant now);
  /// Ends the client's stream in order, so that it asks anew. May end the fan.
  void end_in_order();

  [[nodiscard]] std::string_view on_body(std::string_view bytes, Buffer& scratch) override;
  [[nodiscard]] std::string_view on_end(Buffer& scratch) override;
  /// What goes to the client are whole events.
  [[nodiscard]] bool is_between() const noexcept override { return true; }
  [[nodiscard]] Mend on_lost(Exchange& exchange, const Failure& failure, Buffer& last) override;
  [[nodiscard]] bool on_continued(Exchange& exchange, const ResponseHead& head) override;

 private:
  class Leg;

  [[nodiscard]] bool is_worth_asking(const Replica& replica) const noexcept;
  [[nodiscard]] Leg* leg_on(std::uint32_t index) const noexcept;
  void open_missing(Instant now);
  void note_drops();
  [[nodiscard]] CallRequest request_for(const Replica& replica) const;
  /// Takes `out` to the client, or keeps it. May end the fan: nothing of it is to be used then.
  void tell(std::string out);

  ListenFans& owner_;
  Exchange& exchange_;
  const PartContext& context_;
  EraFilter& eras_;
  OpenStream open_;
  ListenMerge merge_;
  std::uint32_t first_;  // the replica of the client's own request
  Instant began_;
  Instant first_opened_;
  std::uint32_t quick_losses_ = 0;
  std::string pending_;
  std::vector<std::unique_ptr<Leg>> legs_;
  bool is_first_lost_ = false;
  bool owes_changes_ = false;
};

}  // namespace limpet::mcp
