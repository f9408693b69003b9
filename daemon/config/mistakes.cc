// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/mistakes.h"

#include <algorithm>

#include "daemon/base/text.h"

namespace limpet {
namespace {

constexpr std::uint32_t kQuotedColumnsMax = 160;
constexpr std::uint32_t kColumnsBeforeCaret = 60;

bool is_continuation_byte(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; }

/// The byte at which code point `column` (from 1) begins, or the end.
std::size_t byte_of_column(std::string_view line, std::uint32_t column) {
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (is_continuation_byte(line[i])) continue;
    if (++at == column) return i;
  }
  return line.size();
}

/// Control bytes of a file must not reach the terminal.
std::string without_controls(std::string_view line) {
  std::string clean(line);
  std::replace_if(
      clean.begin(), clean.end(),
      [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }, '?');
  return clean;
}

void quote_line(Mistake& mistake, std::string_view line) {
  mistake.caret = mistake.column;
  std::string_view window = line;
  std::string before;
  if (mistake.column > kQuotedColumnsMax - kColumnsBeforeCaret) {
    window = line.substr(byte_of_column(line, mistake.column - kColumnsBeforeCaret));
    before = "...";
    mistake.caret = kColumnsBeforeCaret + 1 + 3;
  }
  const std::string_view cut = window.substr(0, byte_of_column(window, kQuotedColumnsMax + 1));
  mistake.source_line = before + without_controls(cut);
  if (cut.size() < window.size()) mistake.source_line += "...";
}

/// Blanks up to the caret; tabs stay tabs so that the caret stands right under its column.
std::string caret_line(const Mistake& mistake) {
  std::string out;
  std::uint32_t column = 1;
  for (const char c : mistake.source_line) {
    if (column >= mistake.caret) break;
    if (is_continuation_byte(c)) continue;
    out += c == '\t' ? '\t' : ' ';
    ++column;
  }
  while (column++ < mistake.caret)
    out += ' ';
  return out + '^';
}

}  // namespace

void Mistakes::add(Position position, std::string text) {
  if (given_up_.contains(position) || !seen_.emplace(position, text).second) return;
  Mistake mistake;
  mistake.position = position;
  mistake.file = sources_->name(position.file);
  mistake.line = position.line;
  mistake.column = position.column;
  mistake.text = std::move(text);
  if (position.line != 0) quote_line(mistake, sources_->line(position.file, position.line));
  mistakes_.push_back(std::move(mistake));
}

void Mistakes::give_up(Position position) {
  if (position.line != 0) given_up_.insert(position);
}

bool Mistakes::has_at(Position position) const {
  if (position.line == 0) return false;
  const auto at = seen_.lower_bound({position, {}});
  return at != seen_.end() && at->first == position;
}

std::vector<Mistake> Mistakes::sorted() const {
  std::vector<Mistake> all = mistakes_;
  std::stable_sort(all.begin(), all.end(),
                   [](const Mistake& a, const Mistake& b) { return a.position < b.position; });
  return all;
}

std::string Mistakes::render() const {
  std::string out;
  for (const Mistake& mistake : sorted()) {
    out += sources_->print(mistake.position) + ": error: " + mistake.text + '\n';
    if (mistake.line == 0) continue;
    out += mistake.source_line + '\n' + caret_line(mistake) + '\n';
  }
  return out;
}

std::string Mistakes::render_json() const {
  std::string out = "[";
  for (const Mistake& mistake : sorted()) {
    if (out.size() > 1) out += ',';
    out += "\n  {\"file\": \"" + text::escaped(mistake.file) +
           "\", \"line\": " + std::to_string(mistake.line) +
           ", \"column\": " + std::to_string(mistake.column) + ", \"text\": \"" +
           text::escaped(mistake.text) + "\", \"source\": \"" + text::escaped(mistake.source_line) +
           "\"}";
  }
  return out + (out.size() > 1 ? "\n]\n" : "]\n");
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::string_view near = text::nearest(word, candidates);
  if (near.empty()) return {};
  return ", did you mean \"" + std::string(near) + "\"?";
}

}  // namespace limpet
