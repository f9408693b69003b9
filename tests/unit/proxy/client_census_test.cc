// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/client_census.h"

#include <doctest/doctest.h>

using namespace limpet;  // NOLINT(google-build-using-namespace)

TEST_CASE("a client is counted by its /32 or /64, up to the limit, and forgotten when it leaves") {
  ClientCensus census;
  const Address four = *Address::parse("192.0.2.1:1000");
  const Address same_four = *Address::parse("192.0.2.1:2000");
  const Address other_four = *Address::parse("192.0.2.2:1000");
  const auto first = census.try_enter(four, 2);
  auto second = census.try_enter(same_four, 2);
  CHECK(first);
  CHECK(second);
  CHECK_FALSE(census.try_enter(four, 2));
  CHECK(census.try_enter(other_four, 2));
  second.reset();
  CHECK(census.try_enter(four, 2));

  const auto six = census.try_enter(*Address::parse("[2001:db8::1]:1"), 1);
  CHECK(six);
  CHECK_FALSE(census.try_enter(*Address::parse("[2001:db8::ffff:2]:1"), 1));
  CHECK(census.try_enter(*Address::parse("[2001:db8:0:1::1]:1"), 1));
}
