// SPDX-License-Identifier: Apache-2.0
// Event streams from anywhere, cut anywhere: the first byte of the input says where. Events do not
// depend on the cuts, a comment put in where it is allowed changes no event, and the rewriter of
// endpoints takes nothing away but the id that it replaces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "daemon/base/check.h"
#include "modules/mcp/answer_reader.h"
#include "modules/mcp/endpoint_rewriter.h"
#include "modules/mcp/listen_merge.h"
#include "modules/mcp/sse_scanner.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace limpet::mcp {
namespace {

using Event = std::tuple<std::string, std::string, std::string, std::uint64_t, bool, bool, bool>;

class Events final : public SseSink {
 public:
  void on_event(const SseEvent& event) override {
    all.emplace_back(event.name, event.id, event.data, event.data_bytes, event.has_id,
                     event.has_data, event.is_cut);
  }
  std::vector<Event> all;
};

// Walks the stream in pieces of uneven sizes.
template <typename Take>
void in_pieces(std::string_view stream, std::size_t seed, const Take& take) {
  std::size_t at = 0;
  while (at < stream.size()) {
    const std::size_t bytes = 1 + (seed + at * 7) % 13;
    take(stream.substr(at, bytes));
    at += bytes;
  }
}

void scan(std::string_view stream, std::size_t seed) {
  constexpr std::size_t kKept = 64;
  Events whole;
  SseScanner at_once(kKept);
  at_once.feed(stream, &whole);

  Events pieces;
  SseScanner scanner(kKept);
  std::string with_comments;
  in_pieces(stream, seed, [&](std::string_view piece) {
    const bool is_allowed = scanner.is_between_events();
    scanner.feed(piece, &pieces);
    if (is_allowed) with_comments += ": \n\n";
    // The stream's beginning is always such a place, so its mark is always left out.
    piece.remove_prefix(scanner.mark_bytes());
    with_comments += piece;
  });
  CHECK_THAT(pieces.all == whole.all);
  CHECK_THAT(scanner.events() == whole.all.size());

  Events commented;
  SseScanner reader(kKept);
  reader.feed(with_comments, &commented);
  CHECK_THAT(commented.all == whole.all);
}

class Marker final : public SessionIdWrapper {
 public:
  std::string_view wrap(std::string_view original) override {
    ++calls;
    held_ = "WRAPPED" + std::string(original);
    return held_;
  }
  int calls = 0;

 private:
  std::string held_;
};

void rewrite(std::string_view stream, std::size_t seed) {
  Marker marker;
  EndpointRewriter rewriter(marker);
  std::string out;
  std::size_t taken = 0;
  in_pieces(stream, seed, [&](std::string_view piece) {
    rewriter.feed(piece, out);
    taken += piece.size();
    CHECK_THAT(out.size() + EndpointRewriter::kHeldBytesMax + 1 >= taken);
  });
  rewriter.finish(out);
  CHECK_THAT(marker.calls <= 1);
  CHECK_THAT(rewriter.has_rewritten() == (marker.calls == 1));
  if (marker.calls == 1) {
    // The mark stands where it was put, and without it the stream is what it was.
    bool is_same = false;
    for (std::size_t at = out.find("WRAPPED"); at != std::string::npos && !is_same;
         at = out.find("WRAPPED", at + 1)) {
      std::string without = out;
      is_same = without.erase(at, 7) == stream;
    }
    CHECK_THAT(is_same);
  } else {
    CHECK_THAT(out == stream);
  }
}

void merge(std::string_view stream, std::size_t seed) {
  ListenMerge listen("1");
  std::string out;
  static_cast<void>(listen.add(0));
  static_cast<void>(listen.add(1));
  std::uint32_t leg = 0;
  in_pieces(stream, seed, [&](std::string_view piece) {
    listen.feed(leg, piece, out);
    if (piece.size() == 3) leg = 1 - leg;
  });
  listen.finish(0, out);
  listen.finish(1, out);
  listen.conclude(out);
  CHECK_THAT(listen.is_over());
  CHECK_THAT(out.empty() == !listen.is_acknowledged());
  AnswerReader reader("1", BodyForm::kEvents, 256);
  in_pieces(stream, seed, [&](std::string_view piece) { static_cast<void>(reader.feed(piece)); });
  CHECK_THAT(reader.finish() != AnswerReader::State::kReading);
  if (reader.state() == AnswerReader::State::kAnswered) CHECK_THAT(reader.json().size() <= 256);
}

}  // namespace
}  // namespace limpet::mcp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace limpet::mcp;  // NOLINT(google-build-using-namespace)
  if (size == 0) return 0;
  const std::size_t seed = data[0];
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  scan(stream, seed);
  rewrite(stream, seed);
  merge(stream, seed);
  return 0;
}
