// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/tls_shelf.h"

#include <array>
#include <utility>

#include "daemon/base/log.h"

namespace limpet {

namespace {

AlpnChoice alpn_of(const ListenerModel& listener) noexcept {
  return listener.http2 ? AlpnChoice::kHttp2AndHttp1 : AlpnChoice::kHttp1;
}

}  // namespace

void TlsShelf::begin_round(Round round) {
  round_ = round;
  next_servers_.clear();
  next_clients_.clear();
}

std::shared_ptr<TicketKeys> TlsShelf::tickets_for(const ListenerModel& listener, Instant now) {
  const TicketsModel& wanted = listener.tls->tickets;
  const auto known = servers_.find(listener.name);
  // Keys outlive reloads, so that the tickets of before still open.
  if (known != servers_.end() && known->second.rotate == wanted.rotate &&
      known->second.ticket_file == wanted.file) {
    return known->second.tls.tickets;
  }
  auto made = wanted.file.empty() ? TicketKeys::rotating(wanted.rotate, now)
                                  : TicketKeys::from_file(wanted.file);
  if (made) return std::move(*made);
  listener.tls->settings.table("tickets").mistake("file", made.error().text);
  return nullptr;
}

ServerTls TlsShelf::server(const ListenerModel& listener, Instant now) {
  const auto known = servers_.find(listener.name);
  if (round_ == Round::kSame && known != servers_.end()) {
    next_servers_.insert_or_assign(listener.name, known->second);
    return known->second.tls;
  }
  Server made{{}, listener.tls->tickets.rotate, listener.tls->tickets.file};
  made.tls.tickets = tickets_for(listener, now);
  TlsMistakes mistakes;
  made.tls.context =
      TlsServerContext::make(*listener.tls, made.tls.tickets, alpn_of(listener), mistakes);
  for (const TlsMistake& mistake : mistakes)
    mistake.report();
  if (made.tls.tickets == nullptr || made.tls.context == nullptr) return {};
  made.tls.failures =
      known != servers_.end() ? known->second.tls.failures : std::make_shared<TlsFailureLog>();
  next_servers_.insert_or_assign(listener.name, made);
  return made.tls;
}

std::shared_ptr<const TlsClientContext> TlsShelf::client(const PoolModel& pool) {
  const auto known = clients_.find(pool.name);
  if (round_ == Round::kSame && known != clients_.end()) {
    next_clients_.insert_or_assign(pool.name, known->second);
    return known->second;
  }
  TlsMistakes mistakes;
  auto context = TlsClientContext::make(pool.tls, pool.protocol, mistakes);
  for (const TlsMistake& mistake : mistakes)
    mistake.report();
  if (context != nullptr) next_clients_.insert_or_assign(pool.name, context);
  return context;
}

void TlsShelf::commit_round() {
  const bool is_fresh = round_ == Round::kFresh;
  servers_ = std::move(next_servers_);
  clients_ = std::move(next_clients_);
  if (is_fresh) complaints_.clear();
  if (!is_fresh) return;
  for (const auto& [name, server] : servers_) {
    for (const std::string& warning : server.tls.context->warnings())
      log::warning(warning, {{"listener", name}});
  }
  for (const auto& [name, client] : clients_) {
    for (const std::string& warning : client->warnings())
      log::warning(warning, {{"pool", name}});
  }
}

// Files that change
// -----------------------------------------------------------------------------------------------

bool TlsShelf::look(const Model& model, Instant now) {
  bool is_due = false;
  for (const ListenerModel& listener : model.listeners) {
    const auto at = servers_.find(listener.name);
    if (!listener.tls || at == servers_.end()) continue;
    TicketKeys& tickets = *at->second.tls.tickets;
    const auto turned = tickets.file().empty() ? tickets.rotate(now) : tickets.reread();
    if (!turned) {
      const std::array marks = {FileMark{tickets.file()}};
      complain_once(listener.name + " tickets", turned.error().text, marks);
    }
    if (has_changed(at->second.tls.context->files()) && renew(listener, at->second)) is_due = true;
  }
  for (const PoolModel& pool : model.pools) {
    const auto at = clients_.find(pool.name);
    if (at == clients_.end() || !has_changed(at->second->files())) continue;
    if (renew(pool, at->second)) is_due = true;
  }
  return is_due;
}

bool TlsShelf::renew(const ListenerModel& listener, Server& server) {
  auto made = TlsServerContext::make(*listener.tls, server.tls.tickets, alpn_of(listener));
  if (!made) {
    complain_once(listener.name, made.error().text, server.tls.context->files());
    return false;
  }
  server.tls.context = std::move(*made);
  complaints_.erase(listener.name);
  log::info("the certificates of a listener have changed on disk and are in force",
            {{"listener", listener.name}});
  return true;
}

bool TlsShelf::renew(const PoolModel& pool, std::shared_ptr<const TlsClientContext>& client) {
  auto made = TlsClientContext::make(pool.tls, pool.protocol);
  if (!made) {
    complain_once(pool.name + " tls", made.error().text, client->files());
    return false;
  }
  client = std::move(*made);
  complaints_.erase(pool.name + " tls");
  log::info("the TLS files of a pool have changed on disk and are in force", {{"pool", pool.name}});
  return true;
}

void TlsShelf::complain_once(const std::string& whose, const std::string& text,
                             std::span<const FileMark> files) {
  Complaint& last = complaints_[whose];
  if (last.text == text && !has_changed(last.files)) return;
  last = {text, {}};
  for (const FileMark& file : files)
    last.files.push_back(mark_of(file.path));
  log::error("TLS files have changed on disk and cannot be used; the old ones stay in force",
             {{"what", whose}, {"why", text}});
}

}  // namespace limpet
