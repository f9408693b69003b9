// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_server.h"

#include <algorithm>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "tests/support/foreign_tls.h"

using namespace limpet;  // NOLINT(google-build-using-namespace)
using test::ForeignClient;
using test::KeyKind;
using test::TlsRig;

namespace {

std::string served_name(const std::shared_ptr<const TlsServerContext>& serving,
                        const std::string& asked, const char* signatures = nullptr) {
  ForeignClient client;
  if (signatures != nullptr) SSL_CTX_set1_sigalgs_list(client.context(), signatures);
  if (!asked.empty()) client.ask_for(asked);
  return client.shake(serving) ? client.served_name() : "failed";
}

std::string mistake_of(const TlsRig& rig, const TlsModel& model) {
  const auto made = TlsServerContext::make(model, rig.keys, AlpnChoice::kHttp1);
  if (made) return {};
  // Without the folder, which has another name each time.
  std::string text = made.error().text;
  const std::string folder = rig.folder.path_of("");
  for (std::size_t at = text.find(folder); at != std::string::npos; at = text.find(folder))
    text.erase(at, folder.size());
  return text;
}

}  // namespace

TEST_CASE("the certificate is chosen by the name that the client asks for") {
  const TlsRig rig;
  TlsModel model;
  model.certificates = {rig.pair("a", {.names = {"a.example"}, .subject = "first"}),
                        rig.pair("b", {.names = {"b.example", "*.b.example"}, .subject = "second"}),
                        rig.pair("c", {.names = {}, .subject = "c.example"})};
  const auto serving = rig.server(model);
  CHECK(served_name(serving, "a.example") == "first");
  CHECK(served_name(serving, "B.example") == "second");
  CHECK(served_name(serving, "x.b.example") == "second");
  CHECK(served_name(serving, "x.y.b.example") == "first");
  CHECK(served_name(serving, "c.example") == "c.example");
  CHECK(served_name(serving, "unknown.example") == "first");
  CHECK(served_name(serving, "") == "first");
  CHECK(serving->warnings().empty());
}

TEST_CASE("ECDSA and RSA stand side by side, and the client's signatures decide") {
  const TlsRig rig;
  TlsModel model;
  model.certificates = {
      rig.pair("ec", {.names = {"a.example"}, .subject = "ecdsa"}),
      rig.pair("rsa", {.names = {"a.example"}, .subject = "rsa", .kind = KeyKind::kRsa})};
  const auto serving = rig.server(model);
  CHECK(served_name(serving, "a.example", "ECDSA+SHA256") == "ecdsa");
  CHECK(served_name(serving, "a.example", "RSA-PSS+SHA256:RSA+SHA256") == "rsa");
  CHECK(served_name(serving, "", "RSA-PSS+SHA256:RSA+SHA256") == "rsa");
}

TEST_CASE("the list of certificates has file, end and names") {
  const TlsRig rig;
  TlsModel model;
  model.certificates = {
      rig.pair("a", {.names = {"A.example", "*.a.example", "10.0.0.1"}}),
      rig.pair("b", {.names = {}, .subject = "b.example", .ends = std::chrono::hours(48)})};
  const auto serving = rig.server(model);
  const auto facts = serving->certificates();
  REQUIRE(facts.size() == 2);
  CHECK(facts[0].file == model.certificates[0].cert);
  CHECK(facts[0].names == std::vector<std::string>{"a.example", "*.a.example"});
  CHECK(facts[1].names == std::vector<std::string>{"b.example"});
  const auto left = facts[1].not_after - std::chrono::system_clock::now();
  CHECK(left > std::chrono::hours(47));
  CHECK(left <= std::chrono::hours(48));
}

