// SPDX-License-Identifier: Apache-2.0
#pragma once
// ProbeTalk: one question of a probe and its answer, in HTTP/1 or HTTP/2: bytes in, bytes out, a
// result. No socket, no time. Neighbour: probe.h connects, waits and judges.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/arena.h"
#include "daemon/base/buffer.h"
#include "daemon/http/codec.h"
#include "daemon/module/probe.h"

namespace limpet {

/// One conversation; used again for the next one.
class ProbeTalk final : private HeadHome {
 public:
  enum class Version : std::uint8_t { kHttp1, kHttp2 };
  ProbeTalk() : codec_(Http1Codec(CodecRole::kClient, limits_)) {}

  /// Writes the question. `own_name` is the Host where the spec has none; `scheme` is of the
  /// connection.
  void ask(const ProbeSpec& spec, Version version, std::string_view own_name,
           std::string_view scheme, Buffer& out);
  /// Reads of the answer; what has to be said meanwhile goes to `out`. A result as soon as there is
  /// one. Borrows: the result points into this until the next call.
  [[nodiscard]] std::optional<ProbeResult> read(std::string_view bytes, Instant now, Buffer& out);
  void forget();

 private:
  Arena& arena_for(std::uint32_t) override { return arena_; }
  [[nodiscard]] std::optional<ProbeResult> take(const StreamEvent& event);
  [[nodiscard]] std::optional<ProbeResult> take_grpc(const StreamEvent& event);

  CodecLimits limits_;
  Http2Settings settings_;
  Codec codec_;
  Arena arena_;
  Buffer in_;
  std::string body_;  ///< of a gRPC answer, at most kGrpcHealthBytesMax
  StreamEvents events_;
  std::uint32_t stream_ = 0;
  bool is_grpc_ = false;
  bool has_status_ = false;  ///< a gRPC answer has said grpc-status
};

}  // namespace limpet
