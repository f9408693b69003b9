// SPDX-License-Identifier: Apache-2.0
#include "modules/request_id/request_id.h"

#include <algorithm>
#include <array>
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

constexpr auto kHexPairs = [] {
  std::array<std::array<char, 2>, 256> pairs{};
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < pairs.size(); ++i)
    pairs[i] = {kDigits[i >> 4], kDigits[i & 15]};
  return pairs;
}();

std::string_view make_id(Arena& arena, Random& random) {
  char* const text = arena.allocate_text(kIdDigits);
  char* at = text;
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = random.next();
    for (int i = 0; i < 8; ++i, bits >>= 8, at += 2)
      std::memcpy(at, kHexPairs[bits & 255].data(), 2);
  }
  return {text, kIdDigits};
}

class RequestId final : public Module {
 public:
  RequestId(const RequestIdSettings& settings, WorkerServices& worker)
      : settings_(settings), worker_(worker) {}

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
    exchange.request_id = make_id(exchange.arena, worker_.random);
    fields.add(settings_.field, settings_.name, exchange.request_id);
    return Verdict::kNext;
  }

  Verdict on_response(Exchange& exchange) override {
    if (exchange.request_id.empty()) return Verdict::kNext;
    remove(exchange.response->fields);
    exchange.response->fields.add(settings_.field, settings_.name, exchange.request_id);
    return Verdict::kNext;
  }

 private:
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
};

class RequestIdPlan final : public ModulePlan {
 public:
  explicit RequestIdPlan(RequestIdSettings settings) : settings_(std::move(settings)) {}

  bool wants(Phase phase) const noexcept override {
    return phase == Phase::kRequest || phase == Phase::kResponse;
  }
  std::unique_ptr<Module> start(const ModuleServices& services) const override {
    return std::make_unique<RequestId>(settings_, services.worker);
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
