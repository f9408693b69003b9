// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/sse_scanner.h"

#include <algorithm>

namespace limpet::mcp {

namespace {

constexpr std::string_view kMark = "\xef\xbb\xbf";
constexpr std::uint8_t kMarkOver = 0xff;

std::size_t line_end(std::string_view bytes) noexcept {
  const std::size_t lf = bytes.find('\n');
  const std::size_t cr = bytes.substr(0, lf).find('\r');
  return std::min({lf, cr, bytes.size()});
}

}  // namespace

// A stream that begins like the mark and goes on differently loses nothing that a reader would see:
// such a line is no known field.
std::string_view SseScanner::skip_mark(std::string_view bytes) noexcept {
  mark_in_chunk_ = 0;
  while (mark_bytes_ < kMark.size() && mark_in_chunk_ < bytes.size() &&
         bytes[mark_in_chunk_] == kMark[mark_bytes_]) {
    ++mark_in_chunk_;
    ++mark_bytes_;
  }
  const bool is_open = mark_bytes_ < kMark.size() && mark_in_chunk_ == bytes.size();
  if (!is_open) mark_bytes_ = kMarkOver;
  return bytes.substr(mark_in_chunk_);
}

void SseScanner::feed(std::string_view bytes, SseSink* sink) {
  mark_in_chunk_ = 0;
  if (mark_bytes_ != kMarkOver) bytes = skip_mark(bytes);
  while (!bytes.empty()) {
    if (is_after_cr_) {
      is_after_cr_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
      uses_bare_cr_ = true;
    }
    bytes.remove_prefix(feed_rest_of_line(bytes, sink));
  }
}

// At least one byte: up to the end of the line, or that end.
std::size_t SseScanner::feed_rest_of_line(std::string_view bytes, SseSink* sink) {
  const std::size_t end = line_end(bytes);
  if (end == 0) {
    is_after_cr_ = bytes.front() == '\r';
    on_line_end(sink);
    return 1;
  }
  std::size_t at = 0;
  while (at < end && line_ != Line::kValue && line_ != Line::kComment)
    on_letter(bytes[at++], sink);
  if (at < end && line_ == Line::kValue && sink != nullptr) keep(bytes.substr(at, end - at));
  if (line_ == Line::kValue && field_ == FieldKind::kData) data_bytes_ += end - at;
  return end;
}

void SseScanner::on_letter(char c, SseSink* sink) {
  switch (line_) {
    case Line::kStart:
      field_name_bytes_ = 0;
      if (c == ':') {
        line_ = Line::kComment;
        return;
      }
      line_ = Line::kName;
      is_in_event_ = true;
      [[fallthrough]];
    case Line::kName:
      if (c == ':') {
        begin_value(sink);
      } else if (field_name_bytes_ < kNameBytes) {
        field_name_[field_name_bytes_++] = c;
      } else {
        field_name_bytes_ = kNameBytes + 1;
      }
      return;
    case Line::kSpace:
      line_ = Line::kValue;
      if (c == ' ') return;
      if (sink != nullptr) keep({&c, 1});
      if (field_ == FieldKind::kData) ++data_bytes_;
      return;
    default:
      return;
  }
}

void SseScanner::begin_value(SseSink* sink) {
  line_ = Line::kSpace;
  const std::string_view name(field_name_, std::min<std::size_t>(field_name_bytes_, kNameBytes));
  field_ = FieldKind::kOther;
  if (field_name_bytes_ > kNameBytes) return;
  if (name == "event") {
    field_ = FieldKind::kEvent;
    name_.clear();
  } else if (name == "id") {
    field_ = FieldKind::kId;
    has_id_ = true;
    id_.clear();
  } else if (name == "data") {
    field_ = FieldKind::kData;
    if (has_data_) {
      ++data_bytes_;
      if (sink != nullptr) keep("\n");
    }
    has_data_ = true;
  }
}

void SseScanner::keep(std::string_view part) {
  std::string* target = nullptr;
  if (field_ == FieldKind::kEvent) target = &name_;
  if (field_ == FieldKind::kId) target = &id_;
  if (field_ == FieldKind::kData) target = &data_;
  if (target == nullptr) return;
  const std::size_t held = name_.size() + id_.size() + data_.size();
  const std::size_t room = kept_bytes_max_ - std::min(held, kept_bytes_max_);
  if (part.size() > room) is_cut_ = true;
  target->append(part.substr(0, room));
}

void SseScanner::on_line_end(SseSink* sink) {
  if (line_ == Line::kStart) {
    if (is_in_event_) on_event_end(sink);
    return;
  }
  // A name without a colon is a field with an empty value.
  if (line_ == Line::kName) begin_value(sink);
  line_ = Line::kStart;
}

void SseScanner::on_event_end(SseSink* sink) {
  ++events_;
  is_in_event_ = false;
  if (sink != nullptr)
    sink->on_event({name_, id_, data_, data_bytes_, has_id_, has_data_, is_cut_});
  name_.clear();
  id_.clear();
  data_.clear();
  data_bytes_ = 0;
  has_id_ = has_data_ = is_cut_ = false;
}

bool SseScanner::is_between_events() const noexcept {
  const bool is_inside_mark = mark_bytes_ != 0 && mark_bytes_ != kMarkOver;
  return line_ == Line::kStart && !is_in_event_ && !is_inside_mark &&
         (!is_after_cr_ || uses_bare_cr_);
}

}  // namespace limpet::mcp
