// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/probe_talk.h"

#include "daemon/http/grpc.h"

namespace limpet {

namespace {

ProbeResult result_of(ProbeResult::Kind kind) {
  ProbeResult result;
  result.kind = kind;
  return result;
}

}  // namespace

void ProbeTalk::ask(const ProbeSpec& spec, Version version, std::string_view own_name,
                    std::string_view scheme, Buffer& out) {
  forget();
  is_grpc_ = spec.type == ProbeSpec::Type::kGrpc;
  RequestHead head(arena_);
  head.method = is_grpc_ ? Method::kPost : Method::kGet;
  head.method_text = is_grpc_ ? "POST" : "GET";
  head.target = head.path = is_grpc_ ? kGrpcHealthPath : arena_.copy(spec.path);
  head.scheme = scheme;
  head.authority = arena_.copy(spec.host.empty() ? own_name : std::string_view(spec.host));
  head.fields.add(FieldName::kHost, head.authority);
  head.fields.add(FieldName::kUserAgent, "limpet-probe");
  std::string body;
  if (is_grpc_) {
    body = grpc_health_request(spec.service);
    head.body = {BodyLength::Kind::kUnknown, 0};
    head.accepts_trailers = true;
    head.fields.add(FieldName::kContentType, "application/grpc");
    head.fields.add(FieldName::kTe, "trailers");
  } else {
    head.fields.add(FieldName::kAccept, "*/*");
  }
  if (version == Version::kHttp1) {
    auto& codec = codec_.emplace<Http1Codec>(CodecRole::kClient, limits_);
    codec.close_after_this();
    codec.write_request_head(head, out);
    codec.write_end(nullptr, out);
    return;
  }
  auto& codec = codec_.emplace<Http2Codec>(CodecRole::kClient, limits_, settings_);
  stream_ = codec.write_request(head);
  if (!body.empty()) codec.write_body(stream_, body, out);
  if (head.body.kind != BodyLength::Kind::kNone) codec.write_end(stream_, nullptr);
  codec.collect(out, events_);
}

std::optional<ProbeResult> ProbeTalk::read(std::string_view bytes, Instant now, Buffer& out) {
  events_.clear();
  std::optional<ProbeResult> result;
  if (auto* http1 = std::get_if<Http1Codec>(&codec_)) {
    in_.append(bytes);
    const std::size_t used = http1->feed(in_.view(), *this, events_);
    for (const StreamEvent& event : events_) {
      result = take(event);
      if (result) break;
    }
    in_.consume(used);
    return result;
  }
  auto& http2 = std::get<Http2Codec>(codec_);
  http2.feed(bytes, now, *this, events_);
  for (const StreamEvent& event : events_) {
    if (event.stream != stream_ && event.kind != StreamEvent::Kind::kConcluded) continue;
    result = is_grpc_ ? take_grpc(event) : take(event);
    if (result) return result;
  }
  events_.clear();
  http2.collect(out, events_);
  return result;
}

// The head says it all; the body is of no interest. Limits of the codec bound the head.
std::optional<ProbeResult> ProbeTalk::take(const StreamEvent& event) {
  if (event.kind == StreamEvent::Kind::kFault || event.kind == StreamEvent::Kind::kConcluded)
    return result_of(ProbeResult::Kind::kBroken);
  if (event.kind != StreamEvent::Kind::kResponseHead) return std::nullopt;
  ProbeResult result = result_of(ProbeResult::Kind::kAnswered);
  result.status = event.response->status;
  result.incarnation = event.response->fields.value(FieldName::kLimpetIncarnation);
  return result;
}

// A gRPC answer is good when its status in the trailers is OK and its message says SERVING.
std::optional<ProbeResult> ProbeTalk::take_grpc(const StreamEvent& event) {
  const auto refused = [](const HeaderList& fields) {
    const auto status = grpc_status_in(fields);
    return status && *status != static_cast<std::uint32_t>(GrpcStatus::kOk);
  };
  switch (event.kind) {
    case StreamEvent::Kind::kResponseHead:
      if (event.response->status != 200 || refused(event.response->fields))
        return result_of(ProbeResult::Kind::kNotServing);
      has_status_ = grpc_status_in(event.response->fields).has_value();
      return std::nullopt;
    case StreamEvent::Kind::kBody:
      if (body_.size() + event.bytes.size() > kGrpcHealthBytesMax)
        return result_of(ProbeResult::Kind::kBroken);
      body_ += event.bytes;
      return std::nullopt;
    case StreamEvent::Kind::kTrailers:
      if (refused(*event.trailers)) return result_of(ProbeResult::Kind::kNotServing);
      has_status_ = has_status_ || grpc_status_in(*event.trailers).has_value();
      return std::nullopt;
    case StreamEvent::Kind::kEnd:
      return result_of(has_status_ && read_grpc_health(body_) == GrpcHealth::kServing
                           ? ProbeResult::Kind::kServing
                           : ProbeResult::Kind::kNotServing);
    case StreamEvent::Kind::kFault:
    case StreamEvent::Kind::kConcluded:
      return result_of(ProbeResult::Kind::kBroken);
    default:
      return std::nullopt;
  }
}

void ProbeTalk::forget() {
  in_.clear();
  events_.clear();
  body_.clear();
  arena_.reset();
  stream_ = 0;
  has_status_ = false;
}

}  // namespace limpet
