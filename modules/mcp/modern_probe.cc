// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/modern_probe.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "daemon/base/text.h"
#include "modules/mcp/rpc_answer.h"

namespace limpet::mcp {

namespace {

// A ping belongs to no revision's version header: without one a request is of the session era.
constexpr std::string_view kPing = R"({"jsonrpc":"2.0","id":"limpet-ping","method":"ping"})";

// Servers with sessions answer a ping without one by an error of their own; those without sessions
// by one that only they have.
Speaks speaks_sessions_by_ping(std::uint16_t status, std::string_view content_type,
                               std::string_view body) {
  const Speaks said = speaks_sessions(status, content_type, body);
  if (said != Speaks::kUnknown || status != 400) return said;
  std::string holder;
  const std::string_view json = json_in(form_of(content_type), body, holder);
  const bool is_error = !json.empty() && read_answer(json).kind == RpcAnswer::Kind::kError;
  return is_error ? Speaks::kYes : Speaks::kUnknown;
}

bool is_rpc(const ResponseHead& head) noexcept {
  return form_of(head.fields.value(FieldName::kContentType)) != BodyForm::kOther;
}

}  // namespace

Speaks speaks_era(Era era, std::uint16_t status, std::string_view content_type,
                  std::string_view body) {
  return era == Era::kModern ? speaks_modern(status, content_type, body)
                             : speaks_sessions(status, content_type, body);
}

// One replica under question.
class EraProber::Probe final : public CallOwner {
 public:
  Probe(EraProber& prober, std::uint32_t index) : prober_(prober), index_(index) {
    call_ = prober_.ask(*this, discover_body(), era_);
  }

