// SPDX-License-Identifier: Apache-2.0
#pragma once
// Check: the rules that hold across the tables of a configuration: names that lead nowhere, ties,
// things given twice, things missing. Single values were checked when they were read. Inside config
// only.

#include "daemon/config/mistakes.h"
#include "daemon/config/model.h"

namespace limpet {

/// Adds every breach of a rule to `mistakes`.
/// Cost: linear in the number of listeners, routes, pools and replicas.
void check(const Model& model, Mistakes& mistakes);

}  // namespace limpet
