// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/transport.h"

#include <array>
#include <string>

#include <doctest/doctest.h>

#include "tests/support/tls_fixture.h"

using namespace limpet;  // NOLINT(google-build-using-namespace)
using How = Moved::How;
using test::Ends;

TEST_CASE("a plain transport moves bytes, blocks and ends, and keeps nothing") {
  Ends ends;
  CHECK_FALSE(ends.server.is_secure());
  CHECK(ends.server.tls() == nullptr);
  CHECK(ends.server.handshake() == TlsSession::Progress::kDone);
  CHECK(ends.server.is_silent());
  std::array<char, 100> span;
  CHECK(ends.server.read(span).how == How::kBlocked);

  std::array<iovec, 2> pieces = {iovec{const_cast<char*>("hel"), 3},  // NOLINT
                                 iovec{const_cast<char*>("lo"), 2}};  // NOLINT
  CHECK(ends.client.write(pieces).bytes == 5);
  CHECK_FALSE(ends.client.has_pending_output());
  CHECK_FALSE(ends.server.is_silent());
  CHECK(test::read_text(ends.server) == "hello");
  CHECK_FALSE(ends.server.has_more());

  ends.client.end_writing();
  CHECK(ends.server.read(span).how == How::kEnded);
  CHECK_FALSE(ends.server.ended_without_close_notify());
  CHECK(test::send_text(ends.server, "x").bytes == 1);
  CHECK(ends.client.flush_pending().how == How::kSome);
  ends.client.close();
  CHECK_FALSE(ends.client.is_open());
  CHECK(test::send_text(ends.server, "x").how == How::kFailed);
}
