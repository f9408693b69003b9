// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/dialler.h"

#include <cerrno>
#include <string>
#include <utility>

#include <sys/socket.h>

#include "daemon/base/log.h"
#include "daemon/net/socket.h"
#include "daemon/proxy/connection_cache.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

Dialler::Dialler(WorkerRoom& room, ReplicaSlot& slot, Fd fd, Sharing sharing)
    : room_(room),
      slot_(slot),
      fd_(std::move(fd)),
      watch_(*this),
      timer_(*this),
      way_(slot.way()),
      sharing_(sharing) {}

Dialler::~Dialler() = default;

void Dialler::start(Duration timeout) {
  slot_.on_dialling(*this);
  watch_.start(room_.loop(), fd_.number(), Watch::Trigger::kEdgeBoth);
  timer_.arm(room_.loop().timers(), deadline_after(room_.loop().now(), timeout));
}

void Dialler::join(Lease& lease) {
  Arena& arena = lease.holder().arena();
  auto* place = new (arena.allocate(sizeof(DialPlace))) DialPlace();
  place->lend(lease);
  places_.push_back(*place);
}

void Dialler::on_ready(Readiness ready) {
  if (state_ == State::kConnecting && (ready.is_writable() || ready.is_ending())) {
    on_connected();
  } else if (state_ == State::kHandshake) {
    go_on();
  }
  room_.after_callback();
}

void Dialler::on_timer(Timer&) {
  if (state_ != State::kOver) {
    room_.counters().timeout_connect->add();
    fail(FailureCause::kConnectTimeout);
  }
  room_.after_callback();
}

void Dialler::on_connected() {
  const int reason = connect_result(fd_.number());
  if (reason != 0) {
    fail(reason == ECONNREFUSED ? FailureCause::kConnectRefused : FailureCause::kConnectFailed);
    return;
  }
  if (!first_.is_empty() && !send_rest_of_first()) return;
  begin_handshake();
}

bool Dialler::send_rest_of_first() {
  const std::string_view bytes = first_.view();
  const ssize_t sent = ::send(fd_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  // The first bytes of a connection fit into any socket.
  if (sent != static_cast<ssize_t>(bytes.size())) {
    fail(FailureCause::kConnectFailed);
    return false;
  }
  first_.clear();
  return true;
}

void Dialler::begin_handshake() {
  const ReplicaReach& reach = slot_.reach();
  if (reach.tls == nullptr) {
    hand_over(reach.protocol == ReplicaProtocol::kHttp2);
    return;
  }
  state_ = State::kHandshake;
  tls_ = TlsSession::connect(reach.tls, fd_.number(), {slot_.host(), slot_.session_ticket()});
  if (tls_ == nullptr) {
    fail(FailureCause::kConnectFailed);
    return;
  }
  go_on();
}

void Dialler::go_on() {
  switch (tls_->handshake()) {
    case TlsSession::Progress::kDone:
      hand_over(tls_->alpn() == Alpn::kHttp2);
      return;
    case TlsSession::Progress::kWantsRead:
    case TlsSession::Progress::kWantsWrite:
      return;
    case TlsSession::Progress::kFailed:
      break;
  }
  const TlsFailure& failure = tls_->failure();
  if (const auto silent = slot_.tls_failures().admit(failure.cause, room_.loop().now())) {
    log::warning("TLS with a replica failed", {{"address", slot_.address().print()},
                                               {"cause", word_of(failure.cause)},
                                               {"reason", failure.text},
                                               {"more_of_this", std::to_string(*silent)}});
  }
  fail(FailureCause::kConnectFailed);
}

// Over to the connection
// -----------------------------------------------------------------------------------------

Transport Dialler::take_transport() {
  Transport transport(std::move(fd_));
  transport.start_tls(std::move(tls_));
  return transport;
}

void Dialler::hand_over(bool is_http2) {
  watch_.stop();
  if (!is_http2 && slot_.reach().protocol == ReplicaProtocol::kHttp2) {
    log::warning("a replica does not speak HTTP/2, which its pool's `protocol` asks for",
                 {{"address", slot_.address().print()}});
    fail(FailureCause::kConnectFailed);
    return;
  }
  slot_.learn(is_http2 ? ReplicaProtocol::kHttp2 : ReplicaProtocol::kHttp1);
  if (!is_http2) {
    hand_over_http1();
    return;
  }
  state_ = State::kGreeting;
  greeting_ =
      &room_.take_in(std::make_unique<Http2Replica>(room_, slot_, take_transport(), sharing_));
  greeting_->start(*this);
}

void Dialler::on_greeted(Http2Replica& connection) {
  greeting_ = nullptr;
  // A replica that allows no stream at all would be dialled again for ever.
  if (!connection.has_room()) {
    connection.leave();
    fail(FailureCause::kRefusedStream);
    return;
  }
  const bool is_outdated = way_ != slot_.way();
  if (connection.is_shared() && !is_outdated) slot_.share(connection);
  end();
  while (DialPlace* place = places_.front()) {
    Lease& lease = *place->lease();
    place->cancel();
    if (!connection.has_room()) {
      // More wait than the replica takes on one connection: they dial again.
      slot_.lend_again(lease);
      continue;
    }
    connection.open(lease);
    lease.holder().on_leased();
  }
  if (is_outdated) connection.leave();
}

void Dialler::hand_over_http1() {
  end();
  auto& connection = room_.take_in(std::make_unique<ReplicaConnection>(
      room_, slot_, take_transport(), ReplicaConnection::Stage::kConnected, way_));
  connection.start();
  DialPlace* first = places_.front();
  if (first == nullptr) {
    connection.finish(true);
    return;
  }
  Lease& lease = *first->lease();
  first->cancel();
  connection.lend(lease);
  lease.holder().on_leased();
  // Others waited for a connection to share, and this one is not.
  while (DialPlace* place = places_.front()) {
    Lease& next = *place->lease();
    place->cancel();
    slot_.lend_again(next);
  }
}

void Dialler::on_greeting_failed(FailureCause cause) {
  greeting_ = nullptr;
  fail(cause);
}

void Dialler::fail(FailureCause cause) {
  if (state_ == State::kOver) return;
  end();
  while (DialPlace* place = places_.front()) {
    LeaseHolder& holder = place->lease()->holder();
    place->cancel();
    holder.on_attempt_failed(cause);
  }
}

void Dialler::drop() {
  while (DialPlace* place = places_.front())
    place->cancel();
  if (state_ != State::kOver) end();
}

void Dialler::end() {
  state_ = State::kOver;
  watch_.stop();
  timer_.disarm();
  if (greeting_ != nullptr) {
    greeting_->forget_greeter();
    std::exchange(greeting_, nullptr)->drop();
  }
  slot_.on_dialled(*this);
  ReplicaSide::unlink();
  room_.loop().bury(std::unique_ptr<Mortal>(this));
}

}  // namespace limpet
