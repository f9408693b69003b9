// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/listen_merge.h"

#include <algorithm>
#include <utility>

#include "modules/mcp/json.h"

namespace limpet::mcp {

namespace {

constexpr std::string_view kAcknowledged = "notifications/subscriptions/acknowledged";
constexpr std::string_view kToolsChanged = "notifications/tools/list_changed";
constexpr std::string_view kPromptsChanged = "notifications/prompts/list_changed";
constexpr std::string_view kResourcesChanged = "notifications/resources/list_changed";
constexpr std::string_view kResourceUpdated = "notifications/resources/updated";
constexpr std::string_view kEventBegin = "event: message\n";
constexpr std::size_t kUrisMax = 1024;
constexpr std::size_t kOthersMax = 16;

void add_once(std::vector<std::string>& all, std::string text, std::size_t at_most) {
  if (all.size() < at_most && std::find(all.begin(), all.end(), text) == all.end())
    all.push_back(std::move(text));
}

std::string_view name_in(std::string_view raw_member) noexcept {
  return raw_member.substr(0, raw_member.find("\":"));
}

void add_member(std::string& out, std::string_view raw_member) {
  if (out.back() != '{') out += ',';
  out += raw_member;
}

}  // namespace

ListenFilter read_filter(std::string_view raw) {
  ListenFilter filter;
  std::vector<JsonMember> members;
  if (!read_members(raw, members)) return filter;
  for (const JsonMember& member : members) {
    const bool is_true = member.value.raw == "true";
    std::vector<JsonItem> items;
    if (member.key == "toolsListChanged") {
      filter.tools = is_true;
    } else if (member.key == "promptsListChanged") {
      filter.prompts = is_true;
    } else if (member.key == "resourcesListChanged") {
      filter.resources = is_true;
    } else if (member.key == "resourceSubscriptions") {
      if (!read_items(member.value.raw, items)) continue;
      for (const JsonItem& item : items) {
        if (std::optional<std::string> uri = text_of(item))
          add_once(filter.uris, *std::move(uri), kUrisMax);
      }
    } else if (filter.raw_others.size() < kOthersMax) {
      std::string raw_member;
      append_quoted(raw_member, member.key);
      filter.raw_others.push_back(raw_member + ":" + std::string(member.value.raw));
    }
  }
  return filter;
}

void unite(ListenFilter& all, const ListenFilter& more) {
  all.tools |= more.tools;
  all.prompts |= more.prompts;
  all.resources |= more.resources;
  for (const std::string& uri : more.uris)
    add_once(all.uris, uri, kUrisMax);
  for (const std::string& member : more.raw_others) {
    const bool is_known =
        std::any_of(all.raw_others.begin(), all.raw_others.end(),
                    [&](const std::string& held) { return name_in(held) == name_in(member); });
    if (!is_known && all.raw_others.size() < kOthersMax) all.raw_others.push_back(member);
  }
}

std::string print_filter(const ListenFilter& filter) {
  std::string out = "{";
  if (filter.tools) add_member(out, R"("toolsListChanged":true)");
  if (filter.prompts) add_member(out, R"("promptsListChanged":true)");
  if (filter.resources) add_member(out, R"("resourcesListChanged":true)");
  if (!filter.uris.empty()) {
    std::string list;
    for (const std::string& uri : filter.uris) {
      list += list.empty() ? "" : ",";
      append_quoted(list, uri);
    }
    add_member(out, R"("resourceSubscriptions":[)" + list + "]");
  }
  for (const std::string& member : filter.raw_others)
    add_member(out, member);
  return out + "}";
}

// Hands the events of one leg on while it is fed.
class ListenMerge::Reader final : public SseSink {
 public:
  Reader(ListenMerge& merge, LegState& leg, std::string& out) noexcept
      : merge_(merge), leg_(leg), out_(out) {}
  void on_event(const SseEvent& event) override { merge_.on_message(leg_, event, out_); }

