// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "daemon/base/text.h"
#include "daemon/http/authority.h"
#include "daemon/http/expectation.h"
#include "daemon/http/hop_by_hop.h"
#include "daemon/http/http1_codec.h"
#include "daemon/http/http1_quick_head.h"

namespace limpet {

namespace {

// The one copy of a section, with readable bytes behind it.
[[nodiscard]] char* copy_section(Arena& arena, std::string_view section) {
  char* copy = arena.allocate_text(section.size() + kSectionSlack);
  std::memcpy(copy, section.data(), section.size());
  std::memset(copy + section.size(), 0, kSectionSlack);
  return copy;
}

constexpr std::size_t kQuickBytesMax = 2048;
constexpr std::size_t kEmptyLineBytes = 2;

[[gnu::noinline]] [[nodiscard]] bool holds_section_end(std::string_view bytes) noexcept {
  return bytes.substr(0, kQuickBytesMax).find("\r\n\r\n") != bytes.npos;
}

// Whether a whole head may be there. An arena is not taken for a part of one.
[[nodiscard]] inline bool has_section_end(std::string_view bytes) noexcept {
  return text::ends_with(bytes, "\r\n\r\n") || holds_section_end(bytes);
}

// Most heads have no field of this kind.
[[nodiscard]] inline HopByHop strip(HeaderList& fields, MessageKind kind) noexcept {
  return fields.may_have_any(kHopByHopFields) ? strip_hop_by_hop(fields, kind) : HopByHop{};
}

// Of a body whose length is not known: chunked it is where that was said, and nothing else may be.
[[nodiscard]] inline bool is_chunked(const HeaderList& fields) noexcept {
  return fields.may_have(FieldName::kTransferEncoding);
}

// A head as nearly all are, or null, with the arena as it was.
template <typename Head>
[[nodiscard]] Head* try_quick_head(Arena& arena, std::string_view bytes, const CodecLimits& limits,
                                   QuickHead& found) {
  // One piece of memory: the head, its fields, the text, of which there need not be room for more
  // than the head.
  constexpr std::size_t kFieldsBytes = sizeof(Field) * HeaderList::kFirstCapacity;
  constexpr std::size_t kFixedBytes = sizeof(Head) + kFieldsBytes + kQuickSlack;
  const std::size_t room = arena.room();
  if (room < kFixedBytes) return nullptr;
  std::size_t copied = std::min(std::min(bytes.size(), kQuickBytesMax), room - kFixedBytes);
  char* const place = arena.preview(kFixedBytes + copied);
  char* const copy = place + sizeof(Head) + kFieldsBytes;
  // The bound is kept from the compiler, which would copy word by word.
  asm("" : "+r"(copied));
  std::memcpy(copy, bytes.data(), copied);
  Head* const head = new (place) Head(arena);  // NOLINT(cppcoreguidelines-owning-memory)
  head->fields.lend(reinterpret_cast<Field*>(place + sizeof(Head)), HeaderList::kFirstCapacity);
  if (!read_quick_head(copy, copied, limits, head->fields, found)) return nullptr;
  // What was copied of the body is not taken.
  arena.take_until(copy + found.section_bytes);
  return head;
}

constexpr Refusal kHeadTooLarge = {Fault::kFieldsTooLarge,
                                   "RFC 6585 section 5: field lines too large"};

}  // namespace

std::size_t Http1Codec::feed(std::string_view bytes, HeadHome& home, StreamEvents& events) {
  std::size_t used = 0;
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::size_t step = feed_some(rest, home, events);
    if (reading_ == Reading::kBroken) [[unlikely]]
      return bytes.size();
    used += step;
    rest.remove_prefix(step);
    if (step == 0) break;
  }
  // RFC 9112 section 9.2: bytes behind a response answer nothing that was asked; nothing more is
  // read from there.
  if (role_ == CodecRole::kClient && reading_ == Reading::kDone && used < bytes.size())
    keep_alive_ = false;
  return used;
}

