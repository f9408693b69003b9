// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/connection.h"

#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/socket.h>

#include "daemon/demo/websocket.h"

namespace limpet::demo {
namespace {

constexpr int kMcpKeepAliveSeconds = 15;

}  // namespace

void Connection::serve() {
  while (read_request() == Going::kOn) {
    const Reply reply = app_.answer(*head_, body_);
    if (send(reply) == Going::kOver || !codec_.keeps_alive()) return;
    codec_.next_message();
    head_ = nullptr;
    body_.clear();
    is_complete_ = false;
    arena_.reset();
  }
}

Connection::Going Connection::read_request() {
  StreamEvents events;
  while (!is_complete_) {
    const std::size_t used = codec_.feed(input_, *this, events);
    if (walk(events) == Going::kOver) return Going::kOver;
    events.clear();
    input_.erase(0, used);
    if (!is_complete_ && used == 0 && receive() == Going::kOver) return Going::kOver;
  }
  return Going::kOn;
}

Connection::Going Connection::walk(const StreamEvents& events) {
  for (const StreamEvent& event : events) {
    switch (event.kind) {
      case StreamEvent::Kind::kRequestHead:
        head_ = event.request;
        if (head_->expects_continue) {
          ResponseHead go_on(arena_);
          go_on.status = 100;
          codec_.write_informational(go_on, output_);
          if (flush() == Going::kOver) return Going::kOver;
        }
        break;
      case StreamEvent::Kind::kBody:
        body_.append(event.bytes);
        if (body_.size() > kBodyBytesMax) return refuse(413);
        break;
      case StreamEvent::Kind::kEnd:
        is_complete_ = true;
        break;
      case StreamEvent::Kind::kFault:
        return refuse(status_of(event.fault));
      default:
        break;
    }
  }
  return Going::kOn;
}

Connection::Going Connection::receive() {
  std::array<char, 16 * 1024>
      bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): recv fills it
  ssize_t count = 0;
  do {
    count = ::recv(socket_.number(), bytes.data(), bytes.size(), 0);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return Going::kOver;
  input_.append(bytes.data(), static_cast<std::size_t>(count));
  return Going::kOn;
}

Connection::Going Connection::flush() {
  while (!output_.is_empty()) {
    const std::string_view bytes = output_.view();
    const ssize_t count = ::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Going::kOver;
    output_.consume(static_cast<std::size_t>(count));
  }
  return Going::kOn;
}

Connection::Going Connection::refuse(std::uint16_t status) {
  Reply reply;
  reply.status = status;
  reply.content_type = "text/plain";
  reply.body = "This request cannot be read.\n";
  codec_.close_after_this();
  send(reply);
  return Going::kOver;
}

Connection::Going Connection::send(const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::kClock:
      return stream_clock();
    case Reply::Kind::kMcpStream:
      return stream_mcp(reply);
    case Reply::Kind::kWebSocket:
      write_head(reply, {BodyLength::Kind::kTunnel, 0});
      if (flush() == Going::kOn) echo();
      return Going::kOver;
    case Reply::Kind::kAnswer:
      break;
  }
  const bool has_body = reply.status != 202 && reply.status != 204;
  write_head(reply,
             {has_body ? BodyLength::Kind::kKnown : BodyLength::Kind::kNone, reply.body.size()});
  if (codec_.carries_body() && !reply.body.empty())
    return write_piece(reply.body) == Going::kOn ? flush() : Going::kOver;
  return flush();
}

void Connection::write_head(const Reply& reply, BodyLength body) {
  ResponseHead head(arena_);
  head.status = reply.status;
  head.body = body;
  if (reply.status == 101) head.upgrade = "websocket";
  if (body.kind == BodyLength::Kind::kKnown || body.kind == BodyLength::Kind::kUnknown) {
    head.fields.add(FieldName::kContentType, reply.content_type);
  }
  head.fields.add_copy("x-demo-replica", app_.id());
  for (const auto& [name, value] : reply.fields)
    head.fields.add_copy(name, value);
  codec_.write_response_head(head, output_);
}

Connection::Going Connection::stream_clock() {
  Reply reply;
  reply.content_type = "text/event-stream";
  reply.fields.emplace_back("cache-control", "no-store");
  write_head(reply, {BodyLength::Kind::kUnknown, 0});
  if (!codec_.carries_body()) return flush();
  do {
    if (write_piece("data: " + app_.clock_event() + "\n\n") == Going::kOver) return Going::kOver;
  } while (wait_a_second() == Going::kOn);
  return Going::kOver;
}

Connection::Going Connection::stream_mcp(const Reply& reply) {
  Reply stream;
  stream.content_type = "text/event-stream";
  stream.fields.emplace_back("cache-control", "no-store");
  write_head(stream, {BodyLength::Kind::kUnknown, 0});
  if (flush() == Going::kOver) return Going::kOver;
  for (int second = 1; app_.mcp().is_live(reply.mcp_session); ++second) {
    if (wait_a_second() == Going::kOver) return Going::kOver;
    if (second % kMcpKeepAliveSeconds == 0 && write_piece(": still here\n\n") == Going::kOver) {
      return Going::kOver;
    }
  }
  codec_.write_end(nullptr, output_);
  return flush();
}

Connection::Going Connection::write_piece(std::string_view bytes) {
  codec_.write_body_prefix(bytes.size(), output_);
  output_.append(bytes);
  output_.append(codec_.body_suffix());
  return flush();
}

void Connection::echo() {
  WebSocketEcho websocket;
  std::string answer;
  do {
    websocket.feed(input_, answer);
    input_.clear();
    output_.append(answer);
    answer.clear();
    if (flush() == Going::kOver) return;
  } while (!websocket.is_over() && receive() == Going::kOn);
}

// Waits, unless the connection ends meanwhile: poll() reports that unasked.
Connection::Going Connection::wait_a_second() const {
  pollfd watched{socket_.number(), 0, 0};
  return ::poll(&watched, 1, 1000) == 1 ? Going::kOver : Going::kOn;
}

}  // namespace limpet::demo