TEST_CASE("what is wrong with the files of a certificate is said, all of it at once") {
  const TlsRig rig;
  const CertificateModel a = rig.pair("a", {.names = {"a.example"}});
  const CertificateModel b = rig.pair("b", {.names = {"b.example"}});
  const std::string noise = rig.folder.write("noise", "this is not PEM\n");
  TlsModel model;
  CHECK(mistake_of(rig, model) ==
        "tls: expected certificates = [ { cert = \"...\", key = \"...\" } ]");

  CertificateModel crossed = a;
  crossed.key = b.key;
  CertificateModel missing = a;
  missing.cert = rig.folder.path_of("none");
  CertificateModel no_cert = a;
  no_cert.cert = noise;
  CertificateModel no_key = a;
  no_key.key = noise;
  model.certificates = {crossed, missing, no_cert, no_key};
  CHECK(mistake_of(rig, model) ==
        "key b.key does not belong to certificate a.pem; expected the private key that the "
        "certificate was made for\n"
        "certificate none cannot be opened: No such file or directory\n"
        "certificate noise: no certificate in it (no start line); expected PEM, which begins with "
        "-----BEGIN CERTIFICATE-----\n"
        "key noise: no private key in it (unsupported); expected PEM, which begins with "
        "-----BEGIN PRIVATE KEY-----");
}

TEST_CASE("an encrypted key and a damaged chain are mistakes with a name") {
  const TlsRig rig;
  const test::PemPair pair = rig.ca.issue({.names = {"a.example"}});
  TlsModel model;
  model.certificates = {rig.put("a", {pair.cert, test::encrypted_key(pair)})};
  CHECK(mistake_of(rig, model) ==
        "key a.key: the private key is encrypted; expected one without a passphrase");
  const std::string damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  model.certificates = {rig.put("a", {pair.cert + damaged, pair.key})};
  CHECK(mistake_of(rig, model)
            .starts_with("certificate a.pem: certificate 2 of its chain cannot be read: "));
  model.certificates = {rig.put("a", {pair.cert + rig.ca.pem(), pair.key})};
  CHECK(mistake_of(rig, model).empty());
}

TEST_CASE("a bad file of client CAs is a mistake") {
  const TlsRig rig;
  TlsModel model = rig.plain_model();
  model.client_auth = ClientAuth::kRequired;
  model.client_ca = rig.folder.path_of("none");
  CHECK(mistake_of(rig, model) == "client_ca none cannot be opened: No such file or directory");
  model.client_ca = rig.folder.write("empty", "");
  CHECK(mistake_of(rig, model).starts_with("client_ca empty: no certificate in it ("));
}

TEST_CASE("an expired certificate is served with a warning") {
  const TlsRig rig;
  TlsModel model;
  model.certificates = {
      rig.pair("old", {.names = {"a.example"}, .subject = "old", .ends = std::chrono::hours(-1)}),
      rig.pair("new", {.names = {"b.example"}, .begins = std::chrono::hours(1)}),
      rig.pair("twice", {.names = {"a.example"}})};
  const auto serving = rig.server(model);
  CHECK(served_name(serving, "a.example") == "old");
  const auto warnings = serving->warnings();
  REQUIRE(warnings.size() == 3);
  CHECK(warnings[0].starts_with("certificate " + model.certificates[0].cert + " expired at 20"));
  CHECK(warnings[1] == "certificate " + model.certificates[1].cert +
                           " is not valid yet; clients refuse it until it is");
  CHECK(warnings[2] == "certificate " + model.certificates[2].cert +
                           " is not served for a.example: " + model.certificates[0].cert +
                           " has that name, stands first and has the same kind of key");
}

TEST_CASE("a context knows when its files are others, and a new one serves the new certificate") {
  const TlsRig rig;
  TlsModel model;
  model.certificates = {rig.pair("a", {.names = {"a.example"}, .subject = "before"})};
  model.certificates[0].ocsp = rig.folder.path_of("later.der");
  const auto before = rig.server(model);
  REQUIRE(before->files().size() == 3);
  CHECK_FALSE(has_changed(before->files()));
  rig.put("a", rig.ca.issue({.names = {"a.example"}, .subject = "after"}));
  CHECK(has_changed(before->files()));
  const auto after = rig.server(model);
  CHECK_FALSE(has_changed(after->files()));
  CHECK(served_name(before, "a.example") == "before");
  CHECK(served_name(after, "a.example") == "after");
  rig.folder.write("later.der", "now it is there");
  CHECK(has_changed(after->files()));
}

