// SPDX-License-Identifier: Apache-2.0
#include "daemon/base/line_writer.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/clock.h"

namespace limpet {
namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/limpet-lines-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~Folder() {
    for (const char* file : {"/log", "/log.1", "/pipe"})
      ::unlink((path_ + file).c_str());
    ::rmdir(path_.c_str());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::unique_ptr<LineWriter> open(const std::string& path, std::size_t workers = 1) {
  auto writer = LineWriter::open(path, workers);
  REQUIRE_MESSAGE(writer, writer.error().text);
  return std::move(*writer);
}

TEST_CASE("a file that was made and not used is gone with the writer that is withdrawn") {
  const Folder folder;
  const auto is_there = [&] { return ::access(folder.file("log").c_str(), F_OK) == 0; };
  open(folder.file("log"))->withdraw();
  CHECK_FALSE(is_there());
  const auto written = [&] {
    const auto writer = open(folder.file("log"));
    writer->append(0, "one\n");
    writer->withdraw();
  };
  written();
  CHECK(read(folder.file("log")) == "one\n");
  { std::ofstream(folder.file("log"), std::ios::trunc) << ""; }
  open(folder.file("log"))->withdraw();
  CHECK(is_there());  // it was there before
}

TEST_CASE("a withdrawn writer does not remove the file that has taken its place") {
  const Folder folder;
  auto writer = open(folder.file("log"));
  REQUIRE(::rename(folder.file("log").c_str(), folder.file("log.1").c_str()) == 0);
  { std::ofstream(folder.file("log")) << ""; }
  writer->withdraw();
  writer.reset();
  CHECK(::access(folder.file("log").c_str(), F_OK) == 0);
}

TEST_CASE("lines are in the file after a flush, in order, behind what was there") {
  const Folder folder;
  { std::ofstream(folder.file("log")) << "old\n"; }
  const auto writer = open(folder.file("log"));
  CHECK(writer->append(0, "one\n"));
  CHECK(writer->append(0, "two\n"));
  writer->flush();
  CHECK(read(folder.file("log")) == "old\none\ntwo\n");
  CHECK(writer->dropped() == 0);
}

TEST_CASE("a line is written by itself, without a flush, also after a rest") {
  const Folder folder;
  const auto writer = open(folder.file("log"));
  std::string expected;
  for (int i = 0; i < 3; ++i) {
    REQUIRE(writer->append(0, "line\n"));
    expected += "line\n";
    const Instant deadline = monotonic_now() + std::chrono::seconds(10);
    while (read(folder.file("log")) != expected && monotonic_now() < deadline) {
      std::this_thread::yield();
    }
    REQUIRE(read(folder.file("log")) == expected);
  }
}

TEST_CASE("lines are in the file when the writer is gone") {
  const Folder folder;
  { (void)open(folder.file("log"))->append(0, "last\n"); }
  CHECK(read(folder.file("log")) == "last\n");
}

TEST_CASE("lines of several workers do not mix") {
  constexpr int kLines = 3'000;
  const Folder folder;
  {
    const auto writer = open(folder.file("log"), 3);
    std::vector<std::thread> workers;
    for (std::size_t worker = 0; worker < 3; ++worker) {
      workers.emplace_back([&, worker] {
        const std::string fill(200, static_cast<char>('a' + worker));
        for (int i = 0; i < kLines; ++i) {
          while (!writer->append(worker, fill + std::to_string(i) + "\n")) {
            std::this_thread::yield();
          }
        }
      });
    }
    for (auto& worker : workers)
      worker.join();
  }
  std::ifstream file(folder.file("log"));
  std::set<std::string> seen;
  for (std::string line; std::getline(file, line);) {
    REQUIRE(line.size() > 200);
    REQUIRE(line.substr(0, 200) == std::string(200, line[0]));
    seen.insert(line.substr(199));
  }
  CHECK(seen.size() == 3 * kLines);
}

TEST_CASE("after rotation a reopened log goes on in a new file") {
  const Folder folder;
  const auto writer = open(folder.file("log"));
  REQUIRE(writer->append(0, "before\n"));
  writer->flush();
  REQUIRE(::rename(folder.file("log").c_str(), folder.file("log.1").c_str()) == 0);
  writer->reopen();
  REQUIRE(writer->append(0, "after\n"));
  writer->flush();
  CHECK(read(folder.file("log.1")) == "before\n");
  CHECK(read(folder.file("log")) == "after\n");
}

TEST_CASE(
    "a pipe that nobody reads delays nobody: lines are dropped, counted, and the rest arrives") {
  const Folder folder;
  const std::string path = folder.file("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(reader >= 0);
  std::uint64_t queued = 0;
  std::uint64_t dropped = 0;
  std::size_t got = 0;
  {
    const auto writer = open(path);
    const std::string line = std::string(1023, 'x') + "\n";
    for (int i = 0; i < 2'000; ++i)
      queued += writer->append(0, line) ? 1U : 0U;
    CHECK(queued < 2'000);
    CHECK(writer->dropped() == 2'000 - queued);
    std::vector<char> bytes(1 << 16);
    const Instant deadline = monotonic_now() + std::chrono::seconds(20);
    while (got < queued * 1024 && monotonic_now() < deadline) {
      const ssize_t n = ::read(reader, bytes.data(), bytes.size());
      if (n > 0) got += static_cast<std::size_t>(n);
    }
    dropped = writer->dropped();
  }
  ::close(reader);
  CHECK(got == queued * 1024);
  CHECK(dropped == 2'000 - queued);
}

TEST_CASE("a writer whose pipe is stuck still ends") {
  const Folder folder;
  const std::string path = folder.file("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(reader >= 0);
  const Instant start = monotonic_now();
  {
    const auto writer = open(path);
    for (int i = 0; i < 900; ++i)
      (void)writer->append(0, std::string(1023, 'x') + "\n");
  }
  CHECK(monotonic_now() - start < std::chrono::seconds(30));
  ::close(reader);
}

TEST_CASE("lines for a reader that went away are counted as dropped") {
  const Folder folder;
  const std::string path = folder.file("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  const auto writer = open(path);
  ::close(reader);
  REQUIRE(writer->append(0, "a\n"));
  REQUIRE(writer->append(0, "b\n"));
  writer->flush();
  CHECK(writer->dropped() == 2);
}

TEST_CASE("a path that cannot be opened is an error that names it") {
  for (const char* path : {"", "/nowhere/at/all/log", "/"}) {
    const auto writer = LineWriter::open(path, 1);
    REQUIRE_FALSE(writer);
    CHECK(writer.error().text.find(path) != std::string::npos);
  }
}

}  // namespace
}  // namespace limpet
