// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/log.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

namespace limpet {
namespace {

/// Standard error as a pipe that the test reads, for as long as it lives.
class CapturedStderr {
 public:
  CapturedStderr() : before_(::dup(STDERR_FILENO)) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    reader_ = ends[0];
    ::fcntl(reader_, F_SETFL, O_NONBLOCK);
  }
  ~CapturedStderr() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    ::close(reader_);
    log::configure(log::Level::kInfo, log::Format::kText);
  }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;

  [[nodiscard]] std::string read() const {
    std::string out;
    std::vector<char> bytes(1 << 16);
    for (ssize_t n; (n = ::read(reader_, bytes.data(), bytes.size())) > 0;) {
      out.append(bytes.data(), static_cast<std::size_t>(n));
    }
    return out;
  }

 private:
  int before_;
  int reader_ = -1;
};

constexpr std::size_t kTimeBytes = 24;

TEST_CASE("a line of text has time, level, message and fields; what is not plain is quoted") {
  const CapturedStderr captured;
  log::configure(log::Level::kInfo, log::Format::kText);
  log::info("the replica is down",
            {{"pool", "web"}, {"why", "3 probes failed"}, {"raw", "a\"b\nc"}, {"empty", ""}});
  const std::string line = captured.read();
  REQUIRE(line.size() > kTimeBytes);
  CHECK(line[10] == 'T');
  CHECK(line[kTimeBytes - 1] == 'Z');
  CHECK(line.substr(kTimeBytes) ==
        " info the replica is down pool=web why=\"3 probes failed\" raw=\"a\\\"b\\u000ac\" "
        "empty=\"\"\n");
}

TEST_CASE("a line of JSON is one object") {
  const CapturedStderr captured;
  log::configure(log::Level::kInfo, log::Format::kJson);
  log::warning("a \"quoted\" message", {{"pool", "web"}});
  const std::string line = captured.read();
  REQUIRE(line.starts_with("{\"time\":\"2"));
  CHECK(line.substr(line.find(",\"level\"")) ==
        ",\"level\":\"warning\",\"message\":\"a \\\"quoted\\\" message\",\"pool\":\"web\"}\n");
}

TEST_CASE("what is below the level is not written; errors always are") {
  const CapturedStderr captured;
  log::configure(log::Level::kWarning, log::Format::kText);
  log::debug("no");
  log::info("no");
  log::warning("yes");
  log::error("yes");
  const std::string lines = captured.read();
  CHECK(lines.find("no") == std::string::npos);
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 2);
}

TEST_CASE("a message from outside cannot begin a line of its own") {
  const CapturedStderr captured;
  log::configure(log::Level::kInfo, log::Format::kText);
  log::info("first\n2026-11-22T10:00:00.000Z error second");
  const std::string lines = captured.read();
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 1);
}

TEST_CASE("a line longer than a pipe takes at once is cut and stays a line") {
  const CapturedStderr captured;
  const std::string value(10'000, 'v');
  for (const auto format : {log::Format::kText, log::Format::kJson}) {
    log::configure(log::Level::kInfo, format);
    log::info("long", {{"pool", "web"}, {"value", value}});
    const std::string line = captured.read();
    CHECK(line.size() <= 4096);
    CHECK(line.back() == '\n');
    CHECK(line.find("web") != std::string::npos);
  }
}

TEST_CASE("a pipe that nobody reads drops messages and says so later") {
  const CapturedStderr captured;
  log::configure(log::Level::kInfo, log::Format::kText);
  const std::string value(1'000, 'v');
  for (int i = 0; i < 200; ++i)
    log::info("flood", {{"value", value}});
  CHECK(captured.read().find("dropped") == std::string::npos);
  log::info("calm");
  const std::string lines = captured.read();
  CHECK(lines.find(" dropped=") != std::string::npos);
  CHECK(lines.find(" info calm\n") != std::string::npos);
}

}  // namespace
}  // namespace limpet
