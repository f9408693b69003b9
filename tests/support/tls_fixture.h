// SPDX-License-Identifier: Apache-2.0
#pragma once
// TLS fixture: two transports at the ends of a socket pair, and the turns that move bytes between
// them. Both ends are limpet's own sides; a foreign client is made in the test that needs one.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sys/socket.h>

#include "daemon/net/tls_client.h"
#include "daemon/net/tls_server.h"
#include "daemon/net/tls_tickets.h"
#include "daemon/net/transport.h"
#include "tests/support/certificates.h"

namespace limpet::test {

using Progress = TlsSession::Progress;

/// A connected pair of sockets that never block.
struct SocketPair {
  Fd first;
  Fd second;

  SocketPair() {
    int ends[2] = {-1, -1};  // NOLINT(modernize-avoid-c-arrays)
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    first = Fd(ends[0]);
    second = Fd(ends[1]);
  }
};

/// A server and a client, connected.
struct Ends {
  Transport server;
  Transport client;

  Ends() {
    SocketPair pair;
    server = Transport(std::move(pair.first));
    client = Transport(std::move(pair.second));
  }
  Ends(const std::shared_ptr<const TlsServerContext>& serving,
       const std::shared_ptr<const TlsClientContext>& asking, TlsSession::Target target)
      : Ends() {
    server.start_tls(TlsSession::accept(serving, server.descriptor()));
    client.start_tls(TlsSession::connect(asking, client.descriptor(), std::move(target)));
    REQUIRE(server.is_secure());
    REQUIRE(client.is_secure());
  }

  /// Goes on in turns until both ends are done or one has failed; says whether both are done.
  bool shake() {
    for (int turn = 0; turn < 100; ++turn) {
      const Progress asked = client.handshake();
      const Progress served = server.handshake();
      if (asked == Progress::kDone && served == Progress::kDone) return true;
      if (asked == Progress::kFailed || served == Progress::kFailed) {
        (void)client.handshake();  // takes in the alert
        return false;
      }
    }
    return false;
  }
};

inline Moved send_text(Transport& from, std::string_view text) {
  iovec piece{const_cast<char*>(text.data()), text.size()};  // NOLINT
  return from.write({&piece, 1});
}

/// What one read brings, as text.
inline std::string read_text(Transport& from) {
  std::string text(64 * 1024, '\0');
  const Moved moved = from.read({text.data(), text.size()});
  text.resize(moved.how == Moved::How::kSome ? moved.bytes : 0);
  return text;
}

/// An authority with a folder, and contexts made of what it issues.
class TlsRig {
 public:
  explicit TlsRig(std::string_view authority = "limpet test authority") : ca(authority) {}

  /// Issues and writes a pair; returns the paths.
  CertificateModel pair(const std::string& file, const CertificateWish& wish) const {
    return put(file, ca.issue(wish));
  }
  CertificateModel put(const std::string& file, const PemPair& pair) const {
    CertificateModel model;
    model.cert = folder.write(file + ".pem", pair.cert);
    model.key = folder.write(file + ".key", pair.key);
    return model;
  }
  /// A model with one certificate for a.example.
  [[nodiscard]] TlsModel plain_model() const {
    TlsModel model;
    model.certificates = {pair("a", {.names = {"a.example"}})};
    return model;
  }
  [[nodiscard]] std::shared_ptr<const TlsServerContext> server(
      const TlsModel& model, AlpnChoice alpn = AlpnChoice::kHttp2AndHttp1) const {
    auto made = TlsServerContext::make(model, keys, alpn);
    if (!made) FAIL(made.error().text);
    return *made;
  }
  [[nodiscard]] std::shared_ptr<const TlsClientContext> client(
      ReplicaTlsModel model = {}, ReplicaProtocol protocol = ReplicaProtocol::kAuto) const {
    if (model.ca == "system") model.ca = folder.write("ca.pem", ca.pem());
    auto made = TlsClientContext::make(model, protocol);
    if (!made) FAIL(made.error().text);
    return *made;
  }

  TestFolder folder;
  CertificateAuthority ca;
  std::shared_ptr<TicketKeys> keys = *TicketKeys::rotating(std::chrono::hours(1), monotonic_now());
};

}  // namespace limpet::test
