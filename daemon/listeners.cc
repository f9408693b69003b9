// SPDX-License-Identifier: Apache-2.0
#include "daemon/listeners.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/text.h"
#include "daemon/net/socket.h"

namespace limpet {

namespace {

// With SO_REUSEPORT a second daemon of the same user would share the port unnoticed, so the port is
// tried without it first.
Status check_free(const Address& address) {
  const Fd trial(::socket(address.as_sockaddr()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(trial.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == Family::kIp6) {
    ::setsockopt(trial.number(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(trial.number(), address.as_sockaddr(), address.length()) == 0) return {};
  if (errno != EADDRINUSE) return {};  // open_listening() words the rest
  return Error{"cannot listen on " + address.print() +
               ": the address is in use by another program; stop that one or choose another port"};
}

Result<Fd> copy_of(const Fd& descriptor) {
  Fd copy(::fcntl(descriptor.number(), F_DUPFD_CLOEXEC, 3));
  if (!copy.is_open()) return Error{std::string("cannot copy a socket: ") + std::strerror(errno)};
  return copy;
}

// Clients of a socket in the file system are whoever may reach its folder. It is made so: changing
// the mode afterwards could meet another file at that path.
Result<Fd> open_to_all(const Address& address) {
  const mode_t before = ::umask(0111);
  Result<Fd> opened = open_listening(address);
  ::umask(before);
  return opened;
}

void remove_file(const Address& address) {
  const std::string path = address.is_unix() ? address.unix_path() : std::string();
  if (!path.empty() && path.front() != '@') ::unlink(path.c_str());
}

}  // namespace

Result<Fd> open_alone(const Address& address) {
  if (address.is_ip() && address.port() != 0) {
    if (Status free = check_free(address); !free) return free.error();
  }
  return open_listening(address);
}

Listeners::~Listeners() {
  for (const auto& [text, open] : open_)
    remove_file(open.address);
}

void Listeners::take_passed(std::vector<notify::PassedSocket> passed) {
  passed_ = std::move(passed);
}

bool Listeners::is_own_port(const Address& address) const {
  for (const auto& [text, open] : open_) {
    if (open.address.is_ip() && open.address.port() == address.port()) return true;
  }
  return false;
}

Status Listeners::open_passed(const BindModel& bind, Open& out) const {
  std::string names;
  for (const notify::PassedSocket& passed : passed_) {
    if (passed.name != bind.systemd_name) {
      names += (names.empty() ? "" : ", ") + text::escaped(passed.name);
      continue;
    }
    out.address = Address();  // the file of a passed Unix socket is systemd's
    for (std::size_t i = 0; i < workers_; ++i) {
      Result<Fd> copy = copy_of(passed.fd);
      if (!copy) return copy.error();
      out.waiting.push_back(std::move(*copy));
    }
    return {};
  }
  return Error{"systemd passed no socket named \"" + text::escaped(bind.systemd_name) + "\"; " +
               (names.empty() ? std::string("it passed none at all; is limpet.socket started?")
                              : "it passed: " + names)};
}

Status Listeners::open_bind(const BindModel& bind, Open& out) const {
  if (bind.is_systemd()) return open_passed(bind, out);
  out.address = bind.address;
  const bool is_ip = bind.address.is_ip();
  if (is_ip && !is_own_port(bind.address)) {
    if (Status free = check_free(bind.address); !free) return free;
  }
  for (std::size_t i = 0; i < workers_; ++i) {
    const bool is_copy = !is_ip && i > 0;
    Result<Fd> opened = is_copy ? copy_of(out.waiting.front())
                        : is_ip ? open_listening(out.address)
                                : open_to_all(out.address);
    if (!opened) return opened.error();
    if (is_ip && i == 0) out.address = local_address(opened->number());  // port 0 is chosen once
    out.waiting.push_back(std::move(*opened));
  }
  return {};
}

void Listeners::open(Config& config) {
  for (const ListenerModel& listener : config.model().listeners) {
    for (const BindModel& bind : listener.bind) {
      if (open_.contains(bind.text) || config.mistakes().has_at(bind.where)) continue;
      Open opened;
      if (Status done = open_bind(bind, opened); !done) {
        config.mistake(bind.where, "bind: " + done.error().text);
        continue;
      }
      open_.emplace(bind.text, std::move(opened));
      fresh_.insert(bind.text);
    }
  }
}

void Listeners::abandon() {
  for (const std::string& text : fresh_) {
    const auto at = open_.find(text);
    remove_file(at->second.address);
    open_.erase(at);
  }
  fresh_.clear();
}

std::vector<std::vector<WorkerSocket>> Listeners::commit(const Model& model) {
  std::vector<std::vector<WorkerSocket>> sockets(workers_);
  std::set<std::string> wanted;
  for (const ListenerModel& listener : model.listeners) {
    for (const BindModel& bind : listener.bind) {
      wanted.insert(bind.text);
      std::vector<Fd>& waiting = open_.at(bind.text).waiting;
      for (std::size_t i = 0; i < workers_; ++i) {
        Fd fd = i < waiting.size() ? std::move(waiting[i]) : Fd();
        sockets[i].push_back({bind.text, listener.name, std::move(fd)});
      }
      waiting.clear();
    }
  }
  for (auto at = open_.begin(); at != open_.end();) {
    if (wanted.contains(at->first)) {
      ++at;
      continue;
    }
    remove_file(at->second.address);
    at = open_.erase(at);
  }
  fresh_.clear();
  return sockets;
}

std::string Listeners::where(const BindModel& bind) const {
  const auto at = open_.find(bind.text);
  if (at == open_.end() || at->second.address.is_empty()) return bind.text;
  return at->second.address.print();
}

}  // namespace limpet
