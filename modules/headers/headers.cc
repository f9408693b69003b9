// SPDX-License-Identifier: Apache-2.0
#include "modules/headers/headers.h"

#include <memory>
#include <utility>

#include "modules/headers/field_edit.h"

namespace limpet {
namespace {

struct HeaderSettings {
  FieldEdit request;
  FieldEdit response;
};

class Headers final : public Module {
 public:
  explicit Headers(const HeaderSettings& settings) : settings_(settings) {}

  Verdict on_request(Exchange& exchange) override {
    settings_.request.apply(exchange.request.fields);
    return Verdict::kNext;
  }
  Verdict on_response(Exchange& exchange) override {
    settings_.response.apply(exchange.response->fields);
    return Verdict::kNext;
  }

 private:
  const HeaderSettings& settings_;
};

class HeadersPlan final : public ModulePlan {
 public:
  explicit HeadersPlan(HeaderSettings settings) : settings_(std::move(settings)) {}

  bool wants(Phase phase) const noexcept override {
    return (phase == Phase::kRequest && !settings_.request.is_empty()) ||
           (phase == Phase::kResponse && !settings_.response.is_empty());
  }
  std::unique_ptr<Module> start(const ModuleServices&) const override {
    return std::make_unique<Headers>(settings_);
  }

 private:
  HeaderSettings settings_;
};

std::unique_ptr<const ModulePlan> read(ConfigReader reader, const PlanContext&) {
  HeaderSettings settings{FieldEdit::read(reader.table("request")),
                          FieldEdit::read(reader.table("response"))};
  return std::make_unique<HeadersPlan>(std::move(settings));
}

}  // namespace

const ModuleKind kHeaders{"headers", read};

}  // namespace limpet