 private:
  ListenMerge& merge_;
  LegState& leg_;
  std::string& out_;
};

bool ListenMerge::add(std::uint32_t leg) {
  if (legs_.size() >= kLegsMax && legs_.find(leg) == legs_.end()) return false;
  legs_[leg] = LegState{};
  return true;
}

void ListenMerge::feed(std::uint32_t leg, std::string_view bytes, std::string& out) {
  const auto at = legs_.find(leg);
  if (at == legs_.end()) return;
  Reader reader(*this, at->second, out);
  at->second.scanner.feed(bytes, &reader);
}

void ListenMerge::finish(std::uint32_t leg, std::string& out) {
  const auto at = legs_.find(leg);
  if (at == legs_.end()) return;
  if (at->second.state != Leg::kEnded) at->second.state = Leg::kFailed;
  // The last one that was waited for: the others have acknowledged.
  const bool is_any_opening = std::any_of(legs_.begin(), legs_.end(), [](const auto& entry) {
    return entry.second.state == Leg::kOpening;
  });
  if (!is_any_opening) acknowledge(out);
}

void ListenMerge::fail(std::uint32_t leg, std::string_view body) {
  const auto at = legs_.find(leg);
  if (at == legs_.end()) return;
  at->second.state = Leg::kFailed;
  if (failure_.empty() && body.size() <= kEventBytesMax) failure_ = body;
}

bool ListenMerge::is_wanted(std::string_view method) const noexcept {
  if (method == kToolsChanged) return filter_.tools;
  if (method == kPromptsChanged) return filter_.prompts;
  if (method == kResourcesChanged) return filter_.resources;
  return true;
}

void ListenMerge::on_message(LegState& leg, const SseEvent& event, std::string& out) {
  if (event.data.empty()) return;
  std::vector<JsonMember> members;
  if (event.is_cut || !read_members(event.data, members)) {
    ++drops_.unreadable;
    return;
  }
  const JsonItem* method = find(members, "method");
  if (method == nullptr) {
    // The result that ends a leg in order, or the error that refuses it.
    const bool is_result = find(members, "result") != nullptr;
    leg.state = is_result ? Leg::kEnded : Leg::kFailed;
    std::string& kept = is_result ? result_ : failure_;
    kept = event.data;
    return;
  }
  const std::string name = text_of(*method).value_or(std::string());
  if (name == kAcknowledged) {
    const JsonItem* params = find(members, "params");
    return on_acknowledged(leg, params == nullptr ? std::string_view{} : params->raw, out);
  }
  // A notice must not come before the acknowledgement (2026-07-28, subscriptions, acknowledgment),
  // nor be of a kind that the acknowledgement did not name.
  acknowledge(out);
  if (!is_acknowledged_ || !is_wanted(name)) {
    ++drops_.unwanted;
    return;
  }
  send(event.data, out);
}

void ListenMerge::on_acknowledged(LegState& leg, std::string_view params, std::string& out) {
  leg.state = Leg::kOpen;
  if (is_acknowledged_) return;
  std::vector<JsonMember> members;
  if (read_members(params, members)) {
    if (const JsonItem* filter = find(members, "notifications"); filter != nullptr)
      unite(filter_, read_filter(filter->raw));
  }
  const bool is_complete = std::none_of(legs_.begin(), legs_.end(), [](const auto& entry) {
    return entry.second.state == Leg::kOpening;
  });
  if (is_complete) acknowledge(out);
}

std::string ListenMerge::stamp() const {
  return R"("_meta":{"io.modelcontextprotocol/subscriptionId":)" + id_ + "}";
}

void ListenMerge::acknowledge(std::string& out) {
  const bool has_any = std::any_of(legs_.begin(), legs_.end(), [](const auto& entry) {
    return entry.second.state == Leg::kOpen || entry.second.state == Leg::kEnded;
  });
  if (is_acknowledged_ || !has_any) return;
  is_acknowledged_ = true;
  std::string json = R"({"jsonrpc":"2.0","method":")";
  json += kAcknowledged;
  json += R"(","params":{)" + stamp() + R"(,"notifications":)" + print_filter(filter_) + "}}";
  send(json, out);
}

void ListenMerge::tell_everything_changed(std::string& out) {
  if (!is_acknowledged_ || is_concluded_) return;
  const auto notice = [&](std::string_view method, std::string_view uri) {
    std::string json = R"({"jsonrpc":"2.0","method":")";
    json += method;
    json += R"(","params":{)" + stamp();
    if (!uri.empty()) {
      json += R"(,"uri":)";
      append_quoted(json, uri);
    }
    send(json + "}}", out);
  };
  if (filter_.tools) notice(kToolsChanged, {});
  if (filter_.prompts) notice(kPromptsChanged, {});
  if (filter_.resources) notice(kResourcesChanged, {});
  for (const std::string& uri : filter_.uris)
    notice(kResourceUpdated, uri);
}

void ListenMerge::conclude(std::string& out) {
  if (is_concluded_ || !is_acknowledged_) return;
  const std::string own =
      R"({"jsonrpc":"2.0","id":)" + id_ + R"(,"result":{"resultType":"complete",)" + stamp() + "}}";
  send(result_.empty() ? own : result_, out);
  is_concluded_ = true;
}

bool ListenMerge::is_over() const noexcept {
  return std::all_of(legs_.begin(), legs_.end(), [](const auto& entry) {
    return entry.second.state == Leg::kEnded || entry.second.state == Leg::kFailed;
  });
}

ListenMerge::Leg ListenMerge::state_of(std::uint32_t leg) const {
  const auto at = legs_.find(leg);
  return at == legs_.end() ? Leg::kFailed : at->second.state;
}

std::uint64_t ListenMerge::count(std::string_view events) noexcept {
  std::uint64_t found = 0;
  for (std::size_t at = events.find(kEventBegin); at != std::string_view::npos;
       at = events.find(kEventBegin, at + kEventBegin.size()))
    ++found;
  return found;
}

// A message may hold line ends between its tokens; each line of it is a data field.
void ListenMerge::send(std::string_view json, std::string& out) {
  if (is_concluded_) return;
  out += kEventBegin;
  while (!json.empty()) {
    const std::size_t end = std::min(json.find('\n'), json.size());
    out += "data: ";
    out += json.substr(0, end);
    out += '\n';
    json.remove_prefix(std::min(end + 1, json.size()));
  }
  out += '\n';
}

}  // namespace limpet::mcp
