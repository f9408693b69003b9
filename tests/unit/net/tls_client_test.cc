// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_client.h"

#include <string>

#include <doctest/doctest.h>

#include "tests/support/tls_fixture.h"

using namespace limpet;  // NOLINT(google-build-using-namespace)
using test::Ends;
using test::TlsRig;

namespace {

std::string mistake_of(const ReplicaTlsModel& model) {
  const auto made = TlsClientContext::make(model, ReplicaProtocol::kHttp1);
  return made ? std::string() : made.error().text;
}

}  // namespace

TEST_CASE("a replica's certificate is checked against the CA and the name") {
  const TlsRig rig;
  TlsModel model;
  model.certificates = {rig.pair("a", {.names = {"a.example", "127.0.0.1"}})};
  const auto serving = rig.server(model);
  for (const char* host : {"a.example", "127.0.0.1"}) {
    Ends ends(serving, rig.client(), {host, nullptr});
    REQUIRE(ends.shake());
    CHECK(ends.client.tls()->alpn() == Alpn::kHttp2);
    // An address is not a name to ask for (RFC 6066 section 3).
    CHECK(ends.server.tls()->server_name() == (host[0] == 'a' ? host : ""));
    CHECK(test::send_text(ends.client, "x").bytes == 1);
    CHECK(test::read_text(ends.server) == "x");
  }
  ReplicaTlsModel named;
  named.server_name = "a.example";
  Ends by_name(serving, rig.client(named), {"10.0.0.1", nullptr});
  CHECK(by_name.shake());
  CHECK(by_name.server.tls()->server_name() == "a.example");
}

TEST_CASE("a replica with another name, CA or time is refused, and both sides know why") {
  const TlsRig rig;
  const TlsRig other("another authority");
  TlsModel old;
  old.certificates = {rig.pair("old", {.names = {"a.example"}, .ends = std::chrono::hours(-1)})};
  const auto text_of = [](Ends& ends) {
    CHECK_FALSE(ends.shake());
    CHECK(ends.client.tls()->failure().cause == TlsFailureCause::kBadCertificate);
    CHECK(ends.server.handshake() == TlsSession::Progress::kFailed);
    CHECK(ends.server.tls()->failure().cause == TlsFailureCause::kBadCertificate);
    return ends.client.tls()->failure().text;
  };
  const std::string refused = "the other side's certificate is refused: ";
  Ends named(rig.server(rig.plain_model()), rig.client(), {"b.example", nullptr});
  CHECK(text_of(named) == refused + "hostname mismatch");
  Ends strange(rig.server(rig.plain_model()), other.client(), {"a.example", nullptr});
  CHECK(text_of(strange) == refused + "unable to get local issuer certificate");
  Ends expired(rig.server(old), rig.client(), {"a.example", nullptr});
  CHECK(text_of(expired) == refused + "certificate has expired");
}

TEST_CASE("without a name to expect no connection is made") {
  const TlsRig rig;
  const Ends ends;
  CHECK(TlsSession::connect(rig.client(), ends.client.descriptor(), {"", nullptr}) == nullptr);
}

TEST_CASE("the certificate of a replica may be the CA file itself") {
  const TlsRig rig;
  const TlsModel model = rig.plain_model();
  ReplicaTlsModel pinned;
  pinned.ca = model.certificates[0].cert;
  Ends ends(rig.server(model), rig.client(pinned), {"a.example", nullptr});
  CHECK(ends.shake());
}

TEST_CASE("limpet shows its own certificate to replicas that ask") {
  const TlsRig rig;
  TlsModel model = rig.plain_model();
  model.client_auth = ClientAuth::kRequired;
  model.client_ca = rig.folder.write("clients.pem", rig.ca.pem());
  const CertificateModel own = rig.pair("own", {.names = {}, .subject = "limpet"});
  ReplicaTlsModel with_own;
  with_own.cert = own.cert;
  with_own.key = own.key;
  Ends ends(rig.server(model), rig.client(with_own), {"a.example", nullptr});
  REQUIRE(ends.shake());
  CHECK(ends.server.tls()->client_subject() == "CN=limpet");

  // Under TLS 1.3 the client is done first and reads the refusal afterwards.
  Ends without(rig.server(model), rig.client(), {"a.example", nullptr});
  CHECK_FALSE(without.shake());
  std::array<char, 10> bytes;
  CHECK(without.client.read(bytes).how == Moved::How::kFailed);
  CHECK(without.client.tls()->failure().cause == TlsFailureCause::kNoCertificate);
}

