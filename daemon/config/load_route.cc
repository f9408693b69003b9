// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "daemon/base/text.h"
#include "daemon/config/tables.h"

namespace limpet {
namespace {

constexpr std::size_t kHostMax = 253;  // RFC 1035 section 2.3.4, as text

bool is_host_letter(char c) {
  return (c >= 'a' && c <= 'z') || text::is_digit(c) || c == '-' || c == '_' || c == '.' ||
         c == ':' || c == '[' || c == ']';
}

/// "*", a name, "*." and a name, or an address; in lower case. A colon only inside brackets: no
/// port.
bool is_host(std::string_view host) {
  if (host == "*") return true;
  if (host.starts_with("*.")) host.remove_prefix(2);
  if (host.empty() || host.size() > kHostMax) return false;
  const bool is_bracketed = host.front() == '[' && host.back() == ']';
  if (!is_bracketed && host.find_first_of(":[]") != std::string_view::npos) return false;
  return std::all_of(host.begin(), host.end(), is_host_letter);
}

bool is_visible(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

void load_host(RouteModel& route) {
  const ConfigReader& in = route.settings;
  route.host = text::to_lower(in.text("host", "*", "a name, \"*.example.org\" or \"*\""));
  if (route.host.size() > 1 && route.host.ends_with('.')) route.host.pop_back();
  if (!is_host(route.host)) {
    in.mistake("host",
               "host: expected a name such as \"app.example.org\", \"*.example.org\" or \"*\", "
               "without a port");
  }
}

void load_path(RouteModel& route) {
  const ConfigReader& in = route.settings;
  route.path = in.text("path", "/", "a prefix of whole segments");
  const bool is_path = route.path.starts_with('/') && is_visible(route.path) &&
                       route.path.find_first_of("?#") == std::string::npos;
  if (!is_path) {
    in.mistake("path", "path: expected a path that begins with \"/\", without query or fragment");
  }
  while (route.path.size() > 1 && route.path.ends_with('/'))
    route.path.pop_back();
}

RedirectModel load_redirect(const ConfigReader& in) {
  RedirectModel redirect;
  redirect.to = in.text("to", "", "where the client is sent");
  redirect.status = static_cast<std::uint16_t>(in.number("status", redirect.status, 301, 308));
  if (redirect.to.empty() || !is_visible(redirect.to)) {
    in.mistake("to", "to: expected a URL such as \"https://example.org/\", without spaces");
  }
  if (redirect.status > 303 && redirect.status < 307) {
    in.mistake("status", "status: expected 301, 302, 303, 307 or 308");
  }
  return redirect;
}

RespondModel load_respond(const ConfigReader& in) {
  RespondModel respond;
  respond.status = static_cast<std::uint16_t>(in.number("status", respond.status, 200, 599));
  respond.body = in.text("body", "", "plain text; \"\": limpet's own page for the status");
  // RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5.
  const bool has_content = respond.status != 204 && respond.status != 205 && respond.status != 304;
  if (!has_content && !respond.body.empty()) {
    in.mistake("body", "body: an answer of status " + std::to_string(respond.status) +
                           " has no content; expected another status, or no body");
  }
  return respond;
}

}  // namespace

void load_routes(const ConfigReader& root, Model& model) {
  for (const ConfigReader& in : root.tables("route")) {
    RouteModel& route = model.routes.emplace_back();
    route.settings = in;
    route.where = in.position();
    load_host(route);
    load_path(route);
    if (in.has("pool")) route.pool = in.text("pool", "", "who answers");
    if (in.has("redirect")) route.redirect = load_redirect(in.table("redirect"));
    if (in.has("respond")) route.respond = load_respond(in.table("respond"));
  }
}

}  // namespace limpet
