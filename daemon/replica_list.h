// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaList: a file of replicas as discovery.type = "file" reads it: one a line, or TOML. It is a
// text here; discovery_file.h watches the file.

#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/model.h"

namespace limpet {

/// A file of replicas as read, right or wrong.
struct ReplicaList {
  std::vector<ReplicaModel> replicas;
  std::string mistakes;  ///< for people, each with file, line and caret; empty where there are none
};

/// Reads one replica a line: `id address [weight=N] [revision=R] [backup] [drain] [down]`, or an
/// address alone, which is then the id; `#` begins a comment. A text that has a [[replica]] table
/// is read as TOML with the keys of [[pool.NAME.replica]].
/// `where` becomes ReplicaModel::where of each.
[[nodiscard]] ReplicaList parse_replica_list(std::string_view text, const std::string& name,
                                             Position where);

}  // namespace limpet
