// SPDX-License-Identifier: Apache-2.0
#pragma once
// LegacyPart: HTTP+SSE of revision 2024-11-05: a GET opens a stream whose first event names the URI
// that the client posts to, with the session's id in its query. The id is wrapped on its way
// (endpoint_rewriter.h); affinity takes it apart again in the POSTs, which are the part's own so
// that nobody takes them for calls of the later revisions: their answers come on the stream.

#include <string>
#include <string_view>

#include "modules/mcp/endpoint_rewriter.h"
#include "modules/mcp/part.h"
#include "modules/mcp/sse_scanner.h"

namespace limpet::mcp {

/// The body of one stream on its way to the client.
/// Borrows: the exchange, and the store where ids are learnt.
class LegacyStream final : public PartNote, public ResponseHook, private SessionIdWrapper {
 public:
  LegacyStream(Exchange& exchange, const PartContext& context) noexcept
      : exchange_(exchange), context_(context), rewriter_(*this) {}

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

  Exchange& exchange_;
  const PartContext& context_;
  EndpointRewriter rewriter_;
  SseScanner scanner_;
  std::string out_;
};

/// Says where sessions live whose ids are learnt; their loss is final, since a session is its
/// stream.
/// Thread: its worker.
class LegacyPart final : public Part, private SessionCarrier {
 public:
  explicit LegacyPart(const PartContext& context) noexcept : context_(context) {}

  Taking on_request(Exchange& exchange) override;
  void on_response(Exchange& exchange) override;

 private:
  [[nodiscard]] Place find(Exchange& exchange, std::string_view client_id) override;

  PartContext context_;
};

}  // namespace limpet::mcp
