// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/relay.h"

#include <array>
#include <cstring>
#include <utility>

#include "daemon/http/forwarded.h"
#include "daemon/http/websocket.h"
#include "daemon/proxy/answers.h"
#include "daemon/proxy/client_stream.h"
#include "daemon/proxy/connection_cache.h"
#include "daemon/proxy/generation.h"
#include "daemon/proxy/replica_stream.h"
#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {

// With a PROXY header, which names the client as the listener knows it.
[[gnu::noinline]] Lent lend_in_the_name_of(const ClientFacts& client, ReplicaSlot& slot,
                                           Lease& lease, LendWish wish) {
  const auto parsed = Address::parse_ip(client.address);
  const Address endpoint = parsed ? parsed->with_port(client.port) : Address{};
  wish.client = &endpoint;
  return slot.lend(lease, wish);
}

}  // namespace

Relay::Relay(WorkerRoom& room, ClientStream& client, Arena& arena, RequestHead& head)
    : room_(room),
      client_(client),
      generation_(&room.generation()),
      exchange_(arena, client.facts(), head),
      lease_(*this),
      timer_(*this) {
  generation_->count_in();
  exchange_.times.started = room.loop().now();
  exchange_.door = this;
  exchange_.client_address = exchange_.client.address;
  is_request_ended_ = head.body.kind == BodyLength::Kind::kNone;
}

Relay::~Relay() { generation_->count_out(); }

// 1. A request head has arrived.
// ----------------------------------------------------------------------------

void Relay::begin() {
  state_ = State::kSelecting;
  route();
  if (pool_ != nullptr && pool_->may_queue()) [[unlikely]]
    keep_head();
  prepare_request();
  // The chain may answer by itself; otherwise it goes on to a replica.
  const Chain& chain = pool_ != nullptr ? pool_->chain : generation_->bare_chain();
  static_cast<void>(chain.ask_request(exchange_));
  if (exchange_.answer.status != 0) {
    answer_locally();
    return;
  }
  if (exchange_.body_wanted_bytes > 0) {
    read_body_first();
  } else {
    go_on(Next::kSelect);
  }
}

// A module wants to see what the request says before it is given to anybody.
void Relay::read_body_first() {
  // A client that waits for "continue" is told so by the replica, which then gets the body first.
  if (is_request_ended_ || exchange_.request.expects_continue) {
    if (!held_body_.is_empty()) return on_body_seen();  // of one that begins again
    exchange_.is_request_body_whole = is_request_ended_;
    go_on(Next::kSelect);
    return;
  }
  state_ = State::kReading;
}

void Relay::on_body_seen() {
  exchange_.request_body = held_body_.view();
  exchange_.is_request_body_whole = keeps_body_ = is_request_ended_;
  go_on(Next::kSelect);
}

void Relay::route() {
  const RequestHead& request = exchange_.request;
  if (request.method == Method::kConnect) {
    exchange_.answer = {.status = 501,
                        .detail = "CONNECT is not supported: this is not a forward proxy"};
    return;
  }
  const RoutePlan* found = generation_->router().match(request.authority, request.path);
  if (found == nullptr) {
    exchange_.answer = {.status = 404, .detail = "no route leads there"};
    return;
  }
  if (found->pool == nullptr) {
    exchange_.answer = {.status = found->status, .body = found->body};
    if (!found->redirect_to.empty()) {
      exchange_.answer.location = redirect_location(exchange_.arena, found->redirect_to, request);
    }
    return;
  }
  pool_ = &generation_->pool(*found->pool);
  exchange_.pool = &found->pool->facts;
  const std::uint64_t bytes_max = generation_->snapshot().limits.request_body_bytes;
  if (bytes_max > 0 && request.body.kind == BodyLength::Kind::kKnown &&
      request.body.bytes > bytes_max) {
    exchange_.answer = {.status = 413, .detail = "the request body is larger than this site takes"};
    room_.counters().limit_body->add();
  }
}

void Relay::prepare_request() {
  const ClientFacts& client = exchange_.client;
  // RFC 9110 section 7.4: nobody but a proxy that is believed says https of what came in the clear.
  if (exchange_.request.scheme.empty() || !client.is_trusted)
    exchange_.request.scheme = client.is_secure ? std::string_view("https") : "http";
  if (client.is_trusted) {
    exchange_.client_address =
        true_client(exchange_.request.fields, client.address, room_.trust_of(client.listener));
  }
  add_forwarding(exchange_.request,
                 {.client_address = client.address,
                  .is_secure = client.is_secure,
                  .trust = client.is_trusted ? ClientTrust::kTrusted : ClientTrust::kUntrusted});
}

// 2. A replica is chosen: affinity prefers, balance picks among the eligible.
// ---------------------------------