namespace {

std::string staple_at(ForeignClient& client) {
  const unsigned char* der = nullptr;
  const long count = SSL_get_tlsext_status_ocsp_resp(client.ssl(), &der);
  return count <= 0
             ? std::string()
             : std::string(reinterpret_cast<const char*>(der), static_cast<std::size_t>(count));
}

std::string staple_from(const std::shared_ptr<const TlsServerContext>& serving, int version) {
  ForeignClient client;
  client.use_version(version);
  SSL_CTX_set_tlsext_status_type(client.context(), TLSEXT_STATUSTYPE_ocsp);
  REQUIRE(client.shake(serving));
  return staple_at(client);
}

}  // namespace

TEST_CASE("the OCSP response of a file is stapled for clients that ask") {
  const TlsRig rig;
  const test::PemPair pair = rig.ca.issue({.names = {"a.example"}});
  const std::string staple = rig.ca.staple_for(pair, std::chrono::hours(1));
  TlsModel model;
  model.certificates = {rig.put("a", pair)};
  model.certificates[0].ocsp = rig.folder.write("a.der", staple);
  const auto serving = rig.server(model);
  CHECK(serving->warnings().empty());
  CHECK(staple_from(serving, TLS1_3_VERSION) == staple);
  CHECK(staple_from(serving, TLS1_2_VERSION) == staple);
  ForeignClient silent;
  REQUIRE(silent.shake(serving));
  CHECK(staple_at(silent).empty());
}

TEST_CASE("a staple that calls its certificate revoked is sent, with a warning") {
  using Said = test::CertificateAuthority::Said;
  const TlsRig rig;
  const test::PemPair pair = rig.ca.issue({.names = {"a.example"}});
  TlsModel model;
  model.certificates = {rig.put("a", pair)};
  for (const Said said : {Said::kGood, Said::kRevoked, Said::kUnknown}) {
    const std::string staple = rig.ca.staple_for(pair, std::chrono::hours(1), said);
    model.certificates[0].ocsp = rig.folder.write("a.der", staple);
    const auto serving = rig.server(model);
    CHECK(staple_from(serving, TLS1_3_VERSION) == staple);
    REQUIRE(serving->warnings().size() == (said == Said::kGood ? 0 : 1));
    if (said == Said::kGood) continue;
    CHECK(serving->warnings()[0] == "ocsp " + model.certificates[0].ocsp + ": the authority " +
                                        (said == Said::kRevoked ? "has revoked" : "does not know") +
                                        " certificate " + model.certificates[0].cert +
                                        "; clients that look at the staple refuse it");
  }
}

TEST_CASE("a staple that is missing, garbled, outdated or another's is left out with a warning") {
  const TlsRig rig;
  const test::PemPair pair = rig.ca.issue({.names = {"a.example"}});
  const test::PemPair other = rig.ca.issue({.names = {"b.example"}});
  TlsModel model;
  model.certificates = {rig.put("a", pair)};
  model.certificates[0].ocsp = rig.folder.path_of("a.der");
  const std::string begin = "ocsp " + model.certificates[0].ocsp;
  const std::string end = "; no staple is sent with " + model.certificates[0].cert;
  const auto warning = [&] {
    const auto serving = rig.server(model);
    CHECK(staple_from(serving, TLS1_3_VERSION).empty());
    REQUIRE(serving->warnings().size() == 1);
    return serving->warnings()[0];
  };
  CHECK(warning() == begin + " cannot be opened: No such file or directory" + end);
  rig.folder.write("a.der", "not DER");
  CHECK(warning() ==
        begin + ": not an OCSP response; expected DER, as `openssl ocsp -respout` writes" + end);
  rig.folder.write("a.der", rig.ca.staple_for(pair, std::chrono::hours(-1)));
  CHECK(warning() == begin + ": the OCSP response is out of date" + end);
  rig.folder.write("a.der", rig.ca.staple_for(other, std::chrono::hours(1)));
  CHECK(warning() == begin + ": the OCSP response is for another certificate" + end);
}
