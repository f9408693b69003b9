// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/rpc_glance.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "daemon/base/text.h"
#include "modules/mcp/byte_scan.h"
#include "modules/mcp/json.h"

namespace limpet::mcp {

namespace {

constexpr std::size_t kOthersMax = 4;
constexpr unsigned kDepthMax = 64;
constexpr std::size_t kDigitsMax = 15;

// The keys that say what a message is.
enum class Key : std::uint8_t { kId, kName, kError, kMethod, kParams, kResult, kVersion, kOther };

// With its length known, a name is compared in a word or two.
template <std::size_t kSize>
[[nodiscard]] bool is(std::string_view key, const char (&name)[kSize]) noexcept {
  return std::memcmp(key.data(), name, kSize - 1) == 0;
}

Key key_of(std::string_view text) noexcept {
  switch (text.size()) {
    case 2:
      return is(text, "id") ? Key::kId : Key::kOther;
    case 4:
      return is(text, "name") ? Key::kName : Key::kOther;
    case 5:
      return is(text, "error") ? Key::kError : Key::kOther;
    case 6:
      if (is(text, "method")) return Key::kMethod;
      if (is(text, "params")) return Key::kParams;
      return is(text, "result") ? Key::kResult : Key::kOther;
    case 7:
      return is(text, "jsonrpc") ? Key::kVersion : Key::kOther;
    default:
      return Key::kOther;
  }
}

// What numbers, true, false and null are written with.
constexpr std::array<bool, 256> kIsScalar = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("+-.0123456789Eaeflnrstu"))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}();

struct Value {
  JsonKind kind = JsonKind::kNull;
  std::string_view raw;  // of a text: without its quotes; of objects and arrays: nothing
};

// The members of one object.
class Level {
 public:
  [[nodiscard]] bool has(Key key) const noexcept {
    return (present_ >> static_cast<unsigned>(key) & 1U) != 0;
  }
  [[nodiscard]] const Value& at(Key key) const noexcept {
    return values_[static_cast<std::size_t>(key)];
  }
  // The text of that member; empty where it is missing or something else.
  [[nodiscard]] std::string_view text(Key key) const noexcept {
    return at(key).kind == JsonKind::kText ? at(key).raw : std::string_view{};
  }
  // The place for a member's value, or null where the key is there already, or too many are.
  [[nodiscard]] Value* make(Key key, std::string_view name) noexcept {
    if (key != Key::kOther) {
      if (has(key)) return nullptr;
      present_ |= 1U << static_cast<unsigned>(key);
    } else {
      for (std::size_t i = 0; i < others_count_; ++i) {
        if (text::equals(others_[i], name)) return nullptr;
      }
      if (others_count_ == kOthersMax) return nullptr;
      others_[others_count_++] = name;
    }
    return &values_[static_cast<std::size_t>(key)];
  }

 private:
  std::array<Value, static_cast<std::size_t>(Key::kOther) + 1> values_;  // the last is any other's
  std::array<std::string_view, kOthersMax> others_;
  std::size_t others_count_ = 0;
  unsigned present_ = 0;
};

// Every step says whether it found what it was looking for, in the plain way of writing it.
class Reader {
 public:
  explicit Reader(std::string_view json) noexcept
      : at_(json.data()), end_(json.data() + json.size()) {}

  [[nodiscard]] bool read_message(Level& message, Level& params) noexcept {
    skip_space();
    if (!read_object(message, &params)) return false;
    skip_space();
    return at_ == end_;
  }
  [[nodiscard]] bool is_ascii() const noexcept { return is_ascii_; }

