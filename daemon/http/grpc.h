// SPDX-License-Identifier: Apache-2.0
#pragma once
// grpc: what limpet has to know of gRPC to answer its clients in their own way and to ask replicas
// for their health: recognising a call, status codes, the coding of grpc-message, and the two
// messages of grpc.health.v1.Health/Check. Calls themselves are carried unread. Neighbours:
// local_answer.h makes the answers, proxy/probe.cc sends the health checks.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/http/message.h"

namespace limpet {

/// The status codes of gRPC that limpet itself gives or asks about.
enum class GrpcStatus : std::uint8_t {
  kOk = 0,
  kUnknown = 2,
  kDeadlineExceeded = 4,
  kPermissionDenied = 7,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

/// Whether a Content-Type is that of gRPC: application/grpc, alone or with +proto and the like; not
/// application/grpc-web, whose clients read plain HTTP answers.
[[nodiscard]] bool is_grpc(std::string_view content_type) noexcept;
/// Whether the request is a call of gRPC.
[[nodiscard]] bool is_grpc(const RequestHead& request) noexcept;

/// The code for an answer of limpet's own under that HTTP status, as gRPC clients map it themselves
/// where they see no code; but 504, which limpet gives when a replica was silent for too long, is
/// DEADLINE_EXCEEDED: the call may have been processed, and UNAVAILABLE would invite a repetition.
[[nodiscard]] GrpcStatus grpc_status_for(std::uint16_t http_status) noexcept;

/// The grpc-status among `fields` (trailers, or the head of an answer without a body), or nothing
/// where it is missing or no number.
[[nodiscard]] std::optional<std::uint32_t> grpc_status_in(const HeaderList& fields) noexcept;

/// Appends `text` in the percent-encoding of grpc-message: visible ASCII but "%" stays.
void append_grpc_message(std::string& out, std::string_view text);

/// What a replica says about a service.
enum class GrpcHealth : std::uint8_t {
  kNeedsMore,   ///< the message is not whole yet
  kServing,     ///< SERVING
  kNotServing,  ///< any other status
  kMalformed,   ///< no message of that kind, or more than one
};

/// The path of a health check, which is a POST.
inline constexpr std::string_view kGrpcHealthPath = "/grpc.health.v1.Health/Check";
/// The most bytes the answer to a health check may have.
inline constexpr std::size_t kGrpcHealthBytesMax = 1024;
/// The longest name of a service that can be asked for.
inline constexpr std::size_t kGrpcServiceBytesMax = 1024;

/// The body of a health check for `service`; "" asks for the replica as a whole. A longer name than
/// kGrpcServiceBytesMax is cut off there: configurations refuse it.
[[nodiscard]] std::string grpc_health_request(std::string_view service);

/// Reads the answer's body, all that came so far. Bytes behind the message make it malformed.
[[nodiscard]] GrpcHealth read_grpc_health(std::string_view body) noexcept;

}  // namespace limpet
