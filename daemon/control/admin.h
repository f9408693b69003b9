// SPDX-License-Identifier: Apache-2.0
#pragma once
// Admin: what the admin listener answers: metrics, health, a status page and its JSON. Read only.
// It changes nothing; that is control.h's business. Neighbours: views.h, gauges.h, page.h.

#include <string_view>

#include "daemon/base/address.h"
#include "daemon/base/fd.h"
#include "daemon/control/http_service.h"
#include "daemon/control/process.h"

namespace limpet::control {

/// The admin listener.
/// Thread: main.
class Admin {
 public:
  Admin(Loop& loop, const Process& process);
  /// Serves on an open socket whose address is `bound`.
  void listen(Fd listening, const Address& bound);

  /// The answer to one request.
  [[nodiscard]] Response answer(const Request& request) const;

 private:
  const Process& process_;
  bool is_local_ = true;  ///< bound to a loopback address
  HttpService service_;
};

/// Whether a Host field is an address or localhost. Any other name may have been made to point here
/// by a page in a browser on this machine, so that its script could read what only local users may.
[[nodiscard]] bool is_literal_host(std::string_view host);

}  // namespace limpet::control
