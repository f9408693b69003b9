// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "daemon/config/tables.h"

namespace limpet {
namespace {

constexpr std::string_view kSystemd = "systemd:";
// A ticket key lives for two periods. Whoever gets hold of it can read what it sealed under
// TLS 1.2.
constexpr Duration kRotateMin = std::chrono::minutes(1);
constexpr Duration kRotateMax = std::chrono::hours(24);
constexpr std::int64_t kHandshakesMax = 1'000'000;

void load_bind(ListenerModel& listener) {
  const ConfigReader& in = listener.settings;
  const std::vector<std::string> texts =
      in.texts("bind", {"0.0.0.0:8080", "[::]:8080"}, "addresses, unix:/PATH or systemd:NAME");
  if (texts.empty()) in.mistake("bind", "bind: a listener has at least one address");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    BindModel& bind = listener.bind.emplace_back();
    bind.text = texts[i];
    bind.where = in.position("bind", i);
    if (bind.text.starts_with(kSystemd)) {
      bind.systemd_name = bind.text.substr(kSystemd.size());
      if (bind.systemd_name.empty()) {
        in.mistake("bind", i, "bind: expected the name of a socket behind \"systemd:\"");
      }
      continue;
    }
    const auto address = Address::parse(bind.text);
    if (address) {
      bind.address = *address;
    } else {
      in.mistake("bind", i, "bind: " + address.error().text);
    }
  }
}

void load_trusted(ListenerModel& listener) {
  const std::vector<std::string> texts = listener.settings.texts(
      "trusted", {}, "networks whose PROXY header, Forwarded and X-Forwarded-* are believed");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto network = Network::parse(texts[i]);
    if (network) {
      listener.trusted.push_back(*network);
    } else {
      listener.settings.mistake("trusted", i, "trusted: " + network.error().text);
    }
  }
}

void load_certificates(TlsModel& tls) {
  for (const ConfigReader& in : tls.settings.tables("certificates")) {
    CertificateModel& certificate = tls.certificates.emplace_back();
    certificate.settings = in;
    certificate.cert = in.text("cert", "", "PEM, with its chain");
    certificate.key = in.text("key", "", "PEM");
    certificate.ocsp = in.text("ocsp", "", "its OCSP response in DER, stapled when set");
    if (certificate.cert.empty()) in.mistake("cert", "cert: expected the path of a PEM file");
    if (certificate.key.empty()) in.mistake("key", "key: expected the path of a PEM file");
  }
}

void load_tickets(TlsModel& tls) {
  const ConfigReader in = tls.settings.table("tickets");
  tls.tickets.rotate =
      in.duration("rotate", tls.tickets.rotate, Off::kRefused, "a new key every so often");
  tls.tickets.file = in.text("file", "", "keys that instances share, instead of rotated ones");
  if (tls.tickets.rotate < kRotateMin || tls.tickets.rotate > kRotateMax) {
    in.mistake("rotate", "rotate: expected from \"1m\" to \"1d\"");
  }
}

TlsModel load_tls(const ConfigReader& in) {
  TlsModel tls;
  tls.settings = in;
  load_certificates(tls);
  tls.min_version = in.choice<TlsVersion>("min_version", tls.min_version,
                                          {{"1.2", TlsVersion::k12}, {"1.3", TlsVersion::k13}});
  tls.client_ca = in.text("client_ca", "", "mutual TLS when set");
  tls.client_auth = in.choice<ClientAuth>("client_auth", tls.client_auth,
                                          {{"off", ClientAuth::kOff},
                                           {"optional", ClientAuth::kOptional},
                                           {"required", ClientAuth::kRequired}});
  load_tickets(tls);
  tls.handshake_timeout = load_patience(in, "handshake_timeout", tls.handshake_timeout);
  tls.handshakes_max = static_cast<std::uint64_t>(in.number(
      "handshakes_max", 0, 0, kHandshakesMax, "under way at once in one worker; 0: no limit"));
  tls.ktls = in.flag("ktls", tls.ktls, "records made by the kernel where it can");
  return tls;
}

}  // namespace

void load_listeners(const ConfigReader& root, Model& model) {
  for (const ConfigReader& in : root.tables("listener")) {
    ListenerModel& listener = model.listeners.emplace_back();
    listener.settings = in;
    listener.where = in.position();
    const std::string numbered = "listener-" + std::to_string(model.listeners.size());
    listener.name = in.text("name", numbered, "its name in logs and metrics");
    load_bind(listener);
    listener.proxy_protocol =
        in.flag("proxy_protocol", listener.proxy_protocol, "v1 and v2, accepted from trusted only");
    load_trusted(listener);
    listener.http2 = in.flag("http2", listener.http2, "by ALPN, or by prior knowledge");
    if (in.has("tls")) listener.tls = load_tls(in.table("tls"));
  }
}

}  // namespace limpet
