// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/redis_link.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <sys/socket.h>

#include "daemon/base/log.h"
#include "daemon/base/text.h"

namespace limpet::mcp {

// The library's callbacks record; the work is done when the library has returned.
struct RedisTrampolines {
  static RedisLink& link_of(const redisAsyncContext* context) noexcept {
    return *static_cast<RedisLink*>(context->data);
  }
  static void on_add_write(void* link) noexcept {
    static_cast<RedisLink*>(link)->wants_write_ = true;
  }
  static void on_del_write(void* link) noexcept {
    static_cast<RedisLink*>(link)->wants_write_ = false;
  }
  static void on_nothing(void*) noexcept {}
  // The context is about to be freed, and its descriptor closed.
  static void on_cleanup(void* link) noexcept {
    auto* self = static_cast<RedisLink*>(link);
    if (self->watch_ != nullptr) self->watch_->stop();
    self->context_ = nullptr;
  }
  static void on_connect(const redisAsyncContext* context, int status) noexcept {
    RedisLink& link = link_of(context);
    if (status == REDIS_OK)
      link.is_connected_ = true;
    else
      link.fault_ = context->errstr;
  }
  static void on_disconnect(const redisAsyncContext* context, int status) noexcept {
    RedisLink& link = link_of(context);
    if (link.fault_.empty())
      link.fault_ = status == REDIS_OK ? "the connection has ended" : context->errstr;
  }
  static void on_reply(redisAsyncContext* context, void* raw, void* serial) noexcept {
    RedisLink& link = link_of(context);
    const auto* reply = static_cast<const redisReply*>(raw);
    RedisAnswer answer;
    std::string fault;
    if (reply == nullptr) {
      fault = "the connection has ended";
    } else if (reply->type == REDIS_REPLY_ERROR) {
      fault = std::string(reply->str, reply->len);
    } else if (reply->type == REDIS_REPLY_NIL) {
      answer.kind = RedisAnswer::Kind::kMissing;
    } else if (reply->type == REDIS_REPLY_STRING) {
      answer.kind = RedisAnswer::Kind::kValue;
      answer.value.assign(reply->str, reply->len);
    } else {
      answer.kind = RedisAnswer::Kind::kDone;
    }
    link.take_report(reinterpret_cast<std::uintptr_t>(serial), std::move(answer), std::move(fault));
  }
};

RedisLink::RedisLink(RedisAddress address, RedisBounds bounds, DescriptorWatches& watches,
                     RedisNumbers numbers)
    : address_(std::move(address)),
      bounds_(bounds),
      watches_(watches),
      numbers_(numbers),
      watch_(watches.make(*this)),
      retry_after_(bounds.retry_first) {
  if (numbers_.is_up != nullptr) numbers_.is_up->set(0);
  connect();
}

RedisLink::~RedisLink() {
  pending_.clear();
  if (context_ != nullptr) redisAsyncFree(context_);
  if (numbers_.is_up != nullptr) numbers_.is_up->set(0);
}

void RedisLink::connect() {
  retry_at_ = kNever;
  fault_.clear();
  is_connected_ = false;
  wants_write_ = false;
  state_ = State::kConnecting;
  connect_deadline_ = watches_.now() + bounds_.connect_within;
  if (numbers_.connects != nullptr) numbers_.connects->add();
  const Address& to = address_.address;
  redisAsyncContext* context =
      to.is_unix() ? redisAsyncConnectUnix(to.unix_path().c_str())
                   : redisAsyncConnect(to.print_host().c_str(), static_cast<int>(to.port()));
  if (context == nullptr || context->err != 0) {
    const std::string trouble = context == nullptr ? "out of memory" : context->errstr;
    if (context != nullptr) redisAsyncFree(context);
    return go_down(trouble);
  }
  context_ = context;
  context->data = this;
  context->ev.data = this;
  context->ev.addRead = RedisTrampolines::on_nothing;
  context->ev.delRead = RedisTrampolines::on_nothing;
  context->ev.addWrite = RedisTrampolines::on_add_write;
  context->ev.delWrite = RedisTrampolines::on_del_write;
  context->ev.cleanup = RedisTrampolines::on_cleanup;
  // The library tells of a connect only when it writes; until then it has to want to.
  redisAsyncSetConnectCallback(context, RedisTrampolines::on_connect);
  redisAsyncSetDisconnectCallback(context, RedisTrampolines::on_disconnect);
  wants_write_ = true;
  watch_->start(context->c.fd);
  set_alarm();
}

// Password and database before anything else. Without either, a PING shows that it is Redis that
// answers.
void RedisLink::greet() {
  const std::string database = std::to_string(address_.database);
  std::vector<std::vector<std::string_view>> greetings;
  if (!address_.password.empty() && !address_.user.empty())
    greetings.push_back({"AUTH", address_.user, address_.password});
  else if (!address_.password.empty())
    greetings.push_back({"AUTH", address_.password});
  if (address_.database != 0) greetings.push_back({"SELECT", database});
  greetings.push_back({"PING"});
  greetings_left_ = greetings.size();
  for (const auto& words : greetings)
    send(words, nullptr, true);
}

void RedisLink::send(const std::vector<std::string_view>& words, OnAnswer on_answer,
                     bool is_greeting) {
  std::vector<const char*> texts;
  std::vector<std::size_t> lengths;
  for (const std::string_view word : words) {
    texts.push_back(word.data());
    lengths.push_back(word.size());
  }
  const std::uint64_t serial = ++last_serial_;
  pending_.push_back(
      {std::move(on_answer), watches_.now() + bounds_.answer_within, serial, is_greeting});
  const int sent = redisAsyncCommandArgv(
      context_, RedisTrampolines::on_reply, reinterpret_cast<void*>(serial),  // NOLINT
      static_cast<int>(words.size()), texts.data(), lengths.data());
  if (sent != REDIS_OK) take_report(serial, {}, "the command was not taken");
}

void RedisLink::get(std::string_view key, OnAnswer on_answer) {
  if (state_ != State::kUp || pending_.size() >= bounds_.pending_max) {
    if (numbers_.failed != nullptr) numbers_.failed->add();
    return on_answer({});
  }
  send({"GET", key}, std::move(on_answer), false);
  pump();
}

void RedisLink::set(std::string_view key, std::string_view value, std::chrono::seconds expiry,
                    OnAnswer on_answer) {
  if (state_ != State::kUp || pending_.size() >= bounds_.pending_max) {
    if (numbers_.failed != nullptr) numbers_.failed->add();
    return on_answer({});
  }
  const std::string seconds = std::to_string(std::max<std::int64_t>(1, expiry.count()));
  send({"SET", key, value, "EX", seconds}, std::move(on_answer), false);
  pump();
}

void RedisLink::remove(std::string_view key, OnAnswer on_answer) {
  if (state_ != State::kUp || pending_.size() >= bounds_.pending_max) {
    if (numbers_.failed != nullptr) numbers_.failed->add();
    return on_answer({});
  }
  send({"DEL", key}, std::move(on_answer), false);
  pump();
}

void RedisLink::take_report(std::uint64_t serial, RedisAnswer answer, std::string fault) {
  const auto at = std::find_if(pending_.begin(), pending_.end(),
                               [&](const Pending& pending) { return pending.serial == serial; });
  if (at == pending_.end()) return;  // the link is dying
  Pending pending = std::move(*at);
  pending_.erase(at);
  if (pending.is_greeting) {
    if (!fault.empty() && fault_.empty()) fault_ = "Redis refuses: " + text::escaped(fault);
    if (fault.empty() && --greetings_left_ == 0) state_ = State::kUp;
    return;
  }
  const bool is_failed = !fault.empty();
  Counter* counter = is_failed ? numbers_.failed : numbers_.done;
  if (counter != nullptr) counter->add();
  if (is_failed) answer = {};
  reports_.push_back({std::move(pending.on_answer), std::move(answer)});
}

// Edges are told once: read until it would block.
void RedisLink::read_all() {
  while (context_ != nullptr && fault_.empty()) {
    char byte = 0;
    const ssize_t waiting = ::recv(context_->c.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (waiting < 0 && (errno == EAGAIN || errno == EINTR)) return;
    redisAsyncHandleRead(context_);
  }
}

void RedisLink::write_all() {
  while (context_ != nullptr && wants_write_ && fault_.empty()) {
    const std::size_t before = sdslen(context_->c.obuf);
    const bool was_connected = is_connected_;
    redisAsyncHandleWrite(context_);
    if (context_ == nullptr) return;
    const bool has_moved = sdslen(context_->c.obuf) < before || is_connected_ != was_connected;
    if (!has_moved) return;
  }
}

void RedisLink::pump() {
  const State before = state_;
  write_all();
  if (is_connected_ && state_ == State::kConnecting && greetings_left_ == 0 && context_ != nullptr)
    greet();
  write_all();
  if (is_connected_) read_all();
  if (!fault_.empty()) return go_down(std::exchange(fault_, {}));
  if (before != State::kUp && state_ == State::kUp) {
    connect_deadline_ = kNever;
    retry_after_ = bounds_.retry_first;
    trouble_.clear();
    is_log_due_ = true;
    if (numbers_.is_up != nullptr) numbers_.is_up->set(1);
    log::info("the session store is reachable", {{"store", address_.print()}});
  }
  set_alarm();
  deliver();
}

void RedisLink::on_edge() {
  if (context_ != nullptr) pump();
}

void RedisLink::on_alarm() {
  const Instant now = watches_.now();
  if (state_ == State::kDown) {
    if (now >= retry_at_) return connect();
  } else if (now >= connect_deadline_) {
    return go_down("no connection in time");
  } else if (!pending_.empty() && now >= pending_.front().deadline) {
    return go_down("no answer in time");
  }
  set_alarm();
}

void RedisLink::go_down(std::string trouble) {
  state_ = State::kDown;
  trouble_ = std::move(trouble);
  connect_deadline_ = kNever;
  // Frees the context, closes the descriptor and reports every command as failed.
  if (context_ != nullptr) redisAsyncFree(context_);
  fault_.clear();
  greetings_left_ = 0;
  is_connected_ = false;
  while (!pending_.empty())
    take_report(pending_.front().serial, {}, trouble_);
  fault_.clear();
  retry_at_ = watches_.now() + retry_after_;
  retry_after_ = std::min(retry_after_ * 2, bounds_.retry_last);
  if (numbers_.is_up != nullptr) numbers_.is_up->set(0);
  if (std::exchange(is_log_due_, false)) {
    log::warning(
        "the session store cannot be reached; sessions are routed as before, only carrying over "
        "between instances is lost until it comes back",
        {{"store", address_.print()}, {"trouble", trouble_}});
  }
  set_alarm();
  deliver();
}

void RedisLink::set_alarm() {
  Instant next = state_ == State::kDown ? retry_at_ : connect_deadline_;
  if (state_ != State::kDown && !pending_.empty()) next = std::min(next, pending_.front().deadline);
  watch_->set_alarm(next);
}

// An answer may ask for more, whose answers follow in the same way.
void RedisLink::deliver() {
  while (!reports_.empty()) {
    std::vector<Report> reports = std::exchange(reports_, {});
    for (const Report& report : reports) {
      if (report.on_answer) report.on_answer(report.answer);
    }
  }
}

}  // namespace limpet::mcp