std::size_t Http1Codec::feed_some(std::string_view bytes, HeadHome& home, StreamEvents& events) {
  if (reading_ == Reading::kHead) return read_head(bytes, home, events);
  switch (reading_) {
    case Reading::kHead:
    case Reading::kKnownBody:
    case Reading::kChunkData:
      return read_body(bytes, events);
    case Reading::kChunkLine:
      return read_chunk_line(bytes, events);
    case Reading::kChunkEnd:
      return read_chunk_end(bytes, events);
    case Reading::kTrailers:
      return read_trailers(bytes, events);
    case Reading::kUntilClose:
    case Reading::kTunnel:
      events.add(StreamEvent::Kind::kBody).bytes = bytes;
      return bytes.size();
    case Reading::kDone:
    case Reading::kBroken:
      break;
  }
  return 0;
}

std::size_t Http1Codec::read_head(std::string_view bytes, HeadHome& home, StreamEvents& events) {
  if (role_ == CodecRole::kServer) return read_head_of<RequestHead>(bytes, home, events);
  if (!is_asked_)
    return fail(bad("RFC 9112 section 9.2: a response that nobody asked for"), events);
  return read_head_of<ResponseHead>(bytes, home, events);
}

SectionLimits Http1Codec::head_limits() const noexcept {
  return {limits_->request_line_bytes, limits_->header_bytes,
          std::min(limits_->header_fields, LineEnds::kFieldsMax)};
}

template <typename Head>
std::size_t Http1Codec::read_head_of(std::string_view bytes, HeadHome& home, StreamEvents& events) {
  HeadRead<Head> read;
  if (scan_.section_bytes() == 0 && (role_ == CodecRole::kClient || has_section_end(bytes))) {
    arena_ = &home.arena_for(0);
    QuickHead found;
    read.head = try_quick_head<Head>(*arena_, bytes, *limits_, found);
    // A refusal is the careful way's to give.
    if (read.head != nullptr && read_start_line(found.start_line, *read.head).is_refused())
      read.head = nullptr;
    read.bytes = found.section_bytes;
    head_bytes_ = found.charged_bytes;
  }
  if (read.head == nullptr) [[unlikely]] {
    arena_ = nullptr;
    if (skips_empty_line(bytes)) return kEmptyLineBytes;
    read = read_carefully<Head>(bytes, home, events);
    if (read.head == nullptr) return 0;
  }
  if (head_bytes_ > limits_->header_bytes)
    return fail(kHeadTooLarge, events, read.head->fields.value(FieldName::kAccept));
  head_fields_ = static_cast<std::uint16_t>(read.head->fields.fields().size());
  const Refusal refusal = understand(*read.head, events);
  if (!refusal.is_refused()) [[likely]]
    return read.bytes;
  return fail(refusal, events, read.head->fields.value(FieldName::kAccept));
}

// RFC 9112 section 2.2: one empty line before a request line is skipped.
bool Http1Codec::skips_empty_line(std::string_view bytes) noexcept {
  if (role_ != CodecRole::kServer || line_skipped_ || !bytes.starts_with("\r\n")) return false;
  line_skipped_ = true;
  scan_.reset();
  return true;
}

