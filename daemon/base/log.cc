// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/log.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include <poll.h>
#include <unistd.h>

#include "daemon/base/text.h"
#include "daemon/base/timestamp.h"

namespace limpet::log {
namespace {

// A pipe takes up to PIPE_BUF bytes whole or not at all, and poll() promises room for as many.
constexpr std::size_t kLineBytesMax = 4096;
constexpr std::string_view kCut = "...";

std::atomic<Level> g_level{Level::kInfo};
std::atomic<Format> g_format{Format::kText};
std::mutex g_mutex;           // lines do not mix
std::uint64_t g_dropped = 0;  // under g_mutex
Timestamp g_timestamp;        // under g_mutex

std::string_view name_of(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      return "error";
  }
  return "error";
}

bool is_plain(std::string_view value) {
  if (value.empty()) return false;
  for (const char c : value) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

// Quotes and backslashes of a message are for people and stay; nothing ends at them.
void append_message(std::string& line, std::string_view message) {
  while (!message.empty()) {
    const std::size_t plain = std::min(message.find_first_of("\"\\"), message.size());
    text::append_escaped(line, message.substr(0, plain));
    line += message.substr(plain, 1);
    message.remove_prefix(std::min(plain + 1, message.size()));
  }
}

void append_text(std::string& line, std::string_view message,
                 std::initializer_list<LogField> fields) {
  append_message(line, message);
  for (const auto& [name, value] : fields) {
    line += ' ';
    line += name;
    line += '=';
    if (is_plain(value)) {
      line += value;
    } else {
      line += '"';
      text::append_escaped(line, value);
      line += '"';
    }
  }
}

void append_json(std::string& line, std::string_view name, std::string_view value) {
  line += ",\"";
  text::append_escaped(line, name);
  line += "\":\"";
  text::append_escaped(line, value);
  line += '"';
}

void append_line(std::string& out, Level level, std::string_view message,
                 std::initializer_list<LogField> fields) {
  const std::size_t start = out.size();
  const WallTime now = std::chrono::system_clock::now();
  if (g_format.load(std::memory_order_relaxed) == Format::kText) {
    g_timestamp.append_rfc3339(out, now);
    out += ' ';
    out += name_of(level);
    out += ' ';
    append_text(out, message, fields);
    if (out.size() - start >= kLineBytesMax) out.replace(start + kLineBytesMax - 4, out.npos, kCut);
  } else {
    // Quotes must balance, so a long message is cut before it is written, and fields that do not
    // fit are left out.
    out += "{\"time\":\"";
    g_timestamp.append_rfc3339(out, now);
    out += '"';
    append_json(out, "level", name_of(level));
    append_json(out, "message", message.substr(0, kLineBytesMax / 8));
    for (const auto& [name, value] : fields) {
      const std::size_t before = out.size();
      append_json(out, name, value);
      if (out.size() - start > kLineBytesMax - 2) out.resize(before);
    }
    out += '}';
  }
  out += '\n';
}

// False where the line would block or was refused.
bool put(std::string_view line) {
  pollfd ready{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return false;
  return ::write(STDERR_FILENO, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

}  // namespace

void configure(Level level, Format format) {
  g_level.store(level, std::memory_order_relaxed);
  g_format.store(format, std::memory_order_relaxed);
}

bool is_enabled(Level level) noexcept { return level >= g_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view message, std::initializer_list<LogField> fields) {
  const std::lock_guard lock(g_mutex);
  std::string line;
  if (g_dropped > 0) {
    const std::string count = std::to_string(g_dropped);
    append_line(line, Level::kWarning, "messages were dropped because standard error was not read",
                {{"dropped", count}});
    if (!put(line)) {
      ++g_dropped;
      return;
    }
    g_dropped = 0;
    line.clear();
  }
  append_line(line, level, message, fields);
  if (!put(line)) ++g_dropped;
}

}  // namespace limpet::log
