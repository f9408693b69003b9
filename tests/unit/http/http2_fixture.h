// SPDX-License-Identifier: Apache-2.0
#pragma once
// http2_fixture: what the tests of the HTTP/2 codec share: frames made and read by hand, field
// blocks by the library's own compression, and a codec whose events and frames become short texts,
// so that a test is a comparison of two. Not a test itself.

#include <cstdint>
#include <initializer_list>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "daemon/http/http2_codec.h"
#include "tests/unit/http/codec_fixture.h"

namespace limpet::test {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum Type : std::uint8_t {
  kData,
  kHeaders,
  kPriority,
  kRstStream,
  kSettings,
  kPushPromise,
  kPing,
  kGoaway,
  kWindowUpdate,
  kContinuation,
  kPriorityUpdate = 16
};
inline constexpr std::uint8_t kEndStream = 1;
inline constexpr std::uint8_t kAck = 1;
inline constexpr std::uint8_t kEndHeaders = 4;
inline constexpr std::uint8_t kPadded = 8;
inline constexpr std::uint8_t kWithPriority = 32;
/// A whole field block that is a whole message.
inline constexpr std::uint8_t kWhole = kEndStream | kEndHeaders;

[[nodiscard]] inline std::string number(std::uint64_t value, int octets) {
  std::string text;
  for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8)
    text += static_cast<char>(static_cast<unsigned char>(value >> static_cast<unsigned>(shift)));
  return text;
}

/// One frame. RFC: 9113 section 4.1.
[[nodiscard]] inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                                       std::string_view payload = {}) {
  return number(payload.size(), 3) + number(type, 1) + number(flags, 1) + number(stream, 4) +
         std::string(payload);
}
/// Pieces in a row; each is made before the next, as compression wants it.
[[nodiscard]] inline std::string joined(std::initializer_list<std::string> pieces) {
  std::string text;
  for (const std::string& piece : pieces)
    text += piece;
  return text;
}
[[nodiscard]] inline std::string setting(std::uint16_t id, std::uint32_t value) {
  return number(id, 2) + number(value, 4);
}
[[nodiscard]] inline std::string reset_frame(std::uint32_t stream, std::uint32_t code) {
  return frame(kRstStream, 0, stream, number(code, 4));
}
[[nodiscard]] inline std::string window_frame(std::uint32_t stream, std::uint32_t bytes) {
  return frame(kWindowUpdate, 0, stream, number(bytes, 4));
}
[[nodiscard]] inline std::string ping_frame(std::uint8_t flags = 0) {
  return frame(kPing, flags, 0, "12345678");
}
[[nodiscard]] inline std::string goaway_frame(std::uint32_t last, std::uint32_t code) {
  return frame(kGoaway, 0, 0, number(last, 4) + number(code, 4));
}

using FieldTexts = std::vector<std::pair<std::string, std::string>>;

/// The compression of one direction: nothing is changed, whatever it is given.
class Compressor {
 public:
  Compressor() { nghttp2_hd_deflate_new(&deflater_, 4096); }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  ~Compressor() { nghttp2_hd_deflate_del(deflater_); }

  [[nodiscard]] std::string block(const FieldTexts& fields) {
    std::vector<nghttp2_nv> list;
    for (const auto& [name, value] : fields) {
      list.push_back({octets(name), octets(value), name.size(), value.size(), 0});
    }
    std::string out(nghttp2_hd_deflate_bound(deflater_, list.data(), list.size()), '\0');
    const ssize_t used =
        nghttp2_hd_deflate_hd(deflater_, octets(out), out.size(), list.data(), list.size());
    out.resize(used < 0 ? 0 : static_cast<std::size_t>(used));
    return out;
  }

 private:
  static std::uint8_t* octets(const std::string& text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }
  nghttp2_hd_deflater* deflater_ = nullptr;
};

/// The fields of a block as "name=value|name=value".
class Expander {
 public:
  Expander() { nghttp2_hd_inflate_new(&inflater_); }
  Expander(const Expander&) = delete;
  Expander& operator=(const Expander&) = delete;
  ~Expander() { nghttp2_hd_inflate_del(inflater_); }

