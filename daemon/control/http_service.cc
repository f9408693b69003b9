// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/http_service.h"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>

#include "daemon/base/arena.h"
#include "daemon/base/buffer.h"
#include "daemon/base/text.h"
#include "daemon/event/timer.h"
#include "daemon/http/http1_codec.h"
#include "daemon/net/socket.h"

namespace limpet::control {

namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::chrono::seconds kLinger{1};
constexpr std::chrono::milliseconds kRetryAfter{100};

const CodecLimits& codec_limits() noexcept {
  static const CodecLimits limits{};
  return limits;
}

Response refusal(std::uint16_t status, std::string_view reason) {
  Response response;
  response.status = status;
  response.body = std::string(reason) + "\n";
  return response;
}

}  // namespace

/// A listening socket. Where no descriptor is left it rests for a moment: its watch would tell
/// again at once of the connection that cannot be had.
class HttpService::Door final : private Watch::Owner, private Timer::Owner {
 public:
  Door(HttpService& service, Fd listening)
      : service_(service), listening_(std::move(listening)), watch_(*this), rest_(*this) {
    open();
  }

 private:
  void open() { watch_.start(service_.loop_, listening_.number(), Watch::Trigger::kLevelRead); }
  void on_ready(Readiness) override {
    if (service_.accept_from(listening_.number()) == Queue::kEmpty) return;
    watch_.stop();
    rest_.arm(service_.loop_.timers(), monotonic_now() + kRetryAfter);
  }
  void on_timer(Timer&) override { open(); }

  HttpService& service_;
  Fd listening_;
  Watch watch_;
  Timer rest_;
};

/// One connection and the request on it.
///
///   kReading --request whole--> kHandling --reply--> kWriting --keep-alive--> kReading
///       |                             |                 |
///       +--end, fault of the socket---+                 +--close--> kLingering
///       |  patience (not kHandling's) v                                  |
///       +------------------------> kClosed <------------rest read--------+
class HttpService::Connection final : public Mortal,
                                      private Watch::Owner,
                                      private Timer::Owner,
                                      private HeadHome {
 public:
  Connection(HttpService& service, Fd descriptor, Address peer)
      : service_(service),
        fd_(std::move(descriptor)),
        peer_(std::move(peer)),
        watch_(*this),
        timer_(*this),
        link_(std::make_shared<Link>(Link{this, 0})) {
    watch_.start(service_.loop_, fd_.number(), Watch::Trigger::kEdgeBoth);
    be_patient(kPatience);
  }
  ~Connection() override { link_->connection = nullptr; }

 private:
  enum class Stage : std::uint8_t { kReading, kHandling, kWriting, kLingering, kClosed };

  // What a Reply holds: it outlives the connection, which outlives its requests.
  struct Link {
    Connection* connection;
    std::uint64_t request;
  };

  void on_ready(Readiness) override { pump(); }
  void on_timer(Timer&) override { close(); }
  Arena& arena_for(std::uint32_t) override { return arena_; }
  void be_patient(Duration patience) {
    timer_.arm(service_.loop_.timers(), monotonic_now() + patience);
  }

  void pump();
  bool parse();
  bool receive();
  bool wait_with_client();
  bool flush();
  void discard();
  void take(const StreamEvent& event);
  void dispatch();
  void answer(const Response& response);
  void refuse(std::uint16_t status, std::string_view reason);
  void end_message();
  void close();

  HttpService& service_;
  Fd fd_;
  Address peer_;
  Watch watch_;
  Timer timer_;
  std::shared_ptr<Link> link_;
  Http1Codec codec_{CodecRole::kServer, codec_limits()};
  Arena arena_;
  Buffer in_;
  Buffer out_;
  StreamEvents events_;
  const RequestHead* head_ = nullptr;
  std::string body_;
  Stage stage_ = Stage::kReading;
  bool is_pumping_ = false;
};

void HttpService::Connection::pump() {
  if (is_pumping_) return;
  is_pumping_ = true;
  bool goes_on = true;
  while (goes_on) {
    switch (stage_) {
      case Stage::kReading:
        goes_on = parse() || receive();
        break;
      case Stage::kWriting:
        goes_on = flush();
        if (goes_on) end_message();
        break;
      case Stage::kLingering:
        discard();
        goes_on = false;
        break;
      case Stage::kHandling:
        goes_on = wait_with_client();
        break;
      case Stage::kClosed:
        goes_on = false;
        break;
    }
  }
  is_pumping_ = false;
}

bool HttpService::Connection::parse() {
  if (in_.is_empty()) return false;
  events_.clear();
  const std::size_t used = codec_.feed(in_.view(), *this, events_);
  const bool is_progress = used > 0 || !events_.empty();
  for (const StreamEvent& event : events_) {
    take(event);
    if (stage_ != Stage::kReading) break;
  }
  if (stage_ != Stage::kClosed) in_.consume(used);
  return is_progress;
}

void HttpService::Connection::take(const StreamEvent& event) {
  switch (event.kind) {
    case StreamEvent::Kind::kRequestHead:
      head_ = event.request;
      if (head_->expects_continue) {
        ResponseHead go_on(arena_);
        go_on.status = 100;
        codec_.write_informational(go_on, out_);
        if (!flush()) return;  // a hundred bytes into an empty socket; else they go with the answer
      }
      return;
    case StreamEvent::Kind::kBody:
      if (body_.size() + event.bytes.size() > kBodyBytesMax) {
        return refuse(413, "The body is larger than 1 MiB.");
      }
      body_.append(event.bytes);
      return;
    case StreamEvent::Kind::kEnd:
      return dispatch();
    case StreamEvent::Kind::kFault:
      return refuse(status_of(event.fault), event.reason == nullptr ? "bad request" : event.reason);
    default:
      return;
  }
}

