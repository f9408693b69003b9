// SPDX-License-Identifier: Apache-2.0
#pragma once
// ListenMerge: one subscriptions/listen stream of a client (revision 2026-07-28) out of one stream
// of each replica, since a change on a replica is told on that replica's streams only. Every
// replica gets the client's own request, so all use the same subscription id, which is the
// request's. The client sees one acknowledgement, the notices of all, and one result when the last
// one has ended. It does no input or output: it is fed what the legs bring and gives the bytes for
// the client.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "modules/mcp/answer_reader.h"

namespace limpet::mcp {

/// What has been acknowledged.
struct ListenFilter {
  bool tools = false;
  bool prompts = false;
  bool resources = false;
  std::vector<std::string> uris;        ///< resourceSubscriptions, each once
  std::vector<std::string> raw_others;  ///< members of extensions: "name":value, each name once

  [[nodiscard]] bool is_empty() const noexcept {
    return !tools && !prompts && !resources && uris.empty() && raw_others.empty();
  }
};
/// Reads a `notifications` object; what cannot be read is left out.
[[nodiscard]] ListenFilter read_filter(std::string_view raw);
/// `more` is added to `all`.
void unite(ListenFilter& all, const ListenFilter& more);
[[nodiscard]] std::string print_filter(const ListenFilter& filter);

/// One client stream.
/// Thread: its worker.
class ListenMerge {
 public:
  /// An event of a leg that is longer is dropped and counted: notices are short.
  static constexpr std::size_t kEventBytesMax = 64 * 1024;
  static constexpr std::size_t kLegsMax = 1024;

  /// What a leg is.
  enum class Leg : std::uint8_t {
    kOpening,  ///< no acknowledgement yet
    kOpen,
    kEnded,   ///< its server ended it in order, with a result
    kFailed,  ///< it broke off, or never was a stream
  };

  /// `id` is the client's request id, raw.
  explicit ListenMerge(std::string_view id) : id_(id) {}

  /// A replica's stream begins, or is opened again after it broke: `leg` is any number of the
  /// caller's. Errors: false beyond kLegsMax.
  [[nodiscard]] bool add(std::uint32_t leg);
  /// Bytes of a leg's event stream; what the client is to be sent is appended to `out`.
  void feed(std::uint32_t leg, std::string_view bytes, std::string& out);
  /// A leg's stream is over: after a result in order, otherwise broken.
  void finish(std::uint32_t leg, std::string& out);
  /// A leg never became a stream: `body` is its answer, kept in case all fail.
  void fail(std::uint32_t leg, std::string_view body);

  /// Sends the acknowledgement with what is known, though some legs have not answered: the time for
  /// it is over. Does nothing while nobody has acknowledged anything.
  void acknowledge(std::string& out);

  /// Notices for everything acknowledged: changes may have been missed while a leg was broken.
  void tell_everything_changed(std::string& out);

  /// Ends the client's stream in order: the result that says so, once.
  void conclude(std::string& out);

  [[nodiscard]] bool is_acknowledged() const noexcept { return is_acknowledged_; }
  /// Every leg has ended or failed.
  [[nodiscard]] bool is_over() const noexcept;
  /// All failed and nothing was sent: the answer of one of them, or empty.
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  [[nodiscard]] Leg state_of(std::uint32_t leg) const;
  /// Events of legs that were not sent on.
  struct Drops {
    std::uint64_t unreadable = 0;  ///< too long, or no JSON
    std::uint64_t unwanted = 0;    ///< not of a kind that was acknowledged
  };
  /// Those since the last time.
  [[nodiscard]] Drops take_drops() noexcept { return std::exchange(drops_, Drops{}); }
  /// How many events are in bytes for the client.
  [[nodiscard]] static std::uint64_t count(std::string_view events) noexcept;

 private:
  struct LegState {
    SseScanner scanner{kEventBytesMax};
    Leg state = Leg::kOpening;
  };
  class Reader;

  void on_message(LegState& leg, const SseEvent& event, std::string& out);
  void on_acknowledged(LegState& leg, std::string_view params, std::string& out);
  void send(std::string_view json, std::string& out);
  [[nodiscard]] bool is_wanted(std::string_view method) const noexcept;
  [[nodiscard]] std::string stamp() const;

  std::string id_;
  std::map<std::uint32_t, LegState> legs_;
  ListenFilter filter_;
  std::string failure_;
  std::string result_;  // of the leg that ended last
  Drops drops_;
  bool is_acknowledged_ = false;
  bool is_concluded_ = false;
};

}  // namespace limpet::mcp
