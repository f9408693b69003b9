// SPDX-License-Identifier: Apache-2.0
#pragma once
// LegacyPart: HTTP+SSE of revision 2024-11-05: a GET opens a stream whose first event names the URI
// that the client posts to, with the session's id in its query. The id is wrapped on its way
// (endpoint_rewriter.h); affinity takes it apart again in the POSTs, which are the part's own so
// that nobody takes them for calls of the later revisions: their answers come on the stream.

#include <optional>
#include <string>
#include <string_view>

#include "modules/mcp/endpoint_rewriter.h"
#include "modules/mcp/part.h"
#include "modules/mcp/pool_state.h"
#include "modules/mcp/sse_scanner.h"

namespace limpet::mcp {

/// The body of one stream on its way to the client. Its session lives as long as it does.
/// Borrows: the exchange and the pool's state.
class LegacyStream final : public PartNote, public ResponseHook, private SessionIdWrapper {
 public:
  LegacyStream(Exchange& exchange, const PartContext& context);
  ~LegacyStream() override;
  LegacyStream(const LegacyStream&) = delete;
  LegacyStream& operator=(const LegacyStream&) = delete;

  [[nodiscard]] std::string_view on_body(std::string_view bytes, Buffer& scratch) override;
  [[nodiscard]] std::string_view on_end(Buffer& scratch) override;
  /// Not before the endpoint is known: clients wait for it.
  [[nodiscard]] bool is_between() const noexcept override {
    return rewriter_.is_done() && scanner_.is_between_events();
  }
  /// The session ends with its stream: its client opens another one.
  [[nodiscard]] Mend on_lost(Exchange&, const Failure&, Buffer&) override { return Mend::kBreak; }
  [[nodiscard]] bool on_continued(Exchange&, const ResponseHead&) override { return false; }

 private:
  [[nodiscard]] std::string_view wrap(std::string_view original) override;
  void begin_session(std::string_view client_id, std::string_view original);

  Exchange& exchange_;
  const Replica& replica_;
  const PartContext& context_;
  WorkerHands& hands_;
  OpenStream open_;
  std::string client_id_;  // of the session; empty until the replica has named it
  EndpointRewriter rewriter_;
  SseScanner scanner_;
  std::string out_;
};

/// Says where sessions live whose ids are learnt; their loss is final, since a session is its
/// stream. A POST to one whose stream has ended goes to no replica: some never answer it.
/// Thread: its worker.
class LegacyPart final : public Part, private SessionCarrier, private Prelude {
 public:
  /// Bodies up to that size are looked at for the name of the client.
  static constexpr std::size_t kIntroductionBytesMax = 16 * 1024;

  explicit LegacyPart(const PartContext& context) noexcept : context_(context) {}

  [[nodiscard]] ClientEra era() const noexcept override { return ClientEra::kLegacy; }
  Taking on_request(Exchange& exchange) override;
  Verdict on_select(Exchange& exchange, Candidates& candidates) override;
  void on_response(Exchange& exchange) override;

 private:
  [[nodiscard]] Place find(Exchange& exchange, std::string_view client_id) override;
  /// Asked when the session's id has been read, before its replica hears of the request.
  std::optional<Result> begin(Exchange& exchange, Host& host) override;
  void cancel() noexcept override {}
  void note_introduction(const Exchange& exchange);

  PartContext context_;
};

}  // namespace limpet::mcp
