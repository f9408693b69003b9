// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/line_sink.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/base/fd.h"
#include "daemon/base/log.h"

namespace limpet {
namespace {

// How much goes into a pipe or terminal at once: poll() promises that so much does not block.
constexpr std::size_t kPieceBytes = 4096;
constexpr std::chrono::milliseconds kLook{50};
constexpr std::chrono::seconds kComplainAgain{60};

std::string error_text(int number) { return std::generic_category().message(number); }

std::uint64_t lines_in(std::string_view bytes) {
  return static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
}

class FileSink final : public LineSink {
 public:
  struct File {
    Fd fd;
    bool is_new = false;
  };

  FileSink(std::string path, File file, const std::atomic<std::int64_t>& give_up_ns)
      : path_(std::move(path)),
        fd_(std::move(file.fd)),
        is_new_(file.is_new),
        give_up_ns_(give_up_ns) {
    look_at_kind();
  }

  static Result<File> open_file(const std::string& path) {
    // Without blocking, so that a pipe without a reader is an error and not a standstill.
    constexpr int kHow = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK;
    Fd made(::open(path.c_str(), kHow | O_EXCL, 0640));
    if (made.is_open()) return File{std::move(made), true};
    Fd found(::open(path.c_str(), kHow, 0640));
    if (found.is_open()) return File{std::move(found)};
    return Error{"cannot open " + path + ": " + error_text(errno)};
  }

  void withdraw() override {
    struct stat own {};
    struct stat there {};
    if (!is_new_ || ::fstat(fd_.number(), &own) != 0 || own.st_size != 0) return;
    if (::lstat(path_.c_str(), &there) != 0) return;
    if (there.st_dev == own.st_dev && there.st_ino == own.st_ino) ::unlink(path_.c_str());
  }

  std::uint64_t write(std::string_view bytes) override {
    if (is_torn_) {
      // The line before was cut by an error: end it, so that it does not spoil this one.
      is_torn_ = put("\n").has_value();
    }
    std::string_view rest = bytes;
    while (!rest.empty()) {
      const auto fault = put_some(rest);
      if (!fault) continue;
      is_torn_ = rest.size() < bytes.size() && rest.data()[-1] != '\n';
      if (*fault != 0) complain(*fault);
      return lines_in(rest) + (rest.back() == '\n' ? 0U : 1U);
    }
    return 0;
  }

  void reopen() override {
    if (is_stream_name(path_)) return;
    auto opened = open_file(path_);
    if (!opened) {
      log::warning("the log file could not be opened anew and the old one stays in use",
                   {{"path", path_}, {"error", opened.error().text}});
      return;
    }
    fd_ = std::move(opened->fd);
    is_new_ = false;
    is_torn_ = false;
    look_at_kind();
  }

  static bool is_stream_name(std::string_view path) { return path == "stdout" || path == "stderr"; }

 private:
  enum class Kind : std::uint8_t { kFile, kSocket, kOther };

  void look_at_kind() {
    struct stat facts {};
    if (::fstat(fd_.number(), &facts) != 0) return;
    kind_ = S_ISREG(facts.st_mode)    ? Kind::kFile
            : S_ISSOCK(facts.st_mode) ? Kind::kSocket
                                      : Kind::kOther;
  }

  std::optional<int> put(std::string_view bytes) {
    while (!bytes.empty()) {
      if (const auto fault = put_some(bytes)) return fault;
    }
    return std::nullopt;
  }

  // Takes what was written off `rest`. Gives an errno, or 0 where time is up.
  std::optional<int> put_some(std::string_view& rest) {
    if (kind_ != Kind::kFile && !wait_for_room()) return 0;
    const ssize_t written =
        kind_ == Kind::kSocket
            ? ::send(fd_.number(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
            : ::write(fd_.number(), rest.data(),
                      kind_ == Kind::kFile ? rest.size() : std::min(rest.size(), kPieceBytes));
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
      return std::nullopt;
    }
    if (errno == EINTR || (errno == EAGAIN && kind_ != Kind::kFile)) return std::nullopt;
    return errno;
  }

  bool wait_for_room() {
    pollfd room{fd_.number(), POLLOUT, 0};
    while (::poll(&room, 1, static_cast<int>(kLook.count())) <= 0) {
      if (monotonic_now().time_since_epoch().count() >= give_up_ns_.load()) return false;
    }
    return true;
  }

  void complain(int fault) {
    const Instant now = monotonic_now();
    if (fault == complained_of_ && now < complained_at_ + kComplainAgain) return;
    complained_of_ = fault;
    complained_at_ = now;
    log::warning("log lines are lost because they cannot be written",
                 {{"path", path_}, {"error", error_text(fault)}});
  }

  std::string path_;
  Fd fd_;
  bool is_new_;  // made by us, for withdraw()
  const std::atomic<std::int64_t>& give_up_ns_;
  Kind kind_ = Kind::kOther;
  bool is_torn_ = false;
  int complained_of_ = 0;
  Instant complained_at_{};
};

class SyslogSink final : public LineSink {
 public:
  SyslogSink() { ::openlog("limpet", LOG_PID, LOG_DAEMON); }
  ~SyslogSink() override { ::closelog(); }

  std::uint64_t write(std::string_view bytes) override {
    for (std::size_t end = bytes.find('\n'); end != bytes.npos; end = bytes.find('\n')) {
      begun_ += bytes.substr(0, end);
      ::syslog(LOG_INFO, "%.*s", static_cast<int>(begun_.size()), begun_.c_str());
      begun_.clear();
      bytes.remove_prefix(end + 1);
    }
    begun_ += bytes;
    return 0;
  }

 private:
  std::string begun_;  // a line of which the rest is behind the ring's seam
};

}  // namespace

Result<std::unique_ptr<LineSink>> LineSink::open(const std::string& path,
                                                 const std::atomic<std::int64_t>& give_up_ns) {
  if (path.empty()) return Error{"the path of a log is empty"};
  if (path == "syslog") return std::unique_ptr<LineSink>(std::make_unique<SyslogSink>());
  if (FileSink::is_stream_name(path)) {
    const int stream = path == "stdout" ? STDOUT_FILENO : STDERR_FILENO;
    Fd copy(::fcntl(stream, F_DUPFD_CLOEXEC, 3));
    if (!copy.is_open()) return Error{path + " is not open: " + error_text(errno)};
    return std::unique_ptr<LineSink>(
        std::make_unique<FileSink>(path, FileSink::File{std::move(copy)}, give_up_ns));
  }
  auto file = FileSink::open_file(path);
  if (!file) return file.error();
  return std::unique_ptr<LineSink>(std::make_unique<FileSink>(path, std::move(*file), give_up_ns));
}

}  // namespace limpet
