// SPDX-License-Identifier: Apache-2.0
#include "daemon/limpetctl/client.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "daemon/base/address.h"
#include "daemon/base/fd.h"
#include "daemon/base/text.h"

namespace limpet::ctl {

namespace {

constexpr const char* kUsualSocket = "/run/limpet/control.sock";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// A folder under /tmp counts only where it is ours.
bool is_own_socket(const std::string& folder) {
  struct stat facts {};
  if (::lstat(folder.c_str(), &facts) != 0 || facts.st_uid != ::getuid()) return false;
  return ::stat((folder + "/control.sock").c_str(), &facts) == 0 && S_ISSOCK(facts.st_mode);
}

std::string demo_socket() {
  const std::string port = environment("LIMPET_PORT");
  const std::string suffix = port.empty() || port == "8080" ? std::string() : "-" + port;
  const std::string runtime = environment("XDG_RUNTIME_DIR");
  const std::string own = "/tmp/limpet-demo-" + std::to_string(::getuid()) + suffix;
  for (const std::string& folder : {runtime + "/limpet-demo" + suffix, own}) {
    if (is_own_socket(folder)) return folder + "/control.sock";
  }
  return {};
}

Error unreachable(const std::string& socket, int reason) {
  const std::string where = "the control socket " + socket;
  if (reason == EACCES || reason == EPERM) {
    return {where + " may not be opened by this user; use sudo, or join the group it belongs to"};
  }
  if (reason == ENOENT || reason == ECONNREFUSED) {
    return {"no daemon answers at " + where + " (" + std::strerror(reason) +
            ").\nStart it with `systemctl start limpet` or `limpetd -c FILE`; if it listens "
            "elsewhere (admin.socket), say so with --socket PATH or LIMPET_SOCKET."};
  }
  return {"cannot reach " + where + ": " + std::strerror(reason)};
}

bool send_all(const Fd& fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

Result<std::string> receive_all(const Fd& fd) {
  std::string whole;
  char bytes[16 * 1024];
  while (true) {
    const ssize_t got = ::recv(fd.number(), bytes, sizeof bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return Error{"the daemon did not answer in time"};
    if (got < 0)
      return Error{std::string("the daemon's answer broke off: ") + std::strerror(errno)};
    if (got == 0) return whole;
    whole.append(bytes, static_cast<std::size_t>(got));
  }
}

Result<Answer> parse_answer(const std::string& whole) {
  const std::size_t end = whole.find("\r\n\r\n");
  const bool is_http = whole.rfind("HTTP/1.1 ", 0) == 0 && end != std::string::npos;
  const auto status = text::parse_unsigned(
      std::string_view(whole).substr(0, 12).substr(std::min<std::size_t>(9, whole.size())));
  if (!is_http || !status) return Error{"what answers there is no limpetd"};
  return Answer{static_cast<int>(*status), whole.substr(end + 4)};
}

}  // namespace

std::string default_socket() {
  const std::string wanted = environment("LIMPET_SOCKET");
  if (!wanted.empty()) return wanted;
  struct stat facts {};
  if (::stat(kUsualSocket, &facts) == 0) return kUsualSocket;
  const std::string demo = demo_socket();
  return demo.empty() ? kUsualSocket : demo;
}

Result<Answer> ask(const std::string& socket, const Question& question) {
  const auto address = Address::parse("unix:" + socket);
  if (!address) return Error{"--socket: " + address.error().text};
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return unreachable(socket, errno);
  const timeval patience{.tv_sec = question.patience.count(), .tv_usec = 0};
  ::setsockopt(fd.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd.number(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(fd.number(), address->as_sockaddr(), address->length()) != 0) {
    return unreachable(socket, errno);
  }
  const std::string head = question.method + " " + question.target +
                           " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " +
                           std::to_string(question.body.size()) + "\r\n\r\n";
  if (!send_all(fd, head + question.body)) return unreachable(socket, errno);
  Result<std::string> whole = receive_all(fd);
  if (!whole) return whole.error();
  return parse_answer(*whole);
}

std::string percent_encoded(const std::string& text) {
  constexpr std::string_view kPlain = "-._~";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const char low = text::lower(c);
    const bool is_plain =
        text::is_digit(c) || (low >= 'a' && low <= 'z') || kPlain.find(c) != std::string_view::npos;
    if (is_plain) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

}  // namespace limpet::ctl
