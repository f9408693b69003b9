// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/hop_by_hop.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/unit/http/codec_fixture.h"

using namespace limpet;
using limpet::test::fields_text;

namespace {

struct Stripped {
  explicit Stripped(std::initializer_list<std::pair<const char*, const char*>> fields,
                    MessageKind kind = MessageKind::kRequest)
      : list(arena) {
    for (const auto& [name, value] : fields)
      list.add_copy(name, value);
    said = strip_hop_by_hop(list, kind);
    refusal = said.refusal();
  }
  Arena arena;
  HeaderList list;
  HopByHop said;
  Refusal refusal;
};

}  // namespace

TEST_CASE("hop-by-hop: how long the other side keeps the connection is read, nonsense is not") {
  const auto kept = [](const char* value) {
    return Stripped({{"keep-alive", value}}, MessageKind::kResponse).said.kept_seconds;
  };
  CHECK(kept("timeout=5") == 5);
  CHECK(kept("max=100 , Timeout=65535") == 65535);
  for (const char* value : {"", "timeout", "timeout=", "timeout=x", "timeout=-1", "timeout=65536",
                            "timeout=18446744073709551621", "xtimeout=5", "max=5"}) {
    CHECK_MESSAGE(kept(value) == 0, value);
  }
}

TEST_CASE("hop-by-hop: the fields of the connection go, the others stay as they are") {
  const Stripped stripped({{"host", "a"},
                           {"connection", "keep-alive"},
                           {"keep-alive", "timeout=5"},
                           {"proxy-connection", "keep-alive"},
                           {"te", "trailers, deflate;q=0.5"},
                           {"trailer", "x-checksum"},
                           {"transfer-encoding", "chunked"},
                           {"upgrade", "h2c, WebSocket"},
                           {"http2-settings", "AAMAAABk"},
                           {"x-own", "1"}});
  CHECK_FALSE(stripped.refusal.is_refused());
  CHECK(fields_text(stripped.list) == "host=a|trailer=x-checksum|x-own=1");
  CHECK(stripped.said.has_keep_alive);
  CHECK_FALSE(stripped.said.has_close);
  CHECK(stripped.said.accepts_trailers);
  CHECK(stripped.said.offers_websocket);
  CHECK_FALSE(stripped.said.has_upgrade);
}

TEST_CASE("hop-by-hop: nominated fields go, in any case and over several Connection fields") {
  const Stripped stripped({{"x-a", "1"},
                           {"connection", "Close, X-A,, x-b ,\tTE"},
                           {"x-b", "2"},
                           {"x-c", "3"},
                           {"connection", "UPGRADE,X-Forwarded-For"},
                           {"x-forwarded-for", "1.2.3.4"},
                           {"te", "trailers"}});
  CHECK_FALSE(stripped.refusal.is_refused());
  CHECK(fields_text(stripped.list) == "x-c=3");
  CHECK(stripped.said.has_close);
  CHECK(stripped.said.has_upgrade);
  CHECK(stripped.said.accepts_trailers);
}

TEST_CASE("hop-by-hop: a request may not nominate what frames or routes it") {
  for (const char* name : {"host", "Content-Length", "transfer-encoding", "Expect", "trailer"}) {
    CAPTURE(name);
    CHECK(Stripped({{"connection", name}}).refusal.fault == Fault::kBadRequest);
    CHECK_FALSE(Stripped({{"connection", name}}, MessageKind::kResponse).refusal.is_refused());
  }
  const Stripped response({{"content-length", "5"}, {"connection", "content-length"}},
                          MessageKind::kResponse);
  CHECK(fields_text(response.list) == "content-length=5");
}

TEST_CASE("hop-by-hop: options are tokens, and not without number") {
  CHECK(Stripped({{"connection", "a b"}}).refusal.is_refused());
  CHECK(Stripped({{"connection", "\"close\""}}).refusal.is_refused());
  CHECK(Stripped({{"connection", "close;x"}}, MessageKind::kResponse).refusal.is_refused());
  CHECK_FALSE(Stripped({{"connection", ""}}).refusal.is_refused());
  CHECK_FALSE(Stripped({{"connection", std::string(31, ',').c_str()}}).refusal.is_refused());
  CHECK(Stripped({{"connection", std::string(40, ',').c_str()}}).refusal.is_refused());
}
