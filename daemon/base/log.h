// SPDX-License-Identifier: Apache-2.0
#pragma once
// Log: the daemon's own messages to its operator, to standard error, as text or JSON. Each says
// what, where, what was expected, what to do. Not the access log (base/line_writer.h,
// modules/access_log).

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace limpet::log {

enum class Level : unsigned char { kDebug, kInfo, kWarning, kError };
enum class Format : unsigned char { kText, kJson };

/// A named value behind the message: {"pool", "web"}.
using LogField = std::pair<std::string_view, std::string_view>;

/// Chooses level and form, at start and at reload.
/// Thread: main.
void configure(Level level, Format format);
[[nodiscard]] bool is_enabled(Level level) noexcept;
/// Writes one line.
/// Thread: any; lines do not mix. Never blocks on a full pipe: drops and counts instead.
void write(Level level, std::string_view message, std::initializer_list<LogField> fields = {});

inline void debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
  if (is_enabled(Level::kDebug)) write(Level::kDebug, message, fields);
}
inline void info(std::string_view message, std::initializer_list<LogField> fields = {}) {
  if (is_enabled(Level::kInfo)) write(Level::kInfo, message, fields);
}
inline void warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
  if (is_enabled(Level::kWarning)) write(Level::kWarning, message, fields);
}
inline void error(std::string_view message, std::initializer_list<LogField> fields = {}) {
  write(Level::kError, message, fields);
}

}  // namespace limpet::log
