// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/status.h"

#include <doctest/doctest.h>

#include "daemon/http/stream_event.h"

using namespace limpet;

TEST_CASE("status: registered codes have their phrase, others none") {
  CHECK(reason_phrase(100) == "Continue");
  CHECK(reason_phrase(200) == "OK");
  CHECK(reason_phrase(404) == "Not Found");
  CHECK(reason_phrase(511) == "Network Authentication Required");
  CHECK(reason_phrase(299).empty());
  CHECK(reason_phrase(0).empty());
  CHECK(reason_phrase(999).empty());
}

TEST_CASE("status: every fault has its number") {
  CHECK(status_of(Fault::kBadRequest) == 400);
  CHECK(status_of(Fault::kTargetTooLong) == 414);
  CHECK(status_of(Fault::kFieldsTooLarge) == 431);
  CHECK(status_of(Fault::kUnknownCoding) == 501);
  CHECK(status_of(Fault::kUnknownVersion) == 505);
  CHECK(status_of(Fault::kBadResponse) == 502);
  CHECK(status_of(Fault::kTruncated) == 400);
  CHECK(status_of(Fault::kExpectationFailed) == 417);
}
