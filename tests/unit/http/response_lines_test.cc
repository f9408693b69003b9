// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/response_lines.h"

#include <doctest/doctest.h>

#include "tests/unit/http/codec_fixture.h"

using namespace limpet;
using limpet::test::fields_text;

namespace {

const WallSeconds kSecond(std::chrono::seconds(784111777));

struct Response {
  explicit Response(HttpVersion version) : head(arena) { head.version = version; }
  [[nodiscard]] std::string with(ResponseLines& lines, WallSeconds now = kSecond) {
    lines.add_to(head, now);
    return fields_text(head.fields);
  }
  Arena arena;
  ResponseHead head;
};

}  // namespace

TEST_CASE("response lines: Date and Via are added side by side") {
  ResponseLines lines;
  Response response(HttpVersion::kHttp11);
  CHECK(response.with(lines) == "date=Sun, 06 Nov 1994 08:49:37 GMT|via=1.1 limpet");
  const auto fields = response.head.fields.fields();
  CHECK(fields[0].is_line());
  CHECK(fields[0].line().end() == fields[1].line().begin());
  CHECK(lines.date(kSecond) == "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST_CASE("response lines: another second has another date") {
  ResponseLines lines;
  Response first(HttpVersion::kHttp11);
  static_cast<void>(first.with(lines));
  Response second(HttpVersion::kHttp11);
  CHECK(second.with(lines, kSecond + std::chrono::seconds(1)) ==
        "date=Sun, 06 Nov 1994 08:49:38 GMT|via=1.1 limpet");
}

TEST_CASE(
    "response lines: the replica's own Date stays, and other versions are called by their name") {
  ResponseLines lines;
  Response dated(HttpVersion::kHttp11);
  dated.head.fields.add(FieldName::kDate, "yesterday");
  CHECK(dated.with(lines) == "date=yesterday|via=1.1 limpet");
  Response old(HttpVersion::kHttp10);
  CHECK(old.with(lines) == "date=Sun, 06 Nov 1994 08:49:37 GMT|via=1.0 limpet");
  Response newer(HttpVersion::kHttp2);
  CHECK(newer.with(lines) == "date=Sun, 06 Nov 1994 08:49:37 GMT|via=2.0 limpet");
}
