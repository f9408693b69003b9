// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/session_activity.h"

namespace limpet::mcp {

namespace {

void count_down(std::size_t& all) noexcept {
  if (all > 0) --all;
}

}  // namespace

SessionActivity::Begun SessionActivity::begin(std::string_view id, Doing doing, Instant now) {
  ++(doing == Doing::kCall ? running_calls_ : open_streams_);
  auto at = sessions_.find(id);
  const bool is_new = at == sessions_.end();
  if (is_new) {
    if (sessions_.size() >= kSessionsMax) {
      store_.touch(id, now);
      return {nullptr, true};
    }
    at = sessions_.emplace(std::string(id), Use{}).first;
  }
  ++(doing == Doing::kCall ? at->second.calls : at->second.streams);
  return {&at->second, is_new};  // a node, which stays where it is
}

void SessionActivity::end(Use& use, Doing doing) noexcept {
  count_down(doing == Doing::kCall ? running_calls_ : open_streams_);
  std::uint32_t& count = doing == Doing::kCall ? use.calls : use.streams;
  if (count > 0) --count;
}

void SessionActivity::end(std::string_view id, Doing doing, Instant now) {
  const auto at = sessions_.find(id);
  if (at != sessions_.end()) return end(at->second, doing);
  count_down(doing == Doing::kCall ? running_calls_ : open_streams_);
  store_.touch(id, now);
}

void SessionActivity::tell(Instant now) {
  if (now - told_ < kTellEvery) return;
  told_ = now;
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    store_.touch(at->first, now);
    const bool is_idle = at->second.calls == 0 && at->second.streams == 0;
    at = is_idle ? sessions_.erase(at) : std::next(at);
  }
}

bool SessionActivity::is_shared(std::string_view id) const {
  const auto at = sessions_.find(id);
  return at != sessions_.end() && at->second.calls + at->second.streams > 1;
}

bool SessionActivity::is_busy(std::string_view id) const {
  const auto at = sessions_.find(id);
  return at != sessions_.end() && (at->second.calls > 0 || at->second.streams > 0);
}

}  // namespace limpet::mcp
