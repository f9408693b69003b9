// SPDX-License-Identifier: Apache-2.0
#pragma once
// Privileges: from root to nobody in particular, once, after the sockets are open. Also the
// descriptor limit and the directories that the unprivileged user needs.

#include <cstdint>
#include <string>

#include "daemon/base/result.h"

namespace limpet {

/// Raises the limit of open descriptors as far as it goes; what it is then.
[[nodiscard]] std::uint64_t raise_descriptor_limit();

/// Makes the last part of `path` where it is missing and, for root, gives it to `user`. An existing
/// directory stays as it is.
/// Errors: a directory that is missing and cannot be made.
[[nodiscard]] Status prepare_directory(const std::string& path, const std::string& user);

/// Gives the socket or directory at `path` to `user`, where this process is root; never what a
/// symbolic link there leads to, nor a file of another kind.
void give_to_user(const std::string& path, const std::string& user);

/// Becomes `user` with its groups and without any capability, and forbids to gain any. Does nothing
/// but the latter when not started as root, and where `user` is "" or root.
/// Errors: an unknown user, with the way out.
/// Thread: main, before there is any other.
[[nodiscard]] Status drop_privileges(const std::string& user);

}  // namespace limpet