TEST_CASE("the pool's protocol is what is offered by ALPN") {
  const TlsRig rig;
  const auto both = rig.server(rig.plain_model());
  const auto only1 = rig.server(rig.plain_model(), AlpnChoice::kHttp1);
  const auto alpn = [&](const auto& serving, ReplicaProtocol protocol) {
    Ends ends(serving, rig.client({}, protocol), {"a.example", nullptr});
    return ends.shake() ? ends.client.tls()->alpn() : Alpn::kNone;
  };
  CHECK(alpn(both, ReplicaProtocol::kAuto) == Alpn::kHttp2);
  CHECK(alpn(both, ReplicaProtocol::kHttp1) == Alpn::kHttp1);
  CHECK(alpn(both, ReplicaProtocol::kHttp2) == Alpn::kHttp2);
  CHECK(alpn(only1, ReplicaProtocol::kAuto) == Alpn::kHttp1);
  CHECK(alpn(only1, ReplicaProtocol::kHttp2) == Alpn::kNone);
}

TEST_CASE("a replica's session is resumed by the next connection under the same context only") {
  const TlsRig rig;
  const auto serving = rig.server(rig.plain_model());
  const auto asking = rig.client();
  const auto ticket = std::make_shared<TlsSessionTicket>();
  const auto resumes = [&](const auto& context) {
    Ends ends(serving, context, {"a.example", ticket});
    REQUIRE(ends.shake());
    // The ticket comes behind the handshake and is taken in by a read.
    REQUIRE(test::send_text(ends.server, "x").bytes == 1);
    CHECK(test::read_text(ends.client) == "x");
    CHECK_FALSE(ticket->is_empty());
    return ends.client.tls()->was_resumed();
  };
  CHECK(ticket->is_empty());
  CHECK_FALSE(resumes(asking));
  CHECK(resumes(asking));
  CHECK(resumes(asking));
  CHECK_FALSE(resumes(rig.client()));
  ticket->forget();
  CHECK(ticket->is_empty());
}

TEST_CASE("a ticket that waits behind the handshake leaves a kept connection silent") {
  const TlsRig rig;
  const auto ticket = std::make_shared<TlsSessionTicket>();
  Ends ends(rig.server(rig.plain_model()), rig.client(), {"a.example", ticket});
  REQUIRE(ends.shake());
  CHECK(ends.client.is_silent());
  CHECK_FALSE(ticket->is_empty());
  CHECK(ends.client.is_silent());
  REQUIRE(test::send_text(ends.server, "x").bytes == 1);
  CHECK_FALSE(ends.client.is_silent());
  CHECK(test::read_text(ends.client) == "x");
  CHECK(ends.client.is_silent());
  ends.server.end_writing();
  CHECK_FALSE(ends.client.is_silent());
}

TEST_CASE("what is wrong with the files for replicas is said") {
  const TlsRig rig;
  ReplicaTlsModel model;
  CHECK(mistake_of(model).empty());
  model.ca = rig.folder.path_of("none");
  CHECK(mistake_of(model) ==
        "ca " + model.ca + " cannot be opened; expected \"system\" or the path of a PEM file");
  model.ca = rig.folder.write("noise", "noise");
  CHECK(mistake_of(model).starts_with("ca " + model.ca + ": no certificate in it ("));
  const CertificateModel a = rig.pair("a", {.names = {"a.example"}});
  const CertificateModel b = rig.pair("b", {.names = {"b.example"}});
  model.ca = "system";
  model.cert = a.cert;
  model.key = b.key;
  CHECK(
      mistake_of(model).starts_with("key " + b.key + " does not belong to certificate " + a.cert));
}

TEST_CASE("a context for replicas knows when its files are others") {
  const TlsRig rig;
  const auto context = rig.client();
  CHECK_FALSE(has_changed(context->files()));
  rig.folder.write("ca.pem", rig.ca.pem());
  CHECK(has_changed(context->files()));
}
