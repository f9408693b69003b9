// SPDX-License-Identifier: Apache-2.0
#pragma once
// codec_fixture: what the tests of the HTTP/1 codec share: a home for heads, feeding in pieces, and
// a one-line account of everything a codec said, so that a test is a comparison of two texts.
// Not a test itself.

#include <list>
#include <string>
#include <string_view>

#include "daemon/http/http1_codec.h"

namespace limpet::test {

/// Keeps every arena until the end of the test.
class Home : public HeadHome {
 public:
  [[nodiscard]] Arena& arena_for(std::uint32_t) override { return arenas_.emplace_back(); }

 private:
  std::list<Arena> arenas_;
};

/// The fields that are not removed, as "name=value|name=value".
[[nodiscard]] inline std::string fields_text(const HeaderList& list) {
  std::string text;
  for (const Field& field : list.fields()) {
    if (field.is_removed()) continue;
    if (!text.empty()) text += '|';
    text.append(field.name()).append("=").append(field.value());
  }
  return text;
}

[[nodiscard]] inline std::string body_text(BodyLength body) {
  switch (body.kind) {
    case BodyLength::Kind::kNone:
      return "none";
    case BodyLength::Kind::kKnown:
      return std::to_string(body.bytes);
    case BodyLength::Kind::kUnknown:
      return "unknown";
    case BodyLength::Kind::kTunnel:
      return "tunnel";
  }
  return "?";
}

/// A codec with a home and the bytes that it has not used.
class Reader {
 public:
  explicit Reader(CodecRole role, CodecLimits limits = {})
      : limits_(limits), codec_(role, limits_) {}

  /// Feeds `bytes` behind what is left and writes down what the codec says; body pieces in a row
  /// become one.
  Reader& feed(std::string_view bytes) {
    pending_.append(bytes);
    StreamEvents events;
    const std::size_t used = codec_.feed(pending_, home_, events);
    for (const StreamEvent& event : events)
      note(event);
    pending_.erase(0, used);
    return *this;
  }
  Reader& feed_bytewise(std::string_view bytes) {
    for (const char c : bytes)
      feed({&c, 1});
    return *this;
  }
  Reader& end() {
    StreamEvents events;
    codec_.on_end_of_bytes(events);
    for (const StreamEvent& event : events)
      note(event);
    return *this;
  }
  /// Writes a request, so that a client codec expects a response.
  Reader& ask(Method method = Method::kGet, std::string_view upgrade = {}) {
    RequestHead head(home_.arena_for(0));
    head.method = method;
    head.method_text = method == Method::kHead      ? "HEAD"
                       : method == Method::kConnect ? "CONNECT"
                                                    : "GET";
    head.target = "/";
    head.authority = "a.example";
    head.upgrade = upgrade;
    Buffer out;
    codec_.write_request_head(head, out);
    codec_.write_end(nullptr, out);
    return *this;
  }
  /// Reads one message after the other, as a connection does that answers each.
  Reader& feed_all(std::string_view bytes) {
    feed(bytes);
    while (codec_.has_read_message() && codec_.keeps_alive() && !pending_.empty()) {
      codec_.next_message();
      const std::size_t before = pending_.size();
      feed({});
      if (pending_.size() == before) break;
    }
    return *this;
  }

  /// What a reload does to a codec in the midst of its work.
  Reader& limit(const CodecLimits& limits) {
    limits_ = limits;
    return *this;
  }

  [[nodiscard]] const std::string& said() const { return said_; }
  [[nodiscard]] const std::string& pending() const { return pending_; }
  [[nodiscard]] Http1Codec& codec() { return codec_; }
  [[nodiscard]] const RequestHead& request() const { return *request_; }
  [[nodiscard]] const ResponseHead& response() const { return *response_; }
  [[nodiscard]] const HeaderList& trailers() const { return *trailers_; }
  [[nodiscard]] const std::string& body() const { return body_; }
  [[nodiscard]] Fault fault() const { return fault_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] int requests() const { return requests_; }

 private:
  void note(const StreamEvent& event) {
    using Kind = StreamEvent::Kind;
    if (event.kind != Kind::kBody) in_body_ = false;
    switch (event.kind) {
      case Kind::kRequestHead:
        request_ = event.request;
        ++requests_;
        said_.append("request ").append(request_->method_text).append(" ").append(request_->target);
        said_ += " " + body_text(request_->body) + "; ";
        break;
      case Kind::kResponseHead:
      case Kind::kInformational:
        response_ = event.response;
        said_ += event.kind == Kind::kInformational ? "informational " : "response ";
        said_ += std::to_string(response_->status) + " " + body_text(response_->body) + "; ";
        break;
      case Kind::kBody:
        body_.append(event.bytes);
        if (!in_body_) said_ += "body; ";
        in_body_ = true;
        break;
      case Kind::kTrailers:
        trailers_ = event.trailers;
        said_ += "trailers " + fields_text(*trailers_) + "; ";
        break;
      case Kind::kEnd:
        said_ += "end; ";
        break;
      case Kind::kFault:
        fault_ = event.fault;
        reason_ = event.reason;
        said_ += "fault " + std::to_string(status_of(fault_)) + "; ";
        break;
      case Kind::kDrained:
      case Kind::kConcluded:
      case Kind::kGoaway:
        said_ += "goaway; ";
        break;
    }
  }

  CodecLimits limits_;
  Http1Codec codec_;
  Home home_;
  std::string pending_;
  std::string said_;
  std::string body_;
  std::string reason_;
  const RequestHead* request_ = nullptr;
  const ResponseHead* response_ = nullptr;
  const HeaderList* trailers_ = nullptr;
  Fault fault_ = Fault::kNone;
  int requests_ = 0;
  bool in_body_ = false;
};

/// Everything a server codec says about `bytes`, given at once.
[[nodiscard]] inline std::string said_about(std::string_view bytes, CodecLimits limits = {}) {
  return Reader(CodecRole::kServer, limits).feed_all(bytes).said();
}

}  // namespace limpet::test
