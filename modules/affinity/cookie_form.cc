// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/cookie_form.h"

#include "daemon/base/text.h"

namespace limpet::affinity {

namespace {

// One directive at the start of `rest`, up to a comma outside quotes (RFC 9111 section 5.2).
std::string_view take_directive(std::string_view& rest) noexcept {
  bool is_quoted = false;
  std::size_t end = 0;
  for (; end < rest.size() && (is_quoted || rest[end] != ','); ++end) {
    if (rest[end] == '\\' && is_quoted)
      ++end;
    else if (rest[end] == '"')
      is_quoted = !is_quoted;
  }
  end = end < rest.size() ? end : rest.size();
  const std::string_view directive = text::trim(rest.substr(0, end));
  rest.remove_prefix(end < rest.size() ? end + 1 : end);
  return directive;
}

}  // namespace

CookieForm::CookieForm(const CookieAttributes& attributes, std::optional<bool> secure)
    : name_(full_name(attributes)) {
  for (const Channel channel : {Channel::kPlain, Channel::kSecure}) {
    CookieAttributes present = attributes;
    present.is_secure = secure.value_or(channel == Channel::kSecure);
    attributes_[static_cast<std::size_t>(channel)] = attributes_text(present);
    present.max_age = std::chrono::seconds(0);
    deletion_[static_cast<std::size_t>(channel)] = attributes_text(present);
  }
}

std::string_view CookieForm::setting(Arena& arena, std::string_view value, Channel channel) const {
  return mint_set_cookie(arena, name_, value, attributes_[static_cast<std::size_t>(channel)]);
}

std::string_view CookieForm::deletion(Arena& arena, Channel channel) const {
  return mint_set_cookie(arena, name_, {}, deletion_[static_cast<std::size_t>(channel)]);
}

void keep_from_shared_caches(HeaderList& response_fields) {
  Arena& arena = response_fields.arena();
  std::string_view kept;
  bool is_private = false;
  for (Field& field : response_fields.fields()) {
    if (field.id != FieldName::kCacheControl || field.is_removed()) continue;
    std::string_view rest = field.value();
    response_fields.remove(field);
    while (!rest.empty()) {
      const std::string_view directive = take_directive(rest);
      if (directive.empty() || text::equals_ignoring_case(directive, "public")) continue;
      if (text::starts_with_ignoring_case(directive, "s-maxage")) continue;
      is_private |= text::equals_ignoring_case(directive, "private") ||
                    text::equals_ignoring_case(directive, "no-store");
      kept = kept.empty() ? directive : arena.join(kept, ", ", directive);
    }
  }
  if (!is_private)
    kept = kept.empty() ? std::string_view("private") : arena.join("private, ", kept);
  response_fields.add(FieldName::kCacheControl, kept);
}

}  // namespace limpet::affinity
