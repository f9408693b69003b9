// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/doorway.h"

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include <sys/socket.h>

#include "daemon/base/log.h"
#include "daemon/http/proxy_header.h"
#include "daemon/net/transport.h"
#include "daemon/proxy/client_connection.h"
#include "daemon/proxy/http2_client.h"
#include "daemon/proxy/listener.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {

std::string print_with_port(const ClientOrigin& client) {
  const auto address = Address::parse_ip(client.address);
  return address ? address->with_port(client.port).print() : client.address;
}

}  // namespace

Doorway::Doorway(WorkerRoom& room, Fd fd, ClientOrigin origin, const ListenerAtWork& listener)
    : ClientSide(listener, origin),
      room_(room),
      fd_(std::move(fd)),
      origin_(std::move(origin)),
      watch_(*this),
      timer_(*this) {}

Doorway::~Doorway() = default;

void Doorway::start() {
  watch_.start(room_.loop(), fd_.number(), Watch::Trigger::kEdgeBoth);
  const Duration patience =
      listener().tls == nullptr ? room_.timeouts().request_head : listener().handshake_timeout;
  timer_.arm(room_.loop().timers(), deadline_after(room_.loop().now(), patience));
  if (listener().reads_proxy_header) {
    read_header();
  } else {
    begin_handshake();
  }
}

void Doorway::on_ready(Readiness ready) {
  if (!is_over() && state_ == State::kHeader)
    read_header();
  else if (!is_over())
    go_on();
  // An end that came in one edge with bytes is told by no other.
  if (!is_over() && state_ == State::kHandshake && ready.is_ending()) go_on();
  room_.after_callback();
}

void Doorway::on_timer(Timer&) {
  if (is_over()) return;
  if (tls_ != nullptr) {
    tls_->on_handshake_timeout();
    fail_handshake();
  } else {
    room_.counters().timeout_request_head->add();
    listener().proxy_errors->add();
    close();
  }
  room_.after_callback();
}

// The header is looked at before it is taken, so that what follows it stays where TLS or HTTP will
// read it.
void Doorway::read_header() {
  // Anybody else speaks for itself; a header from there is no valid request.
  if (!origin_.is_trusted) return begin_handshake();
  std::array<char, kProxyHeaderBytesMax> seen;
  const ssize_t got = ::recv(fd_.number(), seen.data(), seen.size(), MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return close();
  const ProxyReading reading = read_proxy_header({seen.data(), static_cast<std::size_t>(got)});
  if (reading.state == ProxyReading::State::kNeedsMore) return;
  if (reading.state == ProxyReading::State::kRefused) {
    listener().proxy_errors->add();
    log::warning("no valid PROXY header; connection closed", {{"listener", listener().name},
                                                              {"client", print_with_port(origin_)},
                                                              {"reason", reading.reason}});
    return close();
  }
  static_cast<void>(::recv(fd_.number(), seen.data(), reading.bytes, MSG_DONTWAIT));
  const ProxyHeader& header = reading.header;
  if (header.kind == ProxyHeader::Kind::kForwarded && header.source.is_ip()) {
    origin_.address = header.source.print_host();
    origin_.port = header.source.port();
    origin_.is_trusted = listener().trusts(header.source);
    if (header.tls == ProxyHeader::Tls::kYes) origin_.is_secure = true;
    if (!room_.count_client(header.source, origin_)) return close();
  }
  begin_handshake();
}

void Doorway::begin_handshake() {
  if (listener().tls == nullptr) return hand_over();
  state_ = State::kHandshake;
  if (listener().handshakes_max > 0 && listener().handshakes >= listener().handshakes_max) {
    room_.counters().limit_handshakes->add();
    return close();
  }
  ++listener().handshakes;
  is_shaking_ = true;
  tls_ = TlsSession::accept(listener().tls, fd_.number());
  if (tls_ == nullptr) return close();
  go_on();
}

void Doorway::go_on() {
  switch (tls_->handshake()) {
    case TlsSession::Progress::kDone:
      origin_.is_secure = true;
      hand_over();
      return;
    case TlsSession::Progress::kWantsRead:
    case TlsSession::Progress::kWantsWrite:
      return;
    case TlsSession::Progress::kFailed:
      fail_handshake();
      return;
  }
}

void Doorway::fail_handshake() {
  const TlsFailure& failure = tls_->failure();
  listener().tls_counters->failed(failure.cause);
  if (const auto silent = listener().tls_failures->admit(failure.cause, room_.loop().now())) {
    log::warning("TLS handshake failed", {{"listener", listener().name},
                                          {"client", print_with_port(origin_)},
                                          {"cause", std::string(word_of(failure.cause))},
                                          {"reason", failure.text},
                                          {"more_of_this", std::to_string(*silent)}});
  }
  close();
}

void Doorway::hand_over() {
  watch_.stop();
  timer_.disarm();
  is_over_ = true;
  bool is_http2 = false;
  if (tls_ != nullptr) {
    --listener().handshakes;
    listener().tls_counters->done(tls_->protocol(), tls_->was_resumed()
                                                        ? TlsCounters::Kind::kResumed
                                                        : TlsCounters::Kind::kFull);
    is_http2 = tls_->alpn() == Alpn::kHttp2;
    if (listener().asks_for_certificate) {
      std::string subject = tls_->client_subject();
      if (!subject.empty()) origin_.tls_subject = std::make_unique<std::string>(std::move(subject));
    }
  }
  ClientSide::unlink();
  Transport transport(std::move(fd_));
  transport.start_tls(std::move(tls_));
  if (is_http2) {
    room_.admit_http2(std::move(transport), std::move(origin_), listener(), Buffer());
  } else {
    room_.admit_http1(std::move(transport), std::move(origin_), listener());
  }
  room_.loop().bury(std::unique_ptr<Mortal>(this));
}

void Doorway::cut(Ending) { close(); }

void Doorway::close() {
  if (is_over()) return;
  is_over_ = true;
  watch_.stop();
  timer_.disarm();
  if (is_shaking_) --listener().handshakes;
  tls_.reset();
  fd_.reset();
  ClientSide::unlink();
  origin_.ticket.reset();
  room_.on_client_closed(listener(), ClientProtocol::kUnknown);
  room_.loop().bury(std::unique_ptr<Mortal>(this));
}

}  // namespace limpet