  [[nodiscard]] std::string fields(std::string_view block) {
    std::string text;
    const auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
      if (used < 0) return "broken";
      at += used;
      left -= static_cast<std::size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        if (!text.empty()) text += '|';
        text.append(reinterpret_cast<char*>(field.name), field.namelen);
        text += '=';
        text.append(reinterpret_cast<char*>(field.value), field.valuelen);
        is_secret_ = is_secret_ || (field.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0;
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
      if (left == 0 && (flags & NGHTTP2_HD_INFLATE_EMIT) == 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return text;
  }
  /// Says to the other side how large a table may be.
  void limit_table(std::uint32_t bytes) { nghttp2_hd_inflate_change_table_size(inflater_, bytes); }
  /// Whether any field came as one that no table may take.
  [[nodiscard]] bool has_seen_secret() const { return is_secret_; }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
  bool is_secret_ = false;
};

/// A codec, what it said, and the frames that it sent.
class Http2Side {
 public:
  explicit Http2Side(CodecRole role, const CodecLimits& limits = {},
                     const Http2Settings& settings = {})
      : codec_(role, limits, settings) {}

  Http2Side& feed(std::string_view bytes) {
    StreamEvents events;
    codec_.feed(bytes, now_, home_, events);
    note(events);
    return *this;
  }
  Http2Side& feed_bytewise(std::string_view bytes) {
    for (const char c : bytes)
      feed({&c, 1});
    return *this;
  }
  /// What collect() gives; what it says is noted.
  [[nodiscard]] std::string sent() {
    StreamEvents events;
    codec_.collect(out_, events);
    note(events);
    const std::string bytes(out_.view());
    out_.clear();
    return bytes;
  }
  /// The same as text: "HEADERS 1 END_STREAM [:status=200]; DATA 1 5; ...".
  [[nodiscard]] std::string frames() { return frames_in(sent()); }
  [[nodiscard]] std::string frames_in(std::string_view bytes);
  void write_body(std::uint32_t stream, std::string_view bytes) {
    codec_.write_body(stream, bytes, out_);
  }

  [[nodiscard]] Http2Codec& codec() { return codec_; }
  [[nodiscard]] Home& home() { return home_; }
  /// What was said since the last call.
  [[nodiscard]] std::string said() { return std::exchange(said_, {}); }
  [[nodiscard]] const std::string& body() const { return body_; }
  [[nodiscard]] const RequestHead& request() const { return *request_; }
  [[nodiscard]] const ResponseHead& response() const { return *response_; }
  [[nodiscard]] const HeaderList& trailers() const { return *trailers_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] std::uint16_t code() const { return code_; }
  [[nodiscard]] const Expander& expander() const { return expander_; }
  void advance(Duration by) { now_ += by; }

 private:
  void note(const StreamEvents& events) {
    for (const StreamEvent& event : events)
      note(event);
  }
  void note(const StreamEvent& event);

  Http2Codec codec_;
  Home home_;
  Buffer out_;
  Expander expander_;
  Instant now_{};
  std::string said_;
  std::string body_;
  std::string reason_;
  std::string block_;  ///< of a field block in more than one frame
  std::uint16_t code_ = 0;
  const RequestHead* request_ = nullptr;
  const ResponseHead* response_ = nullptr;
  const HeaderList* trailers_ = nullptr;
};

[[nodiscard]] inline std::string fault_text(Fault fault) {
  if (fault == Fault::kReset) return "reset";
  if (fault == Fault::kRefused) return "refused";
  if (fault == Fault::kBadResponse) return "bad response";
  return std::to_string(status_of(fault));
}

inline void Http2Side::note(const StreamEvent& event) {
  using Kind = StreamEvent::Kind;
  said_ += std::to_string(event.stream) + " ";
  switch (event.kind) {
    case Kind::kRequestHead:
      request_ = event.request;
      said_.append(request_->method_text).append(" ").append(request_->target);
      said_ += " " + body_text(request_->body);
      break;
    case Kind::kResponseHead:
    case Kind::kInformational:
      response_ = event.response;
      said_ += event.kind == Kind::kInformational ? "informational " : "response ";
      said_ += std::to_string(response_->status) + " " + body_text(response_->body);
      break;
    case Kind::kBody:
      body_.append(event.bytes);
      said_ += "body " + std::to_string(event.bytes.size());
      break;
    case Kind::kTrailers:
      trailers_ = event.trailers;
      said_ += "trailers " + fields_text(*trailers_);
      break;
    case Kind::kEnd:
      said_ += "end";
      break;
    case Kind::kFault:
      reason_ = event.reason;
      code_ = event.code;
      said_ += "fault " + fault_text(event.fault);
      break;
    case Kind::kDrained:
      said_ += "drained";
      break;
    case Kind::kGoaway:
      said_ += "goaway";
      break;
    case Kind::kConcluded:
      said_ += "concluded";
      break;
  }
  said_ += "; ";
}

[[nodiscard]] inline std::uint32_t number_at(std::string_view bytes, std::size_t at, int octets) {
  std::uint32_t value = 0;
  for (int i = 0; i < octets; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
  return value;
}

inline std::string Http2Side::frames_in(std::string_view bytes) {
  static constexpr std::string_view kNames[] = {
      "DATA",         "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS",
      "PUSH_PROMISE", "PING",    "GOAWAY",   "WINDOW",     "CONTINUATION"};
  std::string text;
  if (bytes.starts_with(kPreface)) {
    text = "PREFACE; ";
    bytes.remove_prefix(kPreface.size());
  }
  while (bytes.size() >= 9) {
    const std::size_t length = number_at(bytes, 0, 3);
    const std::uint32_t type = number_at(bytes, 3, 1);
    const std::uint32_t flags = number_at(bytes, 4, 1);
    const std::uint32_t stream = number_at(bytes, 5, 4);
    const std::string_view payload = bytes.substr(9, length);
    bytes.remove_prefix(9 + length);
    text += kNames[type];
    if (stream != 0) text += " " + std::to_string(stream);
    if (type == kData) text += " " + std::to_string(length);
    if (type == kRstStream || type == kWindowUpdate)
      text += " " + std::to_string(number_at(payload, 0, 4));
    if (type == kGoaway) {
      text += " " + std::to_string(number_at(payload, 0, 4)) + " " +
              std::to_string(number_at(payload, 4, 4));
    }
    if ((type == kSettings || type == kPing) && (flags & kAck) != 0) text += " ACK";
    if ((type == kData || type == kHeaders) && (flags & kEndStream) != 0) text += " END_STREAM";
    if (type == kHeaders || type == kContinuation) {
      block_.append(payload);
      if ((flags & kEndHeaders) != 0)
        text += " [" + expander_.fields(std::exchange(block_, {})) + "]";
    }
    text += "; ";
  }
  return text;
}

/// A client made of bytes, before a codec in the server's role.
class RawClient {
 public:
  explicit RawClient(const CodecLimits& limits = {}, const Http2Settings& settings = {})
      : side_(CodecRole::kServer, limits, settings) {
    side_.feed(std::string(kPreface) + frame(kSettings, 0, 0));
    static_cast<void>(side_.sent());
    side_.feed(frame(kSettings, kAck, 0));
  }

  [[nodiscard]] std::string headers(std::uint32_t stream, const FieldTexts& fields,
                                    std::uint8_t flags = kWhole) {
    return frame(kHeaders, flags, stream, compressor_.block(fields));
  }
  /// A GET of "/" with these fields more.
  [[nodiscard]] std::string get(std::uint32_t stream, const FieldTexts& more = {},
                                std::uint8_t flags = kWhole) {
    return headers(stream, with_pseudo("GET", more), flags);
  }
  [[nodiscard]] std::string post(std::uint32_t stream, const FieldTexts& more = {}) {
    return headers(stream, with_pseudo("POST", more), kEndHeaders);
  }
  [[nodiscard]] static FieldTexts with_pseudo(std::string method, const FieldTexts& more) {
    FieldTexts fields = {{":method", std::move(method)},
                         {":scheme", "http"},
                         {":path", "/"},
                         {":authority", "a.example"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }

  [[nodiscard]] Http2Side& side() { return side_; }
  [[nodiscard]] Http2Codec& codec() { return side_.codec(); }
  [[nodiscard]] Compressor& compressor() { return compressor_; }
  /// What the codec says about `bytes`.
  [[nodiscard]] std::string said_about(std::string_view bytes) { return side_.feed(bytes).said(); }

 private:
  Http2Side side_;
  Compressor compressor_;
};

/// A replica made of bytes, before a codec in the client's role.
class RawReplica {
 public:
  explicit RawReplica(const std::string& settings = {}, const CodecLimits& limits = {})
      : side_(CodecRole::kClient, limits) {
    static_cast<void>(side_.sent());
    side_.feed(frame(kSettings, 0, 0, settings));
    side_.feed(frame(kSettings, kAck, 0));
    static_cast<void>(side_.sent());
  }

  /// Asks for "/"; returns the stream's number.
  std::uint32_t ask(std::string_view method = "GET", BodyLength body = {},
                    std::string_view upgrade = {}) {
    RequestHead head(side_.home().arena_for(0));
    head.method_text = method;
    head.method = method == "HEAD"   ? Method::kHead
                  : method == "POST" ? Method::kPost
                                     : Method::kGet;
    head.target = "/";
    head.authority = "a.example";
    head.body = body;
    head.upgrade = upgrade;
    return side_.codec().write_request(head);
  }
  [[nodiscard]] std::string headers(std::uint32_t stream, const FieldTexts& fields,
                                    std::uint8_t flags = kWhole) {
    return frame(kHeaders, flags, stream, compressor_.block(fields));
  }
  [[nodiscard]] Http2Side& side() { return side_; }
  [[nodiscard]] Http2Codec& codec() { return side_.codec(); }
  [[nodiscard]] std::string said_about(std::string_view bytes) { return side_.feed(bytes).said(); }

 private:
  Http2Side side_;
  Compressor compressor_;
};

}  // namespace limpet::test
