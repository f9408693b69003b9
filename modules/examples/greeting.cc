// SPDX-License-Identifier: Apache-2.0
// An example: answers GET /greeting by itself and greets by the name in a header. README.md walks
// through it.
#include "modules/examples/greeting.h"

#include "daemon/base/text.h"

namespace limpet {
namespace {

class Greeting final : public Module {
 public:
  explicit Greeting(const std::string& header) : header_(header) {}

  Verdict on_request(Exchange& exchange) override {
    const RequestHead& request = exchange.request;
    if (request.method != Method::kGet || request.path != "/greeting") return Verdict::kNext;
    const Field* name = request.fields.find(header_);
    exchange.answer.status = 200;
    exchange.answer.content_type = "text/plain; charset=utf-8";
    exchange.answer.body =
        exchange.arena.join("Hello, ", name == nullptr ? "stranger" : name->value(), "!\n");
    return Verdict::kSettled;
  }

 private:
  const std::string& header_;  // the plan's, which outlives its modules
};

class GreetingPlan final : public ModulePlan {
 public:
  explicit GreetingPlan(std::string header) : header_(std::move(header)) {}
  [[nodiscard]] bool wants(Phase phase) const noexcept override { return phase == Phase::kRequest; }
  [[nodiscard]] std::unique_ptr<Module> start(const ModuleServices&) const override {
    return std::make_unique<Greeting>(header_);
  }

 private:
  std::string header_;
};

std::unique_ptr<const ModulePlan> read(ConfigReader settings, const PlanContext&) {
  const std::string header = settings.text("header", "x-name", "who is greeted");
  if (header.empty()) settings.mistake("header", "expected the name of a header");
  return std::make_unique<GreetingPlan>(text::to_lower(header));
}

}  // namespace

const ModuleKind kGreeting{"greeting", read};

}  // namespace limpet
