// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tables: one function for each table of the contract, which reads it into its model. Inside config
// only; Config calls them in order. Types, units and ranges are checked here, rules across tables
// in check.h.

#include <functional>

#include "daemon/config/ledger.h"
#include "daemon/config/model.h"
#include "daemon/config/node.h"
#include "daemon/config/reader.h"

namespace limpet {

/// A time after which somebody is given up: above 0, or "off". 0 is not "off" here, as it is
/// elsewhere, and nobody wants what it would be.
[[nodiscard]] Duration load_patience(const ConfigReader& in, std::string_view key,
                                     Duration fallback, std::string_view help = {});
/// [daemon] [admin] [access_log] [keys] [limits] [timeouts]
void load_globals(const ConfigReader& root, Model& model);
/// [[listener]]
void load_listeners(const ConfigReader& root, Model& model);
/// [[route]]
void load_routes(const ConfigReader& root, Model& model);
/// [[module]]
void load_modules(const ConfigReader& root, Model& model);

/// Gives the table that a preset stands for.
using PresetTables = std::function<const Node&(Preset)>;
/// [pool.NAME]; after load_globals(), whose timeouts are the default of a pool's.
void load_pools(const ConfigReader& root, Ledger& ledger, const PresetTables& presets,
                Model& model);
/// `replicas` and [[pool.NAME.replica]]
void load_replicas(PoolModel& pool);

}  // namespace limpet
