// SPDX-License-Identifier: Apache-2.0
#pragma once
// SseScanner: watches a stream of server-sent events go by, chunk and event boundaries anywhere. It
// knows whether the stream is between two events, where a comment may be put in, and shows events
// to a sink that asks for them. It keeps no byte of the stream except the first part of the event
// that a sink is to see. The format: HTML Living Standard, section 9.2.6.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace limpet::mcp {

/// The first bytes of an event's data that are kept for a sink.
inline constexpr std::size_t kEventKeptBytes = 64 * 1024;

/// One event.
/// Lifetime: valid during on_event().
struct SseEvent {
  std::string_view name;         ///< of its event field; empty = "message"
  std::string_view id;           ///< of its own id field
  std::string_view data;         ///< data fields joined by LF, its first kept bytes
  std::uint64_t data_bytes = 0;  ///< all of it
  bool has_id = false;
  bool has_data = false;  ///< false, or empty data: readers learn the id and are told nothing else
  bool is_cut = false;    ///< name, id or data were longer than what is kept
};

class SseSink {
 public:
  virtual ~SseSink() = default;
  /// An event has ended. Must not feed the scanner.
  virtual void on_event(const SseEvent& event) = 0;
};

class SseScanner {
 public:
  explicit SseScanner(std::size_t kept_bytes_max = kEventKeptBytes) noexcept
      : kept_bytes_max_(kept_bytes_max) {}

  /// Takes the next bytes of the stream. With a null sink only boundaries are watched; an event
  /// whose beginning was fed without one is shown without what was missed.
  /// Cost: one pass; memory bounded by `kept_bytes_max`.
  void feed(std::string_view bytes, SseSink* sink);

  /// Whether a comment may be put in after what was fed: at the beginning, and behind an empty line
  /// or a comment. Not between CR and LF.
  [[nodiscard]] bool is_between_events() const noexcept;
  /// How many bytes at the start of the chunk fed last belong to a byte order mark. Where something
  /// was put in before them, they have to be left out.
  [[nodiscard]] std::size_t mark_bytes() const noexcept { return mark_in_chunk_; }
  /// Events that have ended so far.
  [[nodiscard]] std::uint64_t events() const noexcept { return events_; }

 private:
  /// What the line at hand is, as far as it has been read.
  ///
  ///   kStart ──":"──► kComment ──┐
  ///     │ other letter           ├─ CR, LF or CRLF ──► kStart
  ///     ├──► kName ──":"──► kSpace ──► kValue ──┤
  ///     └── end of line: the event ends
  enum class Line : std::uint8_t { kStart, kComment, kName, kSpace, kValue };
  enum class FieldKind : std::uint8_t { kOther, kEvent, kData, kId };
  static constexpr std::size_t kNameBytes = 5;  // "event" is the longest one

  [[nodiscard]] std::string_view skip_mark(std::string_view bytes) noexcept;
  [[nodiscard]] std::size_t feed_rest_of_line(std::string_view bytes, SseSink* sink);
  void on_letter(char c, SseSink* sink);
  void begin_value(SseSink* sink);
  void keep(std::string_view part);
  void on_line_end(SseSink* sink);
  void on_event_end(SseSink* sink);

  std::size_t kept_bytes_max_;
  std::string name_;
  std::string id_;
  std::string data_;
  std::uint64_t data_bytes_ = 0;
  std::uint64_t events_ = 0;
  std::size_t mark_in_chunk_ = 0;
  char field_name_[kNameBytes] = {};
  std::uint8_t field_name_bytes_ = 0;  // one more than kNameBytes for a longer name
  std::uint8_t mark_bytes_ = 0;        // of the byte order mark; kMarkOver once it is decided
  Line line_ = Line::kStart;
  FieldKind field_ = FieldKind::kOther;
  bool is_after_cr_ = false;
  bool uses_bare_cr_ = false;
  bool is_in_event_ = false;
  bool has_id_ = false;
  bool has_data_ = false;
  bool is_cut_ = false;
};

}  // namespace limpet::mcp
