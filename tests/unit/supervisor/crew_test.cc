// SPDX-License-Identifier: Apache-2.0
#include "daemon/crew.h"

#include <doctest/doctest.h>

using namespace limpet;

TEST_CASE("crew: clients get half of the descriptors that are not our own") {
  CHECK(clients_for(1024) == (1024 - 128) / 2);
  CHECK(clients_for(524288) == (524288 - 128) / 2);
  CHECK(clients_for(200) == (200 - 128) / 2);
}

TEST_CASE("crew: with hardly any descriptors a few clients are let in all the same") {
  CHECK(clients_for(0) == 16);
  CHECK(clients_for(64) == 16);
  CHECK(clients_for(128 + 32) == 16);
  CHECK(clients_for(128 + 34) == 17);
}
