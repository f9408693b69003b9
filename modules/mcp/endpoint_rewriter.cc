// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/endpoint_rewriter.h"

#include <algorithm>
#include <utility>

#include "daemon/base/text.h"

namespace limpet::mcp {

namespace {

constexpr std::string_view kMark = "\xef\xbb\xbf";

// The value of a field line, one space behind the colon left out; whether it is that field's.
bool value_of(std::string_view line, std::string_view name, std::string_view& value) noexcept {
  if (!line.starts_with(name)) return false;
  value = line.substr(name.size());
  if (value.empty()) return true;
  if (value.front() != ':') return false;
  value.remove_prefix(1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  return true;
}

}  // namespace

void EndpointRewriter::feed(std::string_view bytes, std::string& out) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (state_ == State::kDone) {
      out.append(bytes.substr(i));
      return;
    }
    on_byte(bytes[i], out);
  }
}

// A LF behind a CR belongs to a line that is over already; it goes where that line went.
void EndpointRewriter::on_byte(char c, std::string& out) {
  const bool is_second_half = is_after_cr_ && c == '\n';
  is_after_cr_ = c == '\r';
  if (state_ == State::kHolding)
    held_ += c;
  else
    out += c;
  if (is_second_half) {
    line_begin_ = held_.size();
    return;
  }
  if (c == '\r' || c == '\n') {
    on_line(out);
    is_line_empty_ = true;
    line_begin_ = held_.size();
    return;
  }
  is_line_empty_ = false;
  if (state_ == State::kHolding && held_.size() >= kHeldBytesMax) pass_held(State::kPassing, out);
}

void EndpointRewriter::on_line(std::string& out) {
  if (is_line_empty_) {
    is_first_line_ = false;
    on_event_end(out);
    return;
  }
  if (state_ != State::kHolding) return;
  std::string_view line(held_.data() + line_begin_, held_.size() - line_begin_ - 1);
  if (std::exchange(is_first_line_, false) && line.starts_with(kMark)) {
    line.remove_prefix(kMark.size());
    if (line.empty()) return pass_held(State::kHolding, out);
  }
  std::string_view value;
  if (value_of(line, "event", value)) {
    has_fields_ = true;
    is_endpoint_ = value == "endpoint";
    if (!is_endpoint_) pass_held(State::kPassing, out);
  } else if (value_of(line, "data", value)) {
    has_fields_ = true;
    if (data_bytes_ == 0 && find_session_id(value).bytes > 0) {
      data_begin_ = static_cast<std::size_t>(value.data() - held_.data());
      data_bytes_ = value.size();
    }
  } else if (line.front() == ':' && !has_fields_) {
    pass_held(State::kHolding, out);  // a comment between events
  } else {
    has_fields_ = true;
  }
}

void EndpointRewriter::on_event_end(std::string& out) {
  const bool was_event = has_fields_ || state_ == State::kPassing;
  if (was_event) ++events_;
  if (state_ == State::kHolding && is_endpoint_) {
    rewrite(out);
    pass_held(State::kDone, out);
    return;
  }
  pass_held(events_ < kEventsMax ? State::kHolding : State::kDone, out);
  has_fields_ = false;
  is_endpoint_ = false;
}

void EndpointRewriter::rewrite(std::string& out) {
  if (data_bytes_ == 0) return;
  const std::string_view uri(held_.data() + data_begin_, data_bytes_);
  const QueryValue id = find_session_id(uri);
  const std::string_view wrapped = wrapper_.wrap(uri.substr(id.begin, id.bytes));
  if (wrapped.empty()) return;
  const std::size_t begin = data_begin_ + id.begin;
  out.append(held_, 0, begin);
  out.append(wrapped);
  held_.erase(0, begin + id.bytes);
  has_rewritten_ = true;
}

void EndpointRewriter::pass_held(State next, std::string& out) {
  out.append(held_);
  held_.clear();
  line_begin_ = 0;
  data_bytes_ = 0;
  state_ = next;
}

void EndpointRewriter::finish(std::string& out) { pass_held(State::kDone, out); }

}  // namespace limpet::mcp