void Relay::choose_replica() {
  Candidates candidates(*exchange_.pool, exchange_, pool_->plan->limits, room_.loop().now(),
                        pool_->is_panicking(room_.loop().now()));
  static_cast<void>(pool_->chain.ask_select(exchange_, candidates));
  const Choice& choice = candidates.choice();
  if (choice.kind == Choice::Kind::kWait) {
    wait(choice);
    return;
  }
  if (state_ == State::kWaiting) {
    exchange_.times.queued += room_.loop().now() - waiting_since_;
    waiting_since_ = kNever;
    pool_->waiting->leave(*this);
    timer_.disarm();
    await(nullptr);
  }
  state_ = State::kSelecting;
  switch (choice.kind) {
    case Choice::Kind::kChosen:
      exchange_.replica = choice.replica;
      go_on(Next::kReach);
      return;
    case Choice::Kind::kAnswer:
      answer_locally();
      return;
    case Choice::Kind::kNone:
    case Choice::Kind::kWait:
      answer(503, "no replica of the pool is available");
      return;
  }
}

// 3. The replica is reached: over a kept connection, or a new one.
// --------------------------------------------

void Relay::reach_replica() {
  exchange_.times.selected = room_.loop().now();
  exchange_.attempts[exchange_.attempts_count++] = {
      exchange_.replica, FailureCause::kNone, false, {}};
  has_redialled_ = false;
  dial(Dial::kFirst);
}

void Relay::dial(Dial which) {
  slot_ = &pool_->slot(*exchange_.replica);
  slot_->count_in();
  state_ = State::kConnecting;
  // What could not be sent a second time is worth a look at the connection before.
  const bool is_repeatable = is_request_ended_ && is_idempotent(exchange_.request.method);
  LendWish wish;
  wish.freshness = which == Dial::kAgain ? LendWish::Freshness::kNew
                   : is_repeatable       ? LendWish::Freshness::kAny
                                         : LendWish::Freshness::kChecked;
  wish.connect_timeout = pool_->plan->timeouts.connect;
  const Lent lent = slot_->reach().proxy_header == ProxyVersion::kNone
                        ? slot_->lend(lease_, wish)
                        : lend_in_the_name_of(exchange_.client, *slot_, lease_, wish);
  if (lent.cause != FailureCause::kNone) {
    on_attempt_failed(lent.cause);
    return;
  }
  was_reused_ = lent.is_reused;
  if (lent.is_connected) {
    send_request();
  } else {
    hold_client();
  }
}

void Relay::pause_client() {
  is_client_paused_ = true;
  client_.pause_reading();
}

void Relay::resume_client() {
  if (std::exchange(is_client_paused_, false)) [[unlikely]]
    client_.resume_reading();
}

// The client's body stays where it is until there is somebody to send it to; without one, reading
// on tells whether the client is still there.
void Relay::hold_client() {
  if (!client_.is_request_complete()) pause_client();
}

void Relay::on_leased() {
  Attempt& attempt = exchange_.attempts[exchange_.attempts_count - 1U];
  attempt.connect = room_.loop().now() - exchange_.times.selected;
  was_reused_ = replica()->is_reused();
  send_request();
  flush_replica();
}

// 4. The request is sent.
// ---------------------------------------------------------------------------------------

void Relay::send_request() {
  RequestHead& request = exchange_.request;
  if (!exchange_.pool->forwards_client_host) {
    request.authority = exchange_.replica->address_text;
    request.fields.set(FieldName::kHost, request.authority);
  }
  if (!request.upgrade.empty()) prepare_upgrade();
  state_ = State::kAwaitingHead;
  exchange_.times.sent = room_.loop().now();
  is_request_end_sent_ = is_let_on_ = false;
  replica()->send_head(request);
  send_held_body();
  expect_head();
  resume_client();
}

// A head is owed by a replica that was told everything, or is asked whether the rest shall come.
void Relay::expect_head() {
  const bool is_asked = exchange_.request.expects_continue && !has_sent_body_ && !is_let_on_;
  const bool is_owed = is_request_ended_ || is_asked;
  replica()->expect_within(is_owed ? pool_->plan->timeouts.response_head : kForever,
                           FailureCause::kHeadTimeout, *room_.counters().timeout_response_head);
}

// A WebSocket that came over HTTP/2 has no key (RFC 8441 section 5); a replica in HTTP/1 wants one.
void Relay::prepare_upgrade() {
  RequestHead& request = exchange_.request;
  if (request.upgrade != "websocket" || request.fields.find(FieldName::kSecWebsocketKey) != nullptr)
    return;
  std::array<std::uint8_t, 16> random{};
  for (std::size_t i = 0; i < random.size(); i += 8) {
    const std::uint64_t word = room_.services().random.next();
    std::memcpy(&random[i], &word, 8);
  }
  const WebSocketKey key = make_websocket_key(random);
  request.fields.add(FieldName::kSecWebsocketKey, exchange_.arena.copy(as_text(key)));
}