  [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
  [[nodiscard]] bool is_over() const noexcept { return call_ == nullptr; }

  void on_call_head(const ResponseHead& head) override {
    status_ = head.status;
    type_ = head.fields.value(FieldName::kContentType);
    body_.clear();
  }
  void on_call_body(std::string_view bytes) override {
    if (body_.size() + bytes.size() > kAnswerBytesMax) return end();
    body_ += bytes;
    // A stream may stay open behind its answer.
    if (form_of(type_) == BodyForm::kEvents &&
        (body_.find("\n\n") != std::string::npos || body_.find("\r\n\r\n") != std::string::npos))
      on_answer();
  }
  void on_call_end() override { on_answer(); }
  void on_call_failed(FailureCause) override { end(); }

 private:
  void on_answer() {
    ReplicaEras& eras = prober_.eras_.at(index_);
    if (era_ == Era::kSession) {
      eras.learn(Era::kSession, speaks_sessions_by_ping(status_, type_, body_));
      return end();
    }
    const Speaks modern = speaks_modern(status_, type_, body_);
    eras.learn(Era::kModern, modern);
    if (modern != Speaks::kYes) {
      if (modern == Speaks::kNo) eras.learn(Era::kSession, Speaks::kYes);
      return end();
    }
    era_ = Era::kSession;
    call_ = prober_.ask(*this, std::string(kPing), era_);
  }
  void end() {
    prober_.eras_.at(index_).was_asked.store(true, std::memory_order_relaxed);
    call_.reset();
  }

  EraProber& prober_;
  std::uint32_t index_;
  Era era_ = Era::kModern;
  std::uint16_t status_ = 0;
  std::string type_;
  std::string body_;
  std::unique_ptr<ReplicaCall> call_;
};

EraProber::EraProber(const PartContext& context, EraBook& book, EraFilter& eras) noexcept
    : context_(context), book_(book), eras_(eras) {}

EraProber::~EraProber() = default;

void EraProber::note_endpoint(const Exchange& exchange) {
  const bool tells = exchange.status == 200 || exchange.status == 400;
  if (!tells || exchange.response == nullptr || !is_rpc(*exchange.response)) return;
  if (target_ == exchange.request.path) return;
  target_ = exchange.request.path;
  authority_ = exchange.pool->forwards_client_host ? exchange.request.authority : "";
}

void EraProber::on_tick(Instant now) {
  std::erase_if(probes_, [](const auto& probe) { return probe->is_over(); });
  if (target_.empty() || context_.services.worker.calls() == nullptr) return;
  for (std::uint32_t i = 0; i < eras_.size(); ++i) {
    if (!is_due(i, now)) continue;
    // One worker asks for all.
    std::int64_t before = eras_.at(i).asked_ns.load(std::memory_order_relaxed);
    if (eras_.at(i).asked_ns.compare_exchange_strong(before, now.time_since_epoch().count()))
      probes_.push_back(std::make_unique<Probe>(*this, i));
  }
}

bool EraProber::is_due(std::uint32_t index, Instant now) const {
  ReplicaEras& eras = eras_.at(index);
  const Vitals& vitals = *context_.services.pool->replicas[index].vitals;
  eras.follow(vitals);
  if (vitals.health.load(std::memory_order_relaxed) == Health::kDown ||
      vitals.admin.load(std::memory_order_relaxed) == AdminState::kDown || vitals.is_ejected(now))
    return false;
  const std::int64_t asked_ns = eras.asked_ns.load(std::memory_order_relaxed);
  if (asked_ns == 0) return true;
  const Duration since = now - Instant(Duration(asked_ns));
  const bool is_known =
      eras.of(Era::kModern) != Speaks::kUnknown && eras.of(Era::kSession) != Speaks::kUnknown;
  return book_.matters(now) && since >= (is_known ? kAskAgainKnown : kAskAgainUnknown);
}

std::unique_ptr<ReplicaCall> EraProber::ask(Probe& probe, std::string body, Era era) {
  CallRequest request;
  request.pool = context_.services.pool;
  request.replica = &request.pool->replicas[probe.index()];
  request.authority = authority_;
  request.target = target_;
  request.body = std::move(body);
  request.head_within = request.silence_max = kAnswerWithin;
  request.fields = {{"accept", "application/json, text/event-stream"},
                    {"content-type", "application/json"},
                    {"user-agent", "limpet"}};
  if (era == Era::kModern) {
    request.fields.emplace_back("mcp-protocol-version", kFirstModernVersion);
    request.fields.emplace_back("mcp-method", "server/discover");
  }
  return context_.services.worker.calls()->call(std::move(request), probe);
}

void EraEar::listen(Exchange& exchange, ReplicaEras& eras, Era era) {
  const ResponseHead& head = *exchange.response;
  if (exchange.response_hook != nullptr || !is_rpc(head)) return;
  const bool is_discovery =
      era == Era::kModern && head.status == 200 &&
      text::trim(exchange.request.fields.value(FieldName::kMcpMethod)) == "server/discover";
  if (!is_discovery && head.status != 400) return;
  if (head.fields.find("content-encoding") != nullptr) return;
  char* const place = exchange.arena.allocate_text(kHeardBytesMax);
  exchange.response_hook = exchange.arena.make<EraEar>(exchange, eras, era, place);
}

std::string_view EraEar::on_body(std::string_view bytes, Buffer&) {
  const std::size_t room = kHeardBytesMax - heard_bytes_;
  is_too_long_ |= bytes.size() > room;
  const std::size_t taken = std::min(bytes.size(), room);
  std::memcpy(heard_ + heard_bytes_, bytes.data(), taken);
  heard_bytes_ += taken;
  return bytes;
}

std::string_view EraEar::on_end(Buffer&) {
  if (is_too_long_) return {};
  const std::string_view type = exchange_.response->fields.value(FieldName::kContentType);
  const Speaks said = speaks_era(era_, exchange_.status, type, {heard_, heard_bytes_});
  // An error of another kind says that the request was wrong, in words of its era.
  if (exchange_.status == 400 && era_ == Era::kSession && said != Speaks::kNo) return {};
  eras_.learn(era_, said);
  return {};
}

}  // namespace limpet::mcp
