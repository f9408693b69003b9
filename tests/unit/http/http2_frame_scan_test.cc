// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http2_frame_scan.h"

#include <set>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "tests/unit/http/http2_fixture.h"

namespace limpet::test {
namespace {

using Verdict = Http2FrameScan::Verdict;

struct Streams : OpenStreams {
  bool is_open(std::uint32_t stream) const noexcept override { return open.contains(stream); }
  std::set<std::uint32_t> open;
};

/// A scan behind the preface.
struct Scan {
  explicit Scan(CodecRole role = CodecRole::kServer) : scan(role, streams) {
    if (role == CodecRole::kServer) CHECK(of(std::string(kPreface)) == Verdict::kFine);
  }
  Verdict of(std::string_view bytes) { return scan.scan(bytes, Instant{}, floods); }
  Verdict bytewise(std::string_view bytes) {
    for (const char c : bytes) {
      const Verdict verdict = of({&c, 1});
      if (verdict != Verdict::kFine) return verdict;
    }
    return Verdict::kFine;
  }

  Streams streams;
  Http2FloodLimits limits;
  Http2Floods floods{limits};
  Http2FrameScan scan;
};

TEST_CASE("frames are found wherever the bytes are cut") {
  const std::string bytes = frame(kHeaders, kEndHeaders, 1, "block") +
                            frame(kData, kPadded, 1, number(2, 1) + "x00") + ping_frame() +
                            frame(kPriority, 0, 7, number(3, 4) + "w") + frame(kData, 0, 1) +
                            frame(kData, 0, 3);  // nobody began stream 3
  Scan whole;
  CHECK(whole.of(bytes + std::string(9, '\0')) == Verdict::kFine);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Scan pieces;
    pieces.streams.open = {1};
    CHECK(pieces.of(std::string_view(bytes).substr(0, cut)) == Verdict::kFine);
    CHECK(pieces.of(std::string_view(bytes).substr(cut)) == Verdict::kFine);
    CHECK_FALSE(pieces.scan.is_in_block());
  }
}

TEST_CASE("PRIORITY of no stream, and of a stream that depends on itself") {
  Scan none;
  CHECK(none.bytewise(frame(kPriority, 0, 0, number(3, 4) + "w")) == Verdict::kBreach);
  Scan own;
  CHECK(own.bytewise(frame(kPriority, 0, 3, number(3, 4) + "w")) == Verdict::kBreach);
  Scan exclusive;
  CHECK(exclusive.of(frame(kPriority, 0, 3, number(0x80000003, 4) + "w")) == Verdict::kBreach);
  Scan fine;
  CHECK(fine.of(frame(kPriority, 0, 3, number(5, 4) + "w")) == Verdict::kFine);
  CHECK(fine.of(frame(kPriority, 0, 3, "odd")) == Verdict::kFine);  // the library sees to sizes
}

TEST_CASE("streams that are over, that were skipped, and that limpet reset") {
  const auto begin = [](std::uint32_t stream) { return frame(kHeaders, kEndHeaders, stream); };
  const auto data = [](std::uint32_t stream) { return frame(kData, 0, stream, "x"); };
  const auto after = [&](std::set<std::uint32_t> open, std::string_view bytes) {
    Scan scan;
    CHECK(scan.of(begin(1) + data(1) + begin(5) + data(5)) == Verdict::kFine);
    scan.streams.open = std::move(open);
    return scan.of(bytes);
  };
  CHECK(after({1, 5}, data(1) + begin(1)) == Verdict::kFine);
  CHECK(after({5}, data(1)) == Verdict::kClosed);
  CHECK(after({5}, begin(1)) == Verdict::kClosed);
  CHECK(after({5}, data(3)) == Verdict::kBreach);
  CHECK(after({5}, begin(3)) == Verdict::kBreach);
  CHECK(after({5}, reset_frame(5, 8) + data(5)) == Verdict::kClosed);
  CHECK(after({}, begin(7) + data(7)) == Verdict::kFine);
  CHECK(after({}, begin(7) + reset_frame(7, 8) + begin(7)) == Verdict::kClosed);
  Scan scan;
  CHECK(scan.of(begin(1) + begin(5)) == Verdict::kFine);
  scan.scan.on_reset_by_us(1);
  CHECK(scan.of(data(1) + begin(1)) == Verdict::kFine);
  scan.scan.stop_judging_streams();
  CHECK(scan.of(data(3) + begin(3)) == Verdict::kFine);
}

TEST_CASE("what limpet reset long ago is not held against a client") {
  Scan scan;
  for (std::uint32_t stream = 1; stream < 401; stream += 2) {
    CHECK(scan.of(frame(kHeaders, kEndHeaders, stream)) == Verdict::kFine);
    scan.scan.on_reset_by_us(stream);
  }
  for (std::uint32_t stream = 1; stream < 401; stream += 2)
    CHECK(scan.of(frame(kData, 0, stream, "x")) == Verdict::kFine);
  CHECK(scan.of(frame(kHeaders, kEndHeaders, 1001) + frame(kHeaders, kEndHeaders, 1003)) ==
        Verdict::kFine);
  CHECK(scan.of(frame(kData, 0, 1001, "x")) == Verdict::kClosed);
}

TEST_CASE("a replica's frames are not judged by streams, limpet began them all") {
  Scan scan(CodecRole::kClient);
  CHECK(scan.of(frame(kHeaders, kEndHeaders, 9) + frame(kData, 0, 3, "x")) == Verdict::kFine);
}

}  // namespace
}  // namespace limpet::test