 private:
  [[nodiscard]] bool is_at(char c) const noexcept { return at_ != end_ && *at_ == c; }
  [[nodiscard]] bool take(char c) noexcept {
    if (!is_at(c)) return false;
    ++at_;
    return true;
  }
  void skip_space() noexcept {
    while (at_ != end_ && *at_ <= ' ' &&
           (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t'))
      ++at_;
  }

  [[nodiscard]] bool read_object(Level& level, Level* params) noexcept {
    if (!take('{')) return false;
    skip_space();
    if (take('}')) return true;
    do {
      skip_space();
      if (!read_member(level, params)) return false;
      skip_space();
    } while (take(','));
    return take('}');
  }

  [[nodiscard]] bool read_member(Level& level, Level* params) noexcept {
    std::string_view name;
    if (!read_text(name)) return false;
    skip_space();
    if (!take(':')) return false;
    skip_space();
    const Key key = key_of(name);
    Value* value = level.make(key, name);
    if (value == nullptr) return false;
    if (params == nullptr || key != Key::kParams || !is_at('{')) return read_value(*value);
    value->kind = JsonKind::kObject;
    return read_object(*params, nullptr);
  }

  [[nodiscard]] bool read_value(Value& value) noexcept {
    if (at_ == end_) return false;
    switch (*at_) {
      case '"':
        value.kind = JsonKind::kText;
        return read_text(value.raw);
      case '{':
      case '[':
        value.kind = *at_ == '{' ? JsonKind::kObject : JsonKind::kArray;
        return skip_nested();
      default:
        value.kind = JsonKind::kNumber;
        return read_number(value.raw);
    }
  }

  // A whole number of not too many digits; others, and the literals, are no part of a plain call.
  [[nodiscard]] bool read_number(std::string_view& raw) noexcept {
    const char* const begin = at_;
    while (at_ != end_ && text::is_digit(*at_))
      ++at_;
    raw = {begin, static_cast<std::size_t>(at_ - begin)};
    return !raw.empty() && raw.size() <= kDigitsMax && (raw.front() != '0' || raw.size() == 1);
  }

  [[nodiscard]] bool read_text(std::string_view& inside) noexcept {
    if (!take('"')) return false;
    const char* const begin = at_;
    seek_end_of_text();
    inside = {begin, static_cast<std::size_t>(at_ - begin)};
    return take('"');
  }

  // Escapes are jumped over here: what stands in the arguments of a call is not asked for.
  [[nodiscard]] bool skip_text() noexcept {
    for (;;) {
      seek_end_of_text();
      if (take('"')) return true;
      if (!take('\\') || at_ == end_) return false;
      if (std::string_view("\"\\/bfnrtu").find(*at_) == std::string_view::npos) return false;
      ++at_;
    }
  }

  // The objects and arrays that are open: one bit of each, set for an object.
  struct Nest {
    std::uint64_t is_object = 0;
    unsigned depth = 0;
  };

  // An object or an array with all that is in it.
  [[nodiscard]] bool skip_nested() noexcept {
    Nest nest;
    do {
      if (at_ == end_) return false;
      const char c = *at_;
      if (c == '{' || c == '[') {
        ++at_;
        if (++nest.depth > kDepthMax) return false;
        nest.is_object = nest.is_object << 1U | (c == '{' ? 1U : 0U);
        skip_space();
        if (!is_at(c == '{' ? '}' : ']')) {
          if (c == '{' && !skip_key()) return false;
          continue;
        }
      } else if (c == '"') {
        ++at_;
        if (!skip_text()) return false;
      } else if (!skip_scalar()) {
        return false;
      }
      if (!skip_ends(nest)) return false;
    } while (nest.depth > 0);
    return true;
  }

  // What stands between a value and the next one.
  [[nodiscard]] bool skip_ends(Nest& nest) noexcept {
    skip_space();
    while (nest.depth > 0 && take((nest.is_object & 1U) != 0 ? '}' : ']')) {
      nest.is_object >>= 1U;
      --nest.depth;
      skip_space();
    }
    if (nest.depth == 0) return true;
    if (!take(',')) return false;
    skip_space();
    return (nest.is_object & 1U) == 0 || skip_key();
  }

  [[nodiscard]] bool skip_key() noexcept {
    if (!take('"') || !skip_text()) return false;
    skip_space();
    if (!take(':')) return false;
    skip_space();
    return true;
  }

  [[nodiscard]] bool skip_scalar() noexcept {
    const char* const begin = at_;
    while (at_ != end_ && kIsScalar[static_cast<unsigned char>(*at_)])
      ++at_;
    return at_ != begin;
  }

  void seek_end_of_text() noexcept {
    const PlainText found = scan_text(at_, end_);
    at_ = found.end;
    is_ascii_ &= found.is_ascii;
  }

  const char* at_;
  const char* end_;
  bool is_ascii_ = true;
};

// As it stands in the body; empty for what is no id.
std::string_view id_of(const Level& message) noexcept {
  const Value& id = message.at(Key::kId);
  if (id.kind == JsonKind::kNumber) return id.raw;
  if (id.kind != JsonKind::kText) return {};
  return {id.raw.data() - 1, id.raw.size() + 2};
}

// An answer has no method, and an error in it is an object.
RpcKind kind_of(const Level& message, std::string_view id) noexcept {
  if (id.size() > kIdBytesMax) return RpcKind::kUnreadable;
  const bool has_error = message.has(Key::kError);
  const bool is_answer = has_error || message.has(Key::kResult);
  if (!message.has(Key::kMethod)) {
    const bool is_odd = has_error && message.at(Key::kError).kind != JsonKind::kObject;
    return is_answer && !is_odd ? RpcKind::kResponse : RpcKind::kUnreadable;
  }
  if (is_answer || message.at(Key::kMethod).kind != JsonKind::kText) return RpcKind::kUnreadable;
  if (!message.has(Key::kId)) return RpcKind::kNotification;
  return id.empty() ? RpcKind::kUnreadable : RpcKind::kRequest;
}

}  // namespace

std::optional<RpcGlance> glance_at(std::string_view body) noexcept {
  Reader reader(body);
  Level message;
  Level params;
  if (body.size() > kMessageBytesMax || !reader.read_message(message, params)) return std::nullopt;
  if (message.text(Key::kVersion) != "2.0") return std::nullopt;
  RpcGlance glance;
  glance.id = id_of(message);
  glance.kind = kind_of(message, glance.id);
  if (glance.kind == RpcKind::kUnreadable) return std::nullopt;
  if (message.has(Key::kMethod)) {
    glance.method = method_of(message.text(Key::kMethod));
    glance.name = params.text(Key::kName);
  }
  if (!reader.is_ascii() && !is_utf8(body)) return std::nullopt;
  return glance;
}

}  // namespace limpet::mcp