// The answer to a WebSocket's handshake proves that the replica understood it (RFC 6455 section
// 4.2.2); one that came over HTTP/2 proves it by its status, and a client in HTTP/1 wants the
// proof.
bool Relay::fits_upgrade(ResponseHead& head) {
  const std::string_view key = exchange_.request.fields.value(FieldName::kSecWebsocketKey);
  if (exchange_.request.upgrade != "websocket" || !is_websocket_key(key)) return true;
  const Field* accept = head.fields.find(FieldName::kSecWebsocketAccept);
  if (accept != nullptr) return is_accept_for(accept->value(), key);
  if (head.version != HttpVersion::kHttp2) return false;
  head.fields.add(FieldName::kSecWebsocketAccept, exchange_.arena.copy(as_text(accept_for(key))));
  return true;
}

void Relay::send_held_body() {
  if (keeps_body_) {
    if (!held_body_.is_empty()) replica()->send_body(held_body_.view());
  } else if (!held_body_.is_empty()) {
    has_sent_body_ = true;
    replica()->send_body(held_body_.view());
    held_body_.clear();
    exchange_.request_body = {};
  }
  if (is_request_ended_ && !is_request_end_sent_) {
    is_request_end_sent_ = true;
    // A head that announced no body was the end as well.
    if (exchange_.request.body.kind != BodyLength::Kind::kNone)
      replica()->send_end(request_trailers_);
  }
}

void Relay::on_request_body(std::string_view bytes) {
  exchange_.request_body_bytes += bytes.size();
  const std::uint64_t bytes_max = generation_->snapshot().limits.request_body_bytes;
  if (bytes_max > 0 && exchange_.request_body_bytes > bytes_max && state_ != State::kTunnel) {
    room_.counters().limit_body->add();
    on_request_fault(413, "the request body is larger than this site takes");
    return;
  }
  if (replica() == nullptr || !replica()->is_connected() || state_ < State::kAwaitingHead) {
    if (state_ != State::kOver) held_body_.append(bytes);
    if (!exchange_.request_body.empty()) exchange_.request_body = held_body_.view();
    if (state_ == State::kCollecting) {
      if (!must_collect_body()) answer_locally();
    } else if (state_ == State::kReading) {
      if (held_body_.size() >= exchange_.body_wanted_bytes) on_body_seen();
    } else if (held_body_.size() >= room_.buffer_bytes_max()) {
      pause_client();
    }
    return;
  }
  const bool is_first = !std::exchange(has_sent_body_, true);
  replica()->send_body(bytes);
  // A client need not wait to be let on.
  if (is_first && exchange_.request.expects_continue && state_ == State::kAwaitingHead)
    expect_head();
  if (replica()->queued_bytes() > room_.pause_above_bytes()) pause_client();
}

void Relay::on_request_trailers(HeaderList& trailers) { request_trailers_ = &trailers; }

void Relay::on_request_end() {
  // Of a request without a body the head was the end.
  if (is_request_end_sent_ && state_ != State::kTunnel) return;
  is_request_ended_ = true;
  if (state_ == State::kTunnel) {
    if (is_response_ended_) {
      finish(Ending::kComplete);
    } else {
      replica()->end_writing();
      // A replica that does not end its half after that is not waited for for ever.
      replica()->expect_within(room_.timeouts().client_stall, FailureCause::kBodyTimeout,
                               *room_.counters().timeout_client_stall);
    }
    return;
  }
  if (state_ == State::kCollecting) return answer_locally();
  if (state_ == State::kReading) return on_body_seen();
  if (state_ == State::kAwaitingHead || state_ == State::kResponding || state_ == State::kJudging)
    send_held_body();
  if (state_ == State::kAwaitingHead) expect_head();
}

void Relay::flush_replica() {
  if (replica() == nullptr || !replica()->is_connected()) return;
  replica()->flush();
  // Many small pieces may have filled the queue that one write has emptied.
  if (is_client_paused_ && replica()->queued_bytes() <= room_.pause_above_bytes()) resume_client();
}

void Relay::on_replica_drained() { resume_client(); }

// 5. The response comes.
// ----------------------------------------------------------------------------------------

void Relay::on_informational(ResponseHead& head) {
  if (is_client_started_) return;
  client_.send_informational(head);
  if (head.status == 100 && state_ == State::kAwaitingHead) {
    is_let_on_ = true;
    expect_head();
  }
}

