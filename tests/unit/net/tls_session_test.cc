// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_session.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/support/foreign_tls.h"

using namespace limpet;  // NOLINT(google-build-using-namespace)
using namespace std::string_view_literals;
using test::ForeignClient;
using test::Progress;
using test::TlsRig;

namespace {

constexpr auto kBoth = "\x02h2\x08http/1.1"sv;
constexpr auto kHttp1 = "\x08http/1.1"sv;
constexpr auto kHttp2 = "\x02h2"sv;

const TlsFailure& failure_of(const Transport& transport) { return transport.tls()->failure(); }

}  // namespace

TEST_CASE("hands are shaken under TLS 1.3 and 1.2, and the facts can be asked for") {
  const TlsRig rig;
  const auto serving = rig.server(rig.plain_model());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    ForeignClient client;
    client.use_version(version);
    client.ask_for("A.example");
    REQUIRE(client.shake(serving));
    const TlsSession& tls = *client.server.tls();
    CHECK(tls.is_established());
    CHECK(tls.protocol() == (version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2"));
    CHECK(tls.cipher() == (version == TLS1_3_VERSION ? "TLS_AES_128_GCM_SHA256"
                                                     : "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"));
    CHECK(tls.server_name() == "A.example");
    CHECK(tls.alpn() == Alpn::kNone);
    CHECK_FALSE(tls.was_resumed());
    CHECK(tls.client_subject().empty());
    CHECK(client.tickets == 1);
    CHECK(test::send_text(client.server, "hello").bytes == 5);
    CHECK(client.read() == "hello");
    CHECK(SSL_write(client.ssl(), "hi", 2) == 2);
    CHECK(test::read_text(client.server) == "hi");
  }
}

TEST_CASE("a version below the least one is refused, and the log says so") {
  const TlsRig rig;
  TlsModel model = rig.plain_model();
  model.min_version = TlsVersion::k13;
  ForeignClient client;
  client.use_version(TLS1_2_VERSION);
  CHECK_FALSE(client.shake(rig.server(model)));
  CHECK(failure_of(client.server).cause == TlsFailureCause::kVersion);
  CHECK(failure_of(client.server).text == "unsupported protocol");
  ForeignClient old;
  old.use_version(TLS1_1_VERSION);
  CHECK_FALSE(old.shake(rig.server(rig.plain_model())));
  CHECK(failure_of(old.server).cause == TlsFailureCause::kVersion);
}

TEST_CASE("a client without a cipher in common is refused as such") {
  const TlsRig rig;
  ForeignClient client;
  client.use_version(TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(client.context(), "ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256");
  CHECK_FALSE(client.shake(rig.server(rig.plain_model())));
  CHECK(failure_of(client.server).cause == TlsFailureCause::kNoSharedCipher);
  CHECK(failure_of(client.server).text == "no shared cipher");
}

TEST_CASE("ALPN chooses h2 before http/1.1 where the listener speaks both") {
  const TlsRig rig;
  const auto both = rig.server(rig.plain_model());
  const auto only1 = rig.server(rig.plain_model(), AlpnChoice::kHttp1);
  const auto chosen = [](const auto& serving, std::string_view offered) {
    ForeignClient client;
    client.offer_alpn(offered);
    REQUIRE(client.shake(serving));
    return client.server.tls()->alpn();
  };
  CHECK(chosen(both, kBoth) == Alpn::kHttp2);
  CHECK(chosen(both, "\x08http/1.1\x02h2"sv) == Alpn::kHttp2);
  CHECK(chosen(both, kHttp1) == Alpn::kHttp1);
  CHECK(chosen(only1, kBoth) == Alpn::kHttp1);
  for (const auto& [serving, offered] : {std::pair{only1, kHttp2}, {both, "\x06spdy/3"sv}}) {
    ForeignClient client;
    client.offer_alpn(offered);
    CHECK_FALSE(client.shake(serving));
    CHECK(failure_of(client.server).cause == TlsFailureCause::kNoSharedCipher);
    CHECK(failure_of(client.server).text == "no application protocol");
    // The client got the alert of RFC 7301 section 3.2.
    ERR_clear_error();
    CHECK(SSL_do_handshake(client.ssl()) <= 0);
    CHECK(ERR_GET_REASON(ERR_get_error()) == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
    ERR_clear_error();
  }
}

TEST_CASE("a ticket is good under every context that shares the keys, until they are gone") {
  const TlsRig rig;
  const auto one = rig.server(rig.plain_model());
  const auto two = rig.server(rig.plain_model());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    ForeignClient first;
    first.use_version(version);
    REQUIRE(first.shake(one));
    REQUIRE(first.session != nullptr);
    const auto resumes = [&](const auto& serving) {
      ForeignClient again;
      again.use_version(version);
      // A copy, since OpenSSL changes the one it is given.
      SSL_SESSION* copy = SSL_SESSION_dup(first.session);
      SSL_set_session(again.ssl(), copy);
      SSL_SESSION_free(copy);
      REQUIRE(again.shake(serving));
      return again.server.tls()->was_resumed();
    };
    CHECK(resumes(one));
    CHECK(resumes(two));
    REQUIRE(*rig.keys->rotate(rig.keys->next_rotation()));
    CHECK(resumes(two));
    REQUIRE(*rig.keys->rotate(rig.keys->next_rotation()));
    CHECK_FALSE(resumes(one));
  }
}

TEST_CASE("a ticket from where clients are not checked is no way around the check") {
  const TlsRig rig;
  TlsModel strict = rig.plain_model();
  strict.client_auth = ClientAuth::kRequired;
  strict.client_ca = rig.folder.write("clients.pem", rig.ca.pem());
  ForeignClient first;
  REQUIRE(first.shake(rig.server(rig.plain_model())));
  ForeignClient again;
  SSL_set_session(again.ssl(), first.session);
  CHECK_FALSE(again.shake(rig.server(strict)));
  CHECK(failure_of(again.server).cause == TlsFailureCause::kNoCertificate);
}

TEST_CASE("a client's certificate is asked for, checked, and named by its subject") {
  const TlsRig rig;
  TlsModel model = rig.plain_model();
  model.client_ca = rig.folder.write("clients.pem", rig.ca.pem());
  const CertificateModel own = rig.pair("own", {.names = {}, .subject = "Jo, the client"});
  const CertificateModel old =
      rig.pair("old", {.names = {}, .subject = "x", .ends = std::chrono::hours(-1)});
  for (const ClientAuth auth : {ClientAuth::kOptional, ClientAuth::kRequired}) {
    model.client_auth = auth;
    const auto serving = rig.server(model);
    ForeignClient known;
    SSL_CTX_use_certificate_chain_file(known.context(), own.cert.c_str());
    SSL_CTX_use_PrivateKey_file(known.context(), own.key.c_str(), SSL_FILETYPE_PEM);
    REQUIRE(known.shake(serving));
    CHECK(known.server.tls()->client_subject() == "CN=Jo\\, the client");

    ForeignClient resumed;
    SSL_set_session(resumed.ssl(), known.session);
    REQUIRE(resumed.shake(serving));
    CHECK(resumed.server.tls()->was_resumed());
    CHECK(resumed.server.tls()->client_subject() == "CN=Jo\\, the client");

    ForeignClient expired;
    SSL_CTX_use_certificate_chain_file(expired.context(), old.cert.c_str());
    SSL_CTX_use_PrivateKey_file(expired.context(), old.key.c_str(), SSL_FILETYPE_PEM);
    CHECK_FALSE(expired.shake(serving));
    CHECK(failure_of(expired.server).cause == TlsFailureCause::kBadCertificate);
    CHECK(failure_of(expired.server).text ==
          "the other side's certificate is refused: certificate has expired");

    ForeignClient nobody;
    CHECK(nobody.shake(serving) == (auth == ClientAuth::kOptional));
    if (auth == ClientAuth::kOptional) {
      CHECK(nobody.server.tls()->client_subject().empty());
    } else {
      CHECK(failure_of(nobody.server).cause == TlsFailureCause::kNoCertificate);
    }
  }
}

TEST_CASE("what is not TLS is told from broken TLS by its first byte") {
  const TlsRig rig;
  const auto serving = rig.server(rig.plain_model());
  for (const std::string_view noise : {"GET / HTTP/1.1\r\n"sv, "PROXY TCP4 "sv, "G"sv, "\0"sv}) {
    test::Ends ends;
    ends.server.start_tls(TlsSession::accept(serving, ends.server.descriptor()));
    CHECK(ends.server.handshake() == Progress::kWantsRead);
    REQUIRE(test::send_text(ends.client, noise).bytes == noise.size());
    CHECK(ends.server.handshake() == Progress::kFailed);
    CHECK(failure_of(ends.server).cause == TlsFailureCause::kNotTls);
    CHECK(failure_of(ends.server).text == "the client's first byte is not TLS");
    CHECK(ends.client.is_silent());  // no alert either
  }
  test::Ends ends;
  ends.server.start_tls(TlsSession::accept(serving, ends.server.descriptor()));
  REQUIRE(test::send_text(ends.client, "\x16\x03\x01\x00\x05garbage"sv).bytes > 0);
  CHECK(ends.server.handshake() == Progress::kFailed);
  CHECK(failure_of(ends.server).cause == TlsFailureCause::kOther);
  CHECK_FALSE(ends.client.is_silent());  // an alert
}

TEST_CASE("a client that goes away during the handshake is called closed") {
  const TlsRig rig;
  const auto serving = rig.server(rig.plain_model());
  test::Ends ends;
  ends.server.start_tls(TlsSession::accept(serving, ends.server.descriptor()));
  CHECK(ends.server.handshake() == Progress::kWantsRead);
  ends.client.close();
  CHECK(ends.server.handshake() == Progress::kFailed);
  CHECK(failure_of(ends.server).cause == TlsFailureCause::kClosed);
  CHECK(failure_of(ends.server).text == "the client closed the connection");
  CHECK(ends.server.handshake() == Progress::kFailed);
}

TEST_CASE("a handshake out of time fails as such and stays so") {
  const TlsRig rig;
  test::Ends ends;
  ends.server.start_tls(
      TlsSession::accept(rig.server(rig.plain_model()), ends.server.descriptor()));
  CHECK(ends.server.handshake() == Progress::kWantsRead);
  ends.server.on_handshake_timeout();
  CHECK(failure_of(ends.server).cause == TlsFailureCause::kTimeout);
  CHECK(ends.server.handshake() == Progress::kFailed);
  std::array<char, 10> bytes;
  CHECK(ends.server.read(bytes).how == Moved::How::kFailed);
  CHECK(test::send_text(ends.server, "x").how == Moved::How::kFailed);
}

TEST_CASE("bytes read before TLS began are its first") {
  const TlsRig rig;
  const auto serving = rig.server(rig.plain_model());
  ForeignClient client;
  CHECK(SSL_do_handshake(client.ssl()) < 0);
  std::string hello(4096, '\0');
  const Moved moved = client.server.read({hello.data(), hello.size()});
  REQUIRE(moved.how == Moved::How::kSome);
  auto session = TlsSession::accept(serving, client.server.descriptor());
  session->feed_first(std::string_view(hello).substr(0, moved.bytes));
  client.server.start_tls(std::move(session));
  CHECK(client.server.handshake() == Progress::kWantsRead);
  CHECK(SSL_do_handshake(client.ssl()) == 1);
  CHECK(client.server.handshake() == Progress::kDone);
}

TEST_CASE("renegotiation is refused and the connection goes on") {
  const TlsRig rig;
  ForeignClient client;
  client.use_version(TLS1_2_VERSION);
  REQUIRE(client.shake(rig.server(rig.plain_model())));
  REQUIRE(SSL_renegotiate(client.ssl()) == 1);
  CHECK(SSL_do_handshake(client.ssl()) < 0);
  CHECK(test::read_text(client.server).empty());
  CHECK(client.server.tls()->is_established());
  ERR_clear_error();
  CHECK(SSL_do_handshake(client.ssl()) < 0);
  CHECK(ERR_GET_REASON(ERR_get_error()) == SSL_R_NO_RENEGOTIATION);
  ERR_clear_error();
}
