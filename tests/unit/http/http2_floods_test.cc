// SPDX-License-Identifier: Apache-2.0
// Budgets: what is counted, when a connection ends for it, and what is only reported.
#include "daemon/http/http2_floods.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/unit/http/http2_fixture.h"

namespace limpet::test {
namespace {

using std::chrono::seconds;

std::string exceeded_in(const Http2FloodReport& report) {
  std::string text;
  for (std::size_t i = 0; i < kHttp2Floods; ++i) {
    if (report.exceeded[i] == 0) continue;
    text += std::string(name_of(static_cast<Http2Flood>(i))) + "=" +
            std::to_string(report.exceeded[i]) + " ";
  }
  return text;
}

Http2Settings small_budgets(FloodMode mode = FloodMode::kEnforce) {
  Http2Settings settings;
  settings.floods = {mode, seconds(10), 3, 3, 3, 3, 3, 3, 3, 3, 0};
  return settings;
}

TEST_CASE("a budget is exceeded by one more than it, once a window") {
  Http2FloodLimits limits;
  limits.mode = FloodMode::kReport;
  limits.settings = 2;
  Http2Floods floods(limits);
  Instant now{};
  for (int i = 0; i < 9; ++i)
    CHECK(floods.count(Http2Flood::kSettings, now));
  CHECK(exceeded_in(floods.take_report()) == "settings=1 ");
  CHECK(floods.take_report().is_empty());
  now += seconds(10);
  CHECK(floods.count(Http2Flood::kSettings, now));
  CHECK(floods.count(Http2Flood::kSettings, now));
  CHECK(floods.take_report().is_empty());
  CHECK(floods.count(Http2Flood::kSettings, now));
  CHECK(exceeded_in(floods.take_report()) == "settings=1 ");
}

TEST_CASE("enforced budgets end the connection, budgets of 0 are none") {
  Http2FloodLimits limits;
  limits.resets = 1;
  limits.pings = 0;
  Http2Floods floods(limits);
  CHECK(floods.count(Http2Flood::kResets, Instant{}));
  CHECK_FALSE(floods.count(Http2Flood::kResets, Instant{}));
  for (int i = 0; i < 10000; ++i)
    REQUIRE(floods.count(Http2Flood::kPings, Instant{}));
}

TEST_CASE("each frame of data that went out allows a ping") {
  Http2FloodLimits limits;
  limits.pings = 1;
  Http2Floods floods(limits);
  floods.on_data_sent();
  floods.on_data_sent();
  CHECK(floods.count(Http2Flood::kPings, Instant{}));
  CHECK(floods.count(Http2Flood::kPings, Instant{}));
  CHECK(floods.count(Http2Flood::kPings, Instant{}));
  CHECK_FALSE(floods.count(Http2Flood::kPings, Instant{}));
}

TEST_CASE("each stream and each frame of data that went out allows ten updates of windows") {
  Http2FloodLimits limits;
  limits.other_frames = 3;
  Http2Floods floods(limits);
  floods.on_data_sent();
  floods.on_stream_opened();
  for (int i = 0; i < 23; ++i)
    REQUIRE(floods.count(Http2Flood::kOtherFrames, Instant{}));
  CHECK_FALSE(floods.count(Http2Flood::kOtherFrames, Instant{}));
}

TEST_CASE("what is allowed for data that went out does not grow without end") {
  Http2FloodLimits limits;
  limits.other_frames = 1;
  Http2Floods floods(limits);
  for (int i = 0; i < 1'000'000; ++i)
    floods.on_data_sent();
  int allowed = 0;
  while (allowed < 1'000'000 && floods.count(Http2Flood::kOtherFrames, Instant{}))
    ++allowed;
  CHECK(allowed == 100'001);
}

/// What four of something lead to, with a budget of three.
std::string fate(const std::string& one, FloodMode mode, const std::string& before = {}) {
  RawClient client({}, small_budgets(mode));
  client.side().feed(before);
  static_cast<void>(client.codec().take_flood_report());
  static_cast<void>(client.side().sent());
  static_cast<void>(client.side().said());
  std::string ends;
  for (int i = 0; i < 5 && ends.empty(); ++i) {
    client.side().feed(one);
    if (client.side().said().find("concluded") != std::string::npos)
      ends = "after " + std::to_string(i + 1) + ", ";
  }
  const std::string frames = client.side().frames();
  if (frames.find("GOAWAY") != std::string::npos) ends += frames.substr(frames.find("GOAWAY"));
  return ends + exceeded_in(client.codec().take_flood_report());
}

TEST_CASE("frames that cost a client nothing") {
  RawClient maker;
  const std::string post = maker.post(1);
  const auto check = [&](const std::string& one, const std::string& name, const std::string& before,
                         const std::string& last) {
    INFO(name);
    CHECK(fate(one, FloodMode::kEnforce, before) ==
          "after 4, GOAWAY " + last + " 11; " + name + "=1 ");
    CHECK(fate(one, FloodMode::kReport, before) == name + "=1 ");
  };
  // The connection's start has cost one SETTINGS already.
  CHECK(fate(frame(kSettings, 0, 0), FloodMode::kEnforce) == "after 3, GOAWAY 0 11; settings=1 ");
  check(ping_frame(), "pings", "", "0");
  check(frame(kPriority, 0, 3, number(0, 4) + "x"), "priorities", "", "0");
  check(frame(kPriorityUpdate, 0, 0, number(1, 4) + "u=1"), "priorities", "", "0");
  check(frame(kData, 0, 1), "empty_data", post, "1");
  check(frame(kData, kPadded, 1, number(3, 1) + "000"), "empty_data", post, "1");
  // And one acknowledgement.
  for (const std::string& other :
       {ping_frame(kAck), window_frame(0, 1), frame(0xfa, 0, 0, "unknown")}) {
    CHECK(fate(other, FloodMode::kEnforce) == "after 3, GOAWAY 0 11; other_frames=1 ");
    CHECK(fate(other, FloodMode::kReport) == "other_frames=1 ");
  }
  CHECK(fate(frame(kData, 0, 1, "x"), FloodMode::kEnforce, post).empty());
  CHECK(fate(frame(kData, kPadded, 1, number(3, 1) + "x000"), FloodMode::kEnforce, post).empty());
}

TEST_CASE("streams that are taken back, and streams that must be reset") {
  for (const bool is_provoked : {false, true}) {
    RawClient client({}, small_budgets());
    std::string said;
    for (std::uint32_t stream = 1; stream < 9; stream += 2) {
      client.side().feed(joined({client.post(stream), is_provoked ? window_frame(stream, 0x7fffffff)
                                                                  : reset_frame(stream, 8)}));
      said = client.side().said();
    }
    CHECK(said.find("concluded") != std::string::npos);
    CHECK(client.side().frames().find("GOAWAY") != std::string::npos);
    CHECK(exceeded_in(client.codec().take_flood_report()) ==
          (is_provoked ? "provoked_resets=1 " : "resets=1 "));
  }
}

TEST_CASE("resets of limpet's own are nobody's fault, nor are those of a replica") {
  RawClient client({}, small_budgets());
  for (std::uint32_t stream = 1; stream < 21; stream += 2) {
    client.side().feed(client.post(stream));
    client.codec().reset(stream, Http2Error::kInternalError);
    static_cast<void>(client.side().sent());
  }
  CHECK(client.codec().take_flood_report().is_empty());
  RawReplica replica;
  for (int i = 0; i < 300; ++i)
    replica.side().feed(reset_frame(replica.ask(), 7));
  CHECK(replica.codec().take_flood_report().is_empty());
  CHECK(replica.codec().takes_streams());
}

TEST_CASE("a replica may send updates, acknowledgements and unknown frames as it likes") {
  RawReplica replica;
  static_cast<void>(replica.ask());
  for (int i = 0; i < 2000; ++i)
    replica.side().feed(window_frame(0, 1) + ping_frame(kAck) + frame(0xfa, 0, 0, "unknown"));
  CHECK(replica.codec().take_flood_report().is_empty());
  CHECK(replica.codec().takes_streams());
}

TEST_CASE("continuations of one head are counted, whatever the time") {
  for (const FloodMode mode : {FloodMode::kEnforce, FloodMode::kReport}) {
    RawClient client({}, small_budgets(mode));
    const std::string block = client.compressor().block(RawClient::with_pseudo("GET", {}));
    client.side().feed(frame(kHeaders, kEndStream, 1, block));
    for (int i = 0; i < 3; ++i) {
      client.side().advance(seconds(11));
      client.side().feed(frame(kContinuation, 0, 1));
    }
    CHECK(client.side().said().empty());
    client.side().feed(frame(kContinuation, kEndHeaders, 1));
    CHECK(client.side().said() ==
          (mode == FloodMode::kEnforce ? "0 concluded; " : "1 GET / none; 1 end; "));
    CHECK(exceeded_in(client.codec().take_flood_report()) == "continuations=1 ");
  }
}

TEST_CASE("a head of three continuations follows another: each is counted alone") {
  RawClient client({}, small_budgets());
  for (std::uint32_t stream = 1; stream < 9; stream += 2) {
    const std::string block = client.compressor().block(RawClient::with_pseudo("GET", {}));
    client.side().feed(
        joined({frame(kHeaders, kEndStream, stream, block), frame(kContinuation, 0, stream),
                frame(kContinuation, 0, stream), frame(kContinuation, kEndHeaders, stream)}));
  }
  CHECK(client.codec().streams_open() == 4);
}

TEST_CASE("the state of one connection has a ceiling") {
  for (const FloodMode mode : {FloodMode::kEnforce, FloodMode::kReport}) {
    Http2Settings settings;
    settings.floods.mode = mode;
    settings.floods.connection_bytes = 64 * 1024;
    RawClient client({}, settings);
    std::string said;
    for (std::uint32_t stream = 1; stream < 81; stream += 2) {
      client.side().feed(client.get(stream, {{"x", std::string(2000, 'v')}}));
      said += client.side().said();
    }
    CHECK((said.find("concluded") != std::string::npos) == (mode == FloodMode::kEnforce));
    CHECK(exceeded_in(client.codec().take_flood_report()) == "memory=1 ");
  }
  RawClient client;
  for (std::uint32_t stream = 1; stream < 201; stream += 2)
    client.side().feed(client.get(stream, {{"x", std::string(2000, 'v')}}));
  CHECK(client.codec().streams_open() == 100);
}

TEST_CASE("acknowledgements that are not fetched count against the ceiling") {
  Http2Settings settings;
  settings.floods.pings = 0;
  settings.floods.connection_bytes = 64 * 1024;
  RawClient client({}, settings);
  std::string pings;
  for (int i = 0; i < 1000; ++i)
    pings += ping_frame();
  std::string said;
  for (int i = 0; i < 10; ++i)
    said += client.said_about(pings);
  CHECK(said == "0 concluded; ");
}

TEST_CASE("what a stream held is given back when it ends") {
  RawClient client;
  const auto turn = [&client](std::uint32_t stream) {
    client.side().feed(client.get(stream, {{"x", "y"}}));
    ResponseHead head(client.side().home().arena_for(0));
    head.status = 200;
    head.body.kind = BodyLength::Kind::kUnknown;
    client.codec().write_response(stream, head);
    client.side().write_body(stream, std::string(100000, 'x'));
    client.side().feed(reset_frame(stream, 8));
    static_cast<void>(client.side().sent());
    return client.codec().bytes_in_use();
  };
  const std::size_t first = turn(1);
  std::size_t last = first;
  for (std::uint32_t stream = 3; stream < 301; stream += 2)
    last = turn(stream);
  CHECK(last <= first);
  CHECK(client.codec().streams_open() == 0);
}

}  // namespace
}  // namespace limpet::test
