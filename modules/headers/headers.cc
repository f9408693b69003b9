// SPDX-License-Identifier: Apache-2.0
#include "modules/headers/headers.h"

#include <memory>
#include <utility>

#include "modules/headers/certificate_field.h"
#include "modules/headers/field_edit.h"

namespace limpet {
namespace {

struct HeaderSettings {
  FieldEdit request;
  CertificateField certificate;
  FieldEdit response;
};

class Headers final : public Module {
 public:
  explicit Headers(const HeaderSettings& settings) : settings_(settings) {}

  Verdict on_request(Exchange& exchange) override {
    settings_.request.apply(exchange.request.fields);
    if (!settings_.certificate.is_empty()) settings_.certificate.apply(exchange);
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

  [[nodiscard]] bool wants(Phase phase) const noexcept override {
    const bool changes_requests =
        !settings_.request.is_empty() || !settings_.certificate.is_empty();
    return (phase == Phase::kRequest && changes_requests) ||
           (phase == Phase::kResponse && !settings_.response.is_empty());
  }
  [[nodiscard]] std::unique_ptr<Module> start(const ModuleServices&) const override {
    return std::make_unique<Headers>(settings_);
  }

 private:
  HeaderSettings settings_;
};

std::unique_ptr<const ModulePlan> read(ConfigReader reader, const PlanContext& context) {
  const ConfigReader request = reader.table("request");
  HeaderSettings settings{FieldEdit::read(request), CertificateField::read(request, context.root),
                          FieldEdit::read(reader.table("response"))};
  return std::make_unique<HeadersPlan>(std::move(settings));
}

}  // namespace

const ModuleKind kHeaders{"headers", read};

}  // namespace limpet