bool HttpService::Connection::receive() {
  char* place = in_.reserve(kReadBytes);
  const ssize_t got = ::recv(fd_.number(), place, kReadBytes, 0);
  if (got > 0) {
    in_.commit(static_cast<std::size_t>(got));
    return true;
  }
  if (got == 0 || (errno != EAGAIN && errno != EINTR)) close();
  return got < 0 && errno == EINTR;
}

// Who hangs up waits for no answer: a wait of hours must not hold a connection that nobody has the
// other end of. What is sent ahead is kept, within the bounds of a body.
bool HttpService::Connection::wait_with_client() { return in_.size() < kBodyBytesMax && receive(); }

bool HttpService::Connection::flush() {
  while (!out_.is_empty()) {
    const std::string_view bytes = out_.view();
    const ssize_t sent = ::send(fd_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      out_.consume(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      close();
      return false;
    }
  }
  return true;
}

// What still comes is read and forgotten: closing over unread bytes would reset the answer away.
void HttpService::Connection::discard() {
  char trash[4096];
  while (true) {
    const ssize_t got = ::recv(fd_.number(), trash, sizeof trash, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return close();
    if (got < 0 && errno == EAGAIN) return;
  }
}

void HttpService::Connection::dispatch() {
  stage_ = Stage::kHandling;
  timer_.disarm();
  const Request request{head_->method_text,
                        head_->path,
                        head_->query,
                        head_->authority,
                        body_,
                        peer_,
                        fd_.number(),
                        [link = link_] { return link->connection == nullptr; }};
  ++link_->request;
  const Reply reply = [link = link_, number = link_->request](const Response& response) {
    Connection* connection = link->connection;
    if (connection == nullptr || link->request != number) return;
    if (connection->stage_ == Stage::kHandling) connection->answer(response);
  };
  service_.handler_(request, reply);
}

void HttpService::Connection::refuse(std::uint16_t status, std::string_view reason) {
  codec_.close_after_this();
  stage_ = Stage::kHandling;
  answer(refusal(status, reason));
}

void HttpService::Connection::answer(const Response& response) {
  ResponseHead head(arena_);
  head.status = response.status;
  head.body = {BodyLength::Kind::kKnown, response.body.size()};
  const bool is_empty = response.body.empty();
  if (!is_empty) head.fields.add(FieldName::kContentType, arena_.copy(response.content_type));
  head.fields.add(FieldName::kCacheControl, "no-store");
  head.fields.add_copy("x-content-type-options", "nosniff");
  for (const auto& [name, value] : response.fields)
    head.fields.add_copy(name, value);
  codec_.write_response_head(head, out_);
  if (!is_empty && codec_.carries_body()) {
    codec_.write_body_prefix(response.body.size(), out_);
    out_.append(response.body);
    out_.append(codec_.body_suffix());
  }
  codec_.write_end(nullptr, out_);
  stage_ = Stage::kWriting;
  be_patient(kPatience);
  pump();
}

void HttpService::Connection::end_message() {
  if (!codec_.keeps_alive() || !codec_.has_read_message()) {
    ::shutdown(fd_.number(), SHUT_WR);
    stage_ = Stage::kLingering;
    return be_patient(kLinger);
  }
  codec_.next_message();
  head_ = nullptr;
  body_.clear();
  events_.clear();
  arena_.reset();
  stage_ = Stage::kReading;
  be_patient(kPatience);
}

void HttpService::Connection::close() {
  if (stage_ == Stage::kClosed) return;
  stage_ = Stage::kClosed;
  watch_.stop();
  timer_.disarm();
  fd_.reset();
  link_->connection = nullptr;
  service_.drop(*this);
}

HttpService::HttpService(Loop& loop, Handler handler) : loop_(loop), handler_(std::move(handler)) {}

HttpService::~HttpService() = default;

void HttpService::listen(Fd listening) {
  doors_.push_back(std::make_unique<Door>(*this, std::move(listening)));
}

// More than kConnectionsMax are closed at once: whoever holds them all is on this machine.
HttpService::Queue HttpService::accept_from(int listening) {
  while (true) {
    Address peer;
    Fd descriptor = accept_connection(listening, peer);
    if (!descriptor.is_open()) {
      const bool is_stuck =
          errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      return is_stuck ? Queue::kStuck : Queue::kEmpty;
    }
    if (connections_.size() >= kConnectionsMax) continue;
    connections_.push_back(std::make_unique<Connection>(*this, std::move(descriptor), peer));
  }
}

void HttpService::drop(Connection& connection) {
  const auto at = std::find_if(connections_.begin(), connections_.end(),
                               [&](const auto& held) { return held.get() == &connection; });
  if (at == connections_.end()) return;
  loop_.bury(std::move(*at));
  connections_.erase(at);
}

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char low = static_cast<char>(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape =
        text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    if (is_escape) {
      out.push_back(static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    std::string_view value = text::cut(query, '&');
    const std::string_view key = text::cut(value, '=');
    if (percent_decoded(key) == name) return percent_decoded(value);
  }
  return {};
}

std::vector<std::string> path_segments(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (end > 0) segments.push_back(percent_decoded(path.substr(0, end)));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return segments;
}

}  // namespace limpet::control
