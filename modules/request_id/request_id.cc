// SPDX-License-Identifier: Apache-2.0
#include "modules/request_id/request_id.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "daemon/base/text.h"
#include "daemon/http/char_class.h"
#include "daemon/module/own_fields.h"

namespace limpet {
namespace {

constexpr std::size_t kIdBytesMax = 128;
constexpr std::size_t kIdDigits = 32;

enum class Trust : std::uint8_t { kListener, kAlways, kNever };

struct RequestIdSettings {
  std::string name;  ///< of the field, lower case
  FieldName field = FieldName::kXRequestId;
  Trust trust = Trust::kListener;
};

bool is_well_formed(std::string_view id) noexcept {
  return !id.empty() && id.size() <= kIdBytesMax &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c <= '~'; });
}

using Bytes [[gnu::vector_size(16)]] = signed char;
using Words [[gnu::vector_size(16)]] = std::uint64_t;

// 16 bytes as 32 digits, all at once.
void put_hex(char* at, std::uint64_t first, std::uint64_t second) noexcept {
  const Words words = {first, second};
  constexpr std::uint64_t kLowNibbles = 0x0f0f0f0f0f0f0f0f;
  const auto digits = [](Words nibbles) -> Bytes {
    const auto values = reinterpret_cast<Bytes>(nibbles);
    const Bytes letters = reinterpret_cast<Bytes>(values > 9) & ('a' - '9' - 1);
    return values + '0' + letters;
  };
  const Bytes high = digits(words >> 4 & kLowNibbles);
  const Bytes low = digits(words & kLowNibbles);
  const Bytes front =
      __builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const Bytes back = __builtin_shufflevector(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                             29, 14, 30, 15, 31);
  std::memcpy(at, &front, sizeof front);
  std::memcpy(at + sizeof front, &back, sizeof back);
}

class RequestId final : public Module {
 public:
  RequestId(const RequestIdSettings& settings, const ModuleServices& services)
      : settings_(settings),
        worker_(services.worker),
        slot_(services.slot),
        name_bytes_(settings.name.size()) {
    if (name_bytes_ + 2 > start_.size()) return;
    std::memcpy(start_.data(), settings.name.data(), name_bytes_);
    std::memcpy(start_.data() + name_bytes_, ": ", 2);
  }

  Verdict on_request(Exchange& exchange) override {
    HeaderList& fields = exchange.request.fields;
    const Field* given = find(fields);
    if (given != nullptr) {
      if (is_trusted(exchange.client) && is_well_formed(given->value())) {
        exchange.request_id = given->value();
        return Verdict::kNext;
      }
      remove(fields);
    }
    const std::string_view line = make_line(exchange.arena);
    exchange.request_id = {line.data() + name_bytes_ + 2, kIdDigits};
    exchange.notes[slot_] = const_cast<char*>(line.data());
    fields.add_line(settings_.field, line, name_bytes_);
    return Verdict::kNext;
  }

  Verdict on_response(Exchange& exchange) override {
    if (exchange.request_id.empty()) return Verdict::kNext;
    HeaderList& fields = exchange.response->fields;
    remove(fields);
    // The line made for the request serves once more.
    if (const auto* line = static_cast<const char*>(exchange.notes[slot_])) {
      fields.add_line(settings_.field, {line, line_bytes()}, name_bytes_);
    } else {
      fields.add(settings_.field, settings_.name, exchange.request_id);
    }
    return Verdict::kNext;
  }

 private:
  [[nodiscard]] std::size_t line_bytes() const noexcept { return name_bytes_ + 2 + kIdDigits + 2; }
  // The field line with a new id.
  [[nodiscard]] std::string_view make_line(Arena& arena) {
    char* const line = arena.allocate_text(line_bytes());
    char* const at = line + name_bytes_ + 2;
    if (name_bytes_ + 2 <= start_.size()) [[likely]] {
      std::memcpy(line, start_.data(), start_.size());
    } else {
      std::memcpy(line, settings_.name.data(), name_bytes_);
      std::memcpy(at - 2, ": ", 2);
    }
    const std::uint64_t first = worker_.random.next();
    put_hex(at, first, worker_.random.next());
    std::memcpy(at + kIdDigits, "\r\n", 2);
    return {line, line_bytes()};
  }
  [[nodiscard]] bool is_trusted(const ClientFacts& client) const noexcept {
    return settings_.trust == Trust::kAlways ||
           (settings_.trust == Trust::kListener && client.is_trusted);
  }
  [[nodiscard]] const Field* find(const HeaderList& fields) const noexcept {
    return settings_.field == FieldName::kOther ? fields.find(settings_.name)
                                                : fields.find(settings_.field);
  }
  void remove(HeaderList& fields) const noexcept {
    if (settings_.field == FieldName::kOther) {
      fields.remove(settings_.name);
    } else {
      fields.remove(settings_.field);
    }
  }

  const RequestIdSettings& settings_;
  WorkerServices& worker_;
  std::size_t slot_;
  std::size_t name_bytes_;
  std::array<char, 16> start_{};  // of the line, where it is no longer; the digits go behind it
};

class RequestIdPlan final : public ModulePlan {
 public:
  explicit RequestIdPlan(RequestIdSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] bool wants(Phase phase) const noexcept override {
    return phase == Phase::kRequest || phase == Phase::kResponse;
  }
  [[nodiscard]] std::unique_ptr<Module> start(const ModuleServices& services) const override {
    return std::make_unique<RequestId>(settings_, services);
  }

 private:
  RequestIdSettings settings_;
};

std::unique_ptr<const ModulePlan> read(ConfigReader reader, const PlanContext&) {
  RequestIdSettings settings;
  const std::string name = reader.text("header", "X-Request-Id", "the field that carries the id");
  settings.name = text::to_lower(name);
  settings.field = known_name(settings.name);
  if (!chars::is_token(name)) {
    reader.mistake("header", "\"" + text::escaped(name) + "\" is not a field name");
  } else if (const auto refusal = refusal_of_field(settings.name); !refusal.empty()) {
    reader.mistake("header", "\"" + name + "\" cannot be changed: " + std::string(refusal));
  }
  settings.trust = reader.choice(
      "trust", Trust::kListener,
      {{"listener", Trust::kListener}, {"always", Trust::kAlways}, {"never", Trust::kNever}},
      "whose ids are kept: clients in the listener's trusted networks, all, nobody");
  return std::make_unique<RequestIdPlan>(std::move(settings));
}

}  // namespace

const ModuleKind kRequestId{"request_id", read};

}  // namespace limpet
