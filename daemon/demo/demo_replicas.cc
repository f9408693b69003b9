// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/demo_replicas.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/fd.h"
#include "daemon/base/log.h"
#include "daemon/base/text.h"

namespace limpet::demo {
namespace {

constexpr std::chrono::seconds kPause{1};     // between a death and the next life
constexpr std::chrono::seconds kPatience{2};  // between SIGTERM and SIGKILL
constexpr int kChildFd = 3;

Error system_error(const std::string& what) { return Error{what + ": " + std::strerror(errno)}; }

// Port 0: the kernel chooses.
Result<Fd> listen_on(std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) return system_error("A socket for a sample replica could not be made");
  const int on = 1;
  ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::bind(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.number(), SOMAXCONN) != 0) {
    return system_error("A sample replica could not listen on 127.0.0.1:" + std::to_string(port));
  }
  return socket;
}

std::uint16_t port_of(const Fd& socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  return ntohs(address.sin_port);
}

// Runs `program --demo-replica ID:3` with the lifeline as standard input, the socket as descriptor
// 3, no signal blocked or ignored, and in a process group of its own, so that Ctrl-C in a terminal
// ends limpet first and replicas after it.
Result<pid_t> spawn(const std::string& program, const std::string& id, const Fd& lifeline,
                    const Fd& listening) {
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  // First, for it may itself be descriptor 3.
  ::posix_spawn_file_actions_adddup2(&files, lifeline.number(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, listening.number(), kChildFd);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  std::string name = "limpetd";
  std::string option = "--demo-replica";
  std::string value = id + ":" + std::to_string(kChildFd);
  const std::array<char*, 4> arguments{name.data(), option.data(), value.data(), nullptr};
  pid_t pid = 0;
  errno = ::posix_spawn(&pid, program.c_str(), &files, &attributes, arguments.data(), environ);
  const bool failed = errno != 0;
  Error error = failed ? system_error("Sample replica " + id + " could not be started") : Error{};
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  if (failed) return error;
  return pid;
}

void leave_signals_to_others() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) return std::string("signal ") + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

// A pipe whose writing end nobody uses and no child inherits. A replica that has the other end sees
// it end with this process, killed or not.
struct DemoReplicas::Lifeline {
  Fd held;
  Fd given;
};

// Keeps one replica running, with a thread that starts it and waits for its end.
class DemoReplicas::Keeper {
 public:
  Keeper(std::string program, std::string id, const Fd& lifeline, Fd listening)
      : program_(std::move(program)),
        id_(std::move(id)),
        lifeline_(lifeline),
        port_(port_of(listening)) {
    thread_ =
        std::thread([this, socket = std::move(listening)]() mutable { keep(std::move(socket)); });
  }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper() {
    stop();
    thread_.join();
  }

  // Whether the first life began.
  Status first_start() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return has_lived_ || is_stopping_ || !start_error_.empty(); });
    if (!start_error_.empty()) return Error{start_error_};
    return {};
  }

  DemoReplica state() const {
    const std::lock_guard lock(mutex_);
    return {id_, port_, pid_};
  }

 private:
  // Each round is one life. The port stays open only while somebody lives on it: a dead replica
  // refuses connections, as it would elsewhere.
  void keep(Fd listening) {
    leave_signals_to_others();
    while (true) {
      Result<pid_t> pid = spawn(program_, id_, lifeline_, listening);
      listening.reset();
      if (pid) {
        live(*pid);
      } else {
        log::error(pid.error().text, {{"replica", id_}});
      }
      if (!begin_pause(pid ? std::string() : pid.error().text)) return;
      if (Result<Fd> again = listen_again(); again) {
        listening = std::move(*again);
      } else {
        return;
      }
    }
  }

  void live(pid_t pid) {
    set_pid(pid);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    set_pid(0);
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return;
    const std::string pid_text = std::to_string(pid);
    log::warning("A sample replica ended; it starts again in a second.",
                 {{"replica", id_}, {"pid", pid_text}, {"by", describe_end(status)}});
  }

  void set_pid(pid_t pid) {
    const std::lock_guard lock(mutex_);
    pid_ = pid;
    has_lived_ = true;
    if (is_stopping_ && pid != 0) ::kill(pid, SIGTERM);
    changed_.notify_all();
  }

  // False when it is time to stop.
  bool begin_pause(const std::string& error) {
    std::unique_lock lock(mutex_);
    start_error_ = error;
    changed_.notify_all();
    return !changed_.wait_for(lock, kPause, [this] { return is_stopping_; });
  }

  // Another program may have taken the port meanwhile; then wait until it is free.
  Result<Fd> listen_again() {
    while (true) {
      Result<Fd> socket = listen_on(port_);
      if (socket) return socket;
      log::warning(socket.error().text, {{"replica", id_}});
      if (!begin_pause(socket.error().text)) return socket;
    }
  }

  void stop() {
    std::unique_lock lock(mutex_);
    is_stopping_ = true;
    changed_.notify_all();
    if (pid_ != 0) ::kill(pid_, SIGTERM);
    if (!changed_.wait_for(lock, kPatience, [this] { return pid_ == 0; })) ::kill(pid_, SIGKILL);
  }

  const std::string program_;
  const std::string id_;
  const Fd& lifeline_;
  const std::uint16_t port_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string start_error_;
  pid_t pid_ = 0;
  bool has_lived_ = false;
  bool is_stopping_ = false;
  std::thread thread_;
};

DemoReplicas::DemoReplicas() = default;
DemoReplicas::DemoReplicas(DemoReplicas&&) noexcept = default;
DemoReplicas& DemoReplicas::operator=(DemoReplicas&&) noexcept = default;
DemoReplicas::~DemoReplicas() = default;

std::vector<DemoReplica> DemoReplicas::list() const {
  std::vector<DemoReplica> replicas;
  for (const auto& keeper : keepers_)
    replicas.push_back(keeper->state());
  return replicas;
}

Result<DemoReplicas> start_demo_replicas(unsigned count, const std::string& program) {
  if (count == 0 || count > kReplicasMax) {
    return Error{"--demo takes 1 to " + std::to_string(kReplicasMax) + " replicas, not " +
                 std::to_string(count) + "."};
  }
  DemoReplicas replicas;
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return system_error("A pipe to the sample replicas could not be made");
  replicas.lifeline_ =
      std::make_unique<DemoReplicas::Lifeline>(DemoReplicas::Lifeline{Fd(ends[1]), Fd(ends[0])});
  for (unsigned i = 0; i < count; ++i) {
    Result<Fd> listening = listen_on(0);
    if (!listening) return listening.error();
    std::string id(1, static_cast<char>('a' + i));
    replicas.keepers_.push_back(std::make_unique<DemoReplicas::Keeper>(
        program, std::move(id), replicas.lifeline_->given, std::move(*listening)));
  }
  for (const auto& keeper : replicas.keepers_) {
    if (Status started = keeper->first_start(); !started) return started.error();
  }
  return replicas;
}

Result<DemoReplicaOption> parse_demo_replica_option(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const auto number = colon == std::string::npos || colon == 0
                          ? std::nullopt
                          : text::parse_unsigned(std::string_view(text).substr(colon + 1));
  if (!number || *number > 1'000'000) {
    return Error{"--demo-replica takes ID:FD, such as a:3, not \"" + text +
                 "\". It is for limpetd itself; use --demo."};
  }
  return DemoReplicaOption{text.substr(0, colon), static_cast<int>(*number)};
}

}  // namespace limpet::demo
