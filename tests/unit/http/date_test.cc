// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/date.h"

#include <string>

#include <doctest/doctest.h>

using namespace limpet;

TEST_CASE("date: known days") {
  DateCache cache;
  const auto text = [&cache](long long seconds) {
    return std::string(cache.text(WallSeconds(std::chrono::seconds(seconds))));
  };
  CHECK(text(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(text(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(text(951782399) == "Mon, 28 Feb 2000 23:59:59 GMT");
  CHECK(text(951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");
  CHECK(text(4102444799) == "Thu, 31 Dec 2099 23:59:59 GMT");
}

TEST_CASE("date: the same second keeps its text, the next one has another") {
  DateCache cache;
  const WallSeconds second(std::chrono::seconds(784111777));
  const std::string_view first = cache.text(second);
  CHECK(cache.text(second).data() == first.data());
  CHECK(std::string(cache.text(second + std::chrono::seconds(23))) ==
        "Sun, 06 Nov 1994 08:50:00 GMT");
}
