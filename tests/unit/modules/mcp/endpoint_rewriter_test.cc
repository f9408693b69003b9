// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/endpoint_rewriter.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

class Prefixer final : public SessionIdWrapper {
 public:
  std::string_view wrap(std::string_view original) override {
    held_ = can_wrap ? "TOKEN-" + std::string(original) : "";
    return held_;
  }
  bool can_wrap = true;

 private:
  std::string held_;
};

std::string rewritten(std::string_view stream, std::size_t step) {
  Prefixer prefixer;
  EndpointRewriter rewriter(prefixer);
  std::string out;
  for (std::size_t at = 0; at < stream.size(); at += step)
    rewriter.feed(stream.substr(at, step), out);
  rewriter.finish(out);
  return out;
}

TEST_CASE("the id in the endpoint is replaced wherever the stream is cut, all else passes") {
  struct Row {
    std::string before, after;
  };
  const Row rows[] = {
      {"event: endpoint\ndata: /message?sessionId=abc\n\ndata: sessionId=abc\n\n",
       "event: endpoint\ndata: /message?sessionId=TOKEN-abc\n\ndata: sessionId=abc\n\n"},
      {"event: endpoint\r\ndata: http://h:1/m?x=1&session_id=0f%2D&y=2#sessionId=q\r\n\r\nrest",
       "event: endpoint\r\ndata: "
       "http://h:1/m?x=1&session_id=TOKEN-0f%2D&y=2#sessionId=q\r\n\r\nrest"},
      {"\xef\xbb\xbf: hello\n\ndata:?sessionid=1\nevent:endpoint\n\n",
       "\xef\xbb\xbf: hello\n\ndata:?sessionid=TOKEN-1\nevent:endpoint\n\n"},
      {"event: message\ndata: /m?sessionId=no\n\nevent: endpoint\rdata: /m?sessionId=yes\r\r",
       "event: message\ndata: /m?sessionId=no\n\nevent: endpoint\rdata: "
       "/m?sessionId=TOKEN-yes\r\r"},
      {"\xef\xbb\xbf"
       "event: endpoint\ndata: /m?sessionId=1\n\n",
       "\xef\xbb\xbf"
       "event: endpoint\ndata: /m?sessionId=TOKEN-1\n\n"},
  };
  for (const Row& row : rows) {
    for (std::size_t step = 1; step <= row.before.size(); ++step) {
      CAPTURE(step);
      CHECK(rewritten(row.before, step) == row.after);
    }
  }
}

TEST_CASE("an endpoint without a session id, and streams without an endpoint, pass unchanged") {
  for (const std::string stream :
       {"event: endpoint\ndata: /message\n\n", "event: endpoint\ndata: /m?sessionId=\n\n",
        "data: /m?sessionId=a\n\n", "event: endpoint\ndata: /m?sessionId=unfinished",
        "event: other\ndata: /m?sessionId=a\n\n\n\n\n"}) {
    for (std::size_t step : {std::size_t{1}, std::size_t{5}, stream.size()})
      CHECK(rewritten(stream, step) == stream);
  }
}

TEST_CASE("where no wrapped id can be made the original stays") {
  Prefixer prefixer;
  prefixer.can_wrap = false;
  EndpointRewriter rewriter(prefixer);
  std::string out;
  rewriter.feed("event: endpoint\ndata: /m?sessionId=a\n\n", out);
  CHECK(out == "event: endpoint\ndata: /m?sessionId=a\n\n");
  CHECK(rewriter.is_done());
  CHECK_FALSE(rewriter.has_rewritten());
}

TEST_CASE("what is held back is bounded, and after the endpoint nothing is") {
  Prefixer prefixer;
  EndpointRewriter rewriter(prefixer);
  std::string out;
  const std::string big = "data: " + std::string(3 * EndpointRewriter::kHeldBytesMax, 'x');
  rewriter.feed(big, out);
  CHECK(big.size() - out.size() <= EndpointRewriter::kHeldBytesMax);
  rewriter.feed("\n\nevent: endpoint\ndata: /m?sessionId=a\n\n", out);
  CHECK(rewriter.has_rewritten());
  CHECK(rewriter.is_done());
  CHECK(out.ends_with("sessionId=TOKEN-a\n\n"));
}

TEST_CASE("a stream of other events is given up after a while") {
  Prefixer prefixer;
  EndpointRewriter rewriter(prefixer);
  std::string out;
  for (unsigned i = 0; i < EndpointRewriter::kEventsMax; ++i)
    rewriter.feed("event: message\ndata: 1\n\n", out);
  CHECK(rewriter.is_done());
}

TEST_CASE("query names are whole names") {
  CHECK(find_session_id("/m?mysessionId=a").bytes == 0);
  CHECK(find_session_id("/m?sessionIds=a").bytes == 0);
  CHECK(find_session_id("/sessionId=a").bytes == 0);
  CHECK(find_session_id("/m#?sessionId=a").bytes == 0);
  const QueryValue found = find_session_id("/m?a=b&SESSIONID=xy&c");
  CHECK(found.begin == 17);
  CHECK(found.bytes == 2);
}

}  // namespace
}  // namespace limpet::mcp