// The way that takes everything that is allowed, in pieces and whole. No head where it is not
// complete, or refused.
template <typename Head>
Http1Codec::HeadRead<Head> Http1Codec::read_carefully(std::string_view bytes, HeadHome& home,
                                                      StreamEvents& events) {
  const auto refuse = [&](Refusal refusal) {
    static_cast<void>(fail(refusal, events));
    return HeadRead<Head>{};
  };
  // Another protocol may never send an empty line: it is known by its first bytes.
  constexpr std::string_view kStart = "HTTP/1.";
  if (role_ == CodecRole::kClient &&
      bytes.substr(0, kStart.size()) != kStart.substr(0, bytes.size())) {
    return refuse(bad("RFC 9112 section 4: a response does not begin with HTTP/1."));
  }
  LineEnds ends;
  Refusal refusal;
  const auto outcome = scan_.scan(bytes, SectionScan::Section::kHead, head_limits(), ends, refusal);
  if (outcome == SectionScan::Outcome::kRefused) return refuse(refusal);
  if (outcome != SectionScan::Outcome::kComplete) return {};
  if (ends.count == 0)
    return refuse(bad("RFC 9112 section 2.2: empty line where a start line is due"));
  const std::string_view section = bytes.substr(0, scan_.section_bytes());
  scan_.reset();
  arena_ = &home.arena_for(0);
  char* copy = copy_section(*arena_, section);
  Head* const head = arena_->make<Head>(*arena_);
  refusal = read_start_line({copy, ends.at[0]}, *head);
  if (refusal.is_refused()) return refuse(refusal);
  std::size_t charged = 0;
  refusal = parse_fields(copy, ends, 1, head->fields, charged);
  if (refusal.is_refused()) return refuse(refusal);
  head_bytes_ = static_cast<std::uint32_t>(charged);
  return {head, section.size()};
}

[[gnu::always_inline]] inline Refusal Http1Codec::read_start_line(std::string_view line,
                                                                  RequestHead& head) {
  // What most requests begin with needs no search.
  constexpr std::size_t kAround = sizeof "GET " - 1 + sizeof " HTTP/1.1" - 1;
  if (line.size() > kAround && text::begins_with(line, "GET ") &&
      text::ends_with(line, " HTTP/1.1")) {
    method_ = head.method = Method::kGet;
    peer_version_ = head.version = HttpVersion::kHttp11;
    head.method_text = {line.data(), 3};
    head.target = {line.data() + 4, line.size() - kAround};
    return {};
  }
  return read_any_line(line, head);
}

Refusal Http1Codec::read_any_line(std::string_view line, RequestHead& head) {
  RequestLine parsed;
  const Refusal refusal = parse_request_line(line, parsed);
  method_ = head.method = parsed.method;
  if (refusal.is_refused()) return refusal;
  peer_version_ = head.version = parsed.version;
  head.method_text = parsed.method_text;
  head.target = parsed.target;  // as it came; resolve_target() judges it
  return {};
}

[[gnu::always_inline]] inline Refusal Http1Codec::read_start_line(std::string_view line,
                                                                  ResponseHead& head) {
  const auto digit = [&line](std::size_t at) {
    return static_cast<unsigned>(static_cast<unsigned char>(line[at])) - '0';
  };
  // "HTTP/1.1 200 ", and whatever reason.
  if (line.size() > 12 && text::begins_with(line, "HTTP/1.1 ") && line[12] == ' ' &&
      digit(9) - 1 < 5 && digit(10) < 10 && digit(11) < 10) {
    peer_version_ = head.version = HttpVersion::kHttp11;
    head.status = static_cast<std::uint16_t>(digit(9) * 100 + digit(10) * 10 + digit(11));
    head.reason = {line.data() + 13, line.size() - 13};
    return {};
  }
  return read_any_line(line, head);
}

Refusal Http1Codec::read_any_line(std::string_view line, ResponseHead& head) {
  StatusLine parsed;
  const Refusal refusal = parse_status_line(line, parsed);
  if (refusal.is_refused()) return refusal;
  peer_version_ = head.version = parsed.version;
  head.status = parsed.status;
  head.reason = parsed.reason;
  return {};
}

// Framing first: stripping takes Transfer-Encoding away.
Refusal Http1Codec::understand(RequestHead& head, StreamEvents& events) {
  Refusal refusal = resolve_target(head);
  if (refusal.is_refused()) return refusal;
  refusal = request_framing(head.fields, head.version, head.body);
  if (refusal.is_refused()) return refusal;
  refusal = read_request_meaning(head);
  if (refusal.is_refused()) return refusal;
  events.add(StreamEvent::Kind::kRequestHead).request = &head;
  begin_body(head, events);
  return {};
}