void Relay::on_response_head(ResponseHead& head) {
  if (head.body.kind == BodyLength::Kind::kTunnel && !fits_upgrade(head)) {
    on_attempt_failed(FailureCause::kBadResponse);
    return;
  }
  exchange_.times.first_byte = room_.loop().now();
  if (pool_->retries_status(head.status) && is_tried_elsewhere(head.status)) return;
  if (exchange_.answer_judge != nullptr && holds_answer(head)) return;
  if (is_continuing_) return continue_response(head);
  begin_response(head);
}

// For an answer that the configuration would rather not have.
bool Relay::is_tried_elsewhere(std::uint16_t status) {
  const Repeat repeat = repeat_of(FailureCause::kStatus);
  if (repeat == Repeat::kForbidden) return false;
  exchange_.attempts[exchange_.attempts_count - 1U].failure = FailureCause::kStatus;
  const Failure failure{FailureCause::kStatus, repeat, status};
  return exchange_.attempts_count < pool_->attempts_max() &&
         pool_->chain.ask_failure(exchange_, failure) == Verdict::kSettled && finds_another();
}

void Relay::begin_response(ResponseHead& head) {
  exchange_.response = &head;
  exchange_.status = head.status;
  room_.add_response_lines(head);
  pool_->chain.tell_response(exchange_);
  is_client_started_ = true;
  // The client was told to wait before it sends its body, and will not hear "continue": the
  // connection cannot be used again.
  if (exchange_.request.expects_continue && !is_request_ended_ && !has_sent_body_)
    client_.close_after_this();
  client_.send_head(head);
  if (head.body.kind == BodyLength::Kind::kTunnel) {
    state_ = State::kTunnel;
    is_request_ended_ = false;
    client_.close_after_this();
    replica()->enter_tunnel();
    client_.enter_tunnel();
    if (replica() == nullptr) return;
    expect_more(BodyLength::Kind::kTunnel);
    if (client_.has_ended_reading()) on_request_end();
    return;
  }
  state_ = State::kResponding;
  if (exchange_.keep_alive_every != kForever) start_keep_alive();
  expect_more(head.body.kind);
  // The client left while the replica was thinking, and events will not bring it back.
  if (client_.has_ended_reading() && is_event_stream(head)) client_.cut(Ending::kClientGone);
}

// A body with a known end has to go on; a stream may be silent as long as the configuration lets
// it.
void Relay::expect_more(BodyLength::Kind kind) {
  const bool has_known_end = kind == BodyLength::Kind::kKnown || kind == BodyLength::Kind::kNone;
  const PoolTimeoutsModel& timeouts = pool_->plan->timeouts;
  ProxyCounters& counters = room_.counters();
  replica()->expect_within(
      has_known_end ? timeouts.response_body : timeouts.stream_idle, FailureCause::kBodyTimeout,
      has_known_end ? *counters.timeout_response_body : *counters.timeout_stream_idle);
}

void Relay::on_response_body(std::string_view bytes) {
  if (judged_ != nullptr) {
    held_answer_.append(bytes);
    if (state_ == State::kJudging) judge();
    return;
  }
  if (state_ == State::kOver || !client_.carries_body()) return;
  if (exchange_.response_hook != nullptr) {
    scratch_.clear();
    bytes = exchange_.response_hook->on_body(bytes, scratch_);
    last_said_ = room_.loop().now();
    if (bytes.empty()) return;
  }
  exchange_.response_body_bytes += bytes.size();
  client_.send_body(bytes);
  if (client_.queued_bytes() > room_.pause_above_bytes()) replica()->pause_reading();
}

void Relay::on_client_drained() {
  if (replica() != nullptr) replica()->resume_reading();
}

void Relay::on_response_trailers(HeaderList& trailers) { response_trailers_ = &trailers; }

void Relay::flush_client() {
  if (state_ == State::kOver) return;
  client_.flush();
  if (replica() != nullptr && client_.queued_bytes() <= room_.pause_above_bytes())
    replica()->resume_reading();
}

void Relay::on_response_end() {
  if (state_ == State::kTunnel) {
    is_response_ended_ = true;
    if (is_request_ended_) {
      finish(Ending::kComplete);
      return;
    }
    client_.end_writing();
    // A client that does not end its half after that is not waited for for ever.
    replica()->expect_within(room_.timeouts().client_stall, FailureCause::kBodyTimeout,
                             *room_.counters().timeout_client_stall);
    return;
  }
  if (judged_ != nullptr) {
    is_answer_whole_ = true;
    if (state_ == State::kJudging) judge();
    return;
  }
  if (exchange_.response_hook != nullptr) {
    scratch_.clear();
    const std::string_view last = exchange_.response_hook->on_end(scratch_);
    if (!last.empty()) client_.send_body(last);
  }
  client_.send_end(response_trailers_);
  finish(Ending::kComplete);
}

}  // namespace limpet
