// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/mcp_head.h"

#include <algorithm>
#include <array>

#include "daemon/base/text.h"

namespace limpet {

namespace {

constexpr std::string_view kOpening = "=?base64?";
constexpr std::string_view kClosing = "?=";
constexpr std::array<std::string_view, 5> kTaskMethods = {
    "tasks/get", "tasks/update", "tasks/cancel", "tasks/result", "tasks/input"};

bool names_session(std::string_view name) noexcept {
  return text::equals_ignoring_case(name, "sessionid") ||
         text::equals_ignoring_case(name, "session_id");
}

}  // namespace

bool is_version(std::string_view text) noexcept {
  static constexpr std::string_view kForm = "dddd-dd-dd";
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kForm[i] == 'd' ? !text::is_digit(text[i]) : text[i] != '-') return false;
  }
  return true;
}

bool is_modern_version(std::string_view text) noexcept {
  return text >= kFirstModernVersion && is_version(text);
}

Era era_of(const RequestHead& request) noexcept {
  const Field* version = request.fields.find(FieldName::kMcpProtocolVersion);
  return version != nullptr && is_modern_version(text::trim(version->value())) ? Era::kModern
                                                                               : Era::kSession;
}

std::optional<std::string> decoded_value(std::string_view value) {
  value = text::trim(value);
  if (value.size() > kHeaderValueBytesMax) return std::nullopt;
  const bool is_wrapped = value.size() >= kOpening.size() + kClosing.size() &&
                          value.starts_with(kOpening) && value.ends_with(kClosing);
  if (!is_wrapped) return std::string(value);
  value.remove_prefix(kOpening.size());
  value.remove_suffix(kClosing.size());
  return text::from_base64(value);
}

std::optional<std::string> parameter_of(const RequestHead& request,
                                        std::string_view lower_case_name) {
  if (era_of(request) != Era::kModern) return std::nullopt;
  const Field* found = nullptr;
  for (const Field& field : request.fields.fields()) {
    if (field.is_removed() || !field.name().starts_with(kParameterPrefix) ||
        field.name().substr(kParameterPrefix.size()) != lower_case_name)
      continue;
    if (found != nullptr) return std::nullopt;
    found = &field;
  }
  return found == nullptr ? std::nullopt : decoded_value(found->value());
}

bool names_task(std::string_view method) noexcept {
  return std::find(kTaskMethods.begin(), kTaskMethods.end(), method) != kTaskMethods.end();
}

std::optional<std::string> task_of(const RequestHead& request) {
  if (era_of(request) != Era::kModern) return std::nullopt;
  if (!names_task(text::trim(request.fields.value(FieldName::kMcpMethod)))) return std::nullopt;
  const std::string_view name = text::trim(request.fields.value(FieldName::kMcpName));
  return name.empty() ? std::nullopt : decoded_value(name);
}

QueryValue find_session_id_in_query(std::string_view query) noexcept {
  std::size_t at = 0;
  while (at < query.size()) {
    const std::size_t end = std::min(query.find('&', at), query.size());
    const std::string_view pair = query.substr(at, end - at);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && names_session(pair.substr(0, equals)))
      return {at + equals + 1, pair.size() - equals - 1};
    at = end + 1;
  }
  return {};
}

QueryValue find_session_id(std::string_view uri) noexcept {
  const std::string_view without_fragment = uri.substr(0, uri.find('#'));
  const std::size_t mark = without_fragment.find('?');
  if (mark == std::string_view::npos) return {};
  QueryValue found = find_session_id_in_query(without_fragment.substr(mark + 1));
  if (found.bytes > 0) found.begin += mark + 1;
  return found;
}

}  // namespace limpet