Refusal Http1Codec::read_request_meaning(RequestHead& head) {
  const HopByHop said = strip(head.fields, MessageKind::kRequest);
  if (said.fault != nullptr) return said.refusal();
  const Refusal refusal = read_expect(head);
  if (refusal.is_refused()) return refusal;

  const bool is_http11 = head.version == HttpVersion::kHttp11;
  keep_alive_ = keep_alive_ && !said.has_close && (is_http11 || said.has_keep_alive);
  head.accepts_trailers = said.accepts_trailers && is_http11;
  // RFC 9110 section 7.8: an upgrade offer in HTTP/1.0 is ignored; so is every protocol but
  // websocket, which is a GET without a body (RFC 6455 section 4.1). What is ignored is not
  // forwarded either.
  if (said.has_upgrade && said.offers_websocket && is_http11 && head.method == Method::kGet &&
      head.body.kind == BodyLength::Kind::kNone) {
    head.upgrade = "websocket";
  }
  return {};
}

Refusal Http1Codec::understand(ResponseHead& head, StreamEvents& events) {
  Refusal refusal = response_framing(head.fields, head.version, head.status, method_, head.body);
  if (refusal.is_refused()) return refusal;
  refusal = read_response_meaning(head);
  if (refusal.is_refused()) return refusal;
  const bool is_informational = head.status < 200 && head.status != 101;
  using Kind = StreamEvent::Kind;
  events.add(is_informational ? Kind::kInformational : Kind::kResponseHead).response = &head;
  if (!is_informational) begin_body(head, events);
  return {};
}

Refusal Http1Codec::read_response_meaning(ResponseHead& head) {
  const HopByHop said = strip(head.fields, MessageKind::kResponse);
  if (said.fault != nullptr) return said.refusal();
  // RFC 9110 section 8.6: no Content-Length in 1xx, 204 and an accepted CONNECT.
  const bool is_tunnel = head.body.kind == BodyLength::Kind::kTunnel;
  if (head.status < 200 || head.status == 204 || is_tunnel)
    head.fields.remove(FieldName::kContentLength);
  if (head.status == 101) {
    if (!upgrade_asked_ || !said.has_upgrade || !said.offers_websocket) {
      return bad("RFC 9110 section 15.2.2: 101 for a protocol that nobody asked for");
    }
    head.upgrade = "websocket";
  } else if (head.status < 200) {
    if (++informational_ > kInformationalMax)
      return bad("RFC 9110 section 15.2: too many 1xx responses");
    return {};
  }
  const bool ends_with_connection =
      head.body.kind == BodyLength::Kind::kUnknown && !is_chunked(head.fields);
  const bool is_kept = head.version == HttpVersion::kHttp11 || said.has_keep_alive;
  kept_seconds_ = said.kept_seconds;
  keep_alive_ = keep_alive_ && is_kept && !said.has_close && !ends_with_connection && !is_tunnel;
  return {};
}

template <typename Head>
[[gnu::always_inline]] inline void Http1Codec::begin_body(const Head& head, StreamEvents& events) {
  const BodyLength body = head.body;
  body_left_bytes_ = body.bytes;
  if (body.kind == BodyLength::Kind::kNone) {
    finish_message(events);
  } else if (body.kind == BodyLength::Kind::kKnown) {
    reading_ = Reading::kKnownBody;
  } else if (body.kind == BodyLength::Kind::kUnknown) {
    reading_ = is_chunked(head.fields) ? Reading::kChunkLine : Reading::kUntilClose;
  } else {
    reading_ = Reading::kDone;  // what follows waits for enter_tunnel()
  }
}

