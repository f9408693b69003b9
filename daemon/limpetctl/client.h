// SPDX-License-Identifier: Apache-2.0
#pragma once
// Client: one question over the daemon's control socket, blocking. It knows HTTP as far as the
// daemon's own answers need it, and no verb.

#include <chrono>
#include <string>

#include "daemon/base/result.h"

namespace limpet::ctl {

/// The daemon's answer.
struct Answer {
  int status = 0;
  std::string body;
};

/// Where the daemon is expected: LIMPET_SOCKET, else /run/limpet/control.sock, else this user's
/// demo where only that is there.
[[nodiscard]] std::string default_socket();

/// One question.
struct Question {
  std::string method;  ///< GET, POST
  std::string target;  ///< path and query, encoded
  std::string body;
  std::chrono::seconds patience{30};
};
/// Errors: nobody there, no permission, an answer that is cut; each with what to do.
[[nodiscard]] Result<Answer> ask(const std::string& socket, const Question& question);

/// `text` for use in a path or query.
[[nodiscard]] std::string percent_encoded(const std::string& text);

}  // namespace limpet::ctl