std::size_t Http1Codec::read_body(std::string_view bytes, StreamEvents& events) {
  const auto taken =
      static_cast<std::size_t>(std::min<std::uint64_t>(body_left_bytes_, bytes.size()));
  events.add(StreamEvent::Kind::kBody).bytes = {bytes.data(), taken};
  body_left_bytes_ -= taken;
  if (body_left_bytes_ > 0) return taken;
  if (reading_ == Reading::kChunkData) {
    reading_ = Reading::kChunkEnd;
  } else {
    finish_message(events);
  }
  return taken;
}

std::size_t Http1Codec::read_chunk_line(std::string_view bytes, StreamEvents& events) {
  const ChunkLine line = parse_chunk_line(bytes, limits_->chunk_line_bytes);
  if (line.outcome == ChunkLine::Outcome::kRefused) return fail(bad(line.reason), events);
  if (line.outcome == ChunkLine::Outcome::kIncomplete) return 0;
  body_left_bytes_ = line.data_bytes;
  reading_ = line.data_bytes == 0 ? Reading::kTrailers : Reading::kChunkData;
  return line.line_bytes;
}

std::size_t Http1Codec::read_chunk_end(std::string_view bytes, StreamEvents& events) {
  constexpr std::string_view kEnd = "\r\n";
  if (bytes.substr(0, kEnd.size()) != kEnd.substr(0, bytes.size())) {
    return fail(bad("RFC 9112 section 7.1: chunk data is not followed by CRLF"), events);
  }
  if (bytes.size() < kEnd.size()) return 0;
  reading_ = Reading::kChunkLine;
  return kEnd.size();
}

std::size_t Http1Codec::read_trailers(std::string_view bytes, StreamEvents& events) {
  // Trailers live on what the head left of its limits, which a reload may have lowered since.
  const auto left = [](std::size_t of, std::size_t taken) { return of - std::min(of, taken); };
  const std::size_t fields_max = std::min(limits_->header_fields, LineEnds::kFieldsMax);
  const SectionLimits room = {0, left(limits_->header_bytes, head_bytes_),
                              left(fields_max, head_fields_)};
  LineEnds ends;
  Refusal refusal;
  const auto outcome = scan_.scan(bytes, SectionScan::Section::kTrailers, room, ends, refusal);
  if (outcome == SectionScan::Outcome::kIncomplete) return 0;
  if (outcome == SectionScan::Outcome::kComplete && ends.count > 0) {
    refusal = read_trailer_fields(bytes.substr(0, scan_.section_bytes()), ends, events);
  }
  if (refusal.is_refused()) return fail(refusal, events);
  const std::size_t used = scan_.section_bytes();
  finish_message(events);
  return used;
}

Refusal Http1Codec::read_trailer_fields(std::string_view section, const LineEnds& ends,
                                        StreamEvents& events) {
  if (arena_ == nullptr) return {};
  char* copy = copy_section(*arena_, section);
  auto& trailers = *arena_->make<HeaderList>(*arena_);
  std::size_t charged = head_bytes_;
  const Refusal refusal = parse_fields(copy, ends, 0, trailers, charged);
  if (refusal.is_refused()) return refusal;
  if (charged > limits_->header_bytes) return kHeadTooLarge;
  bool has_any = false;
  for (Field& field : trailers.fields()) {
    if (is_trailer_allowed(field)) {
      has_any = true;
    } else {
      trailers.remove(field);
    }
  }
  if (!has_any) return {};
  events.add(StreamEvent::Kind::kTrailers).trailers = &trailers;
  return {};
}

std::size_t Http1Codec::fail(Refusal refusal, StreamEvents& events, std::string_view accept) {
  StreamEvent& event = events.add(StreamEvent::Kind::kFault);
  event.fault = role_ == CodecRole::kServer ? refusal.fault : Fault::kBadResponse;
  event.reason = refusal.reason;
  event.bytes = accept;
  reading_ = Reading::kBroken;
  keep_alive_ = false;
  arena_ = nullptr;
  return 0;
}

}  // namespace limpet
