# SPDX-License-Identifier: Apache-2.0
"""TLS to the replicas: verified by authority and name, with SNI, a certificate of limpet's own, sessions, ALPN."""

import threading
import time

from harness import tls
from harness.client import request
from harness.deadline import seconds, wait_until
from harness.h2_replica import Served
from harness.life import shaped
from harness.message import Closed, Truncated
from harness.replica import say_who

PATIENT = 'active = { type = "off" }\ninitial = "up"\npassive = { failures = 1000 }'


class World:
    """One replica behind TLS. `server` is what it shows itself with; the rest is as in Served."""

    def __init__(self, life, names=("replica.example",), alpn=("http/1.1",), h2=None, asks_client=False, version=None,
                 handle=say_who):
        self.life = life
        self.ca = tls.Authority(f"{life.dir}/ca")
        context = self.ca.server(self.ca.issue(*names), alpn, asks_client, version)
        self.served = Served(handle, h2="h2" in alpn if h2 is None else h2, tls=context)
        self.replica = life.replica(on_connection=self.served)

    def daemon(self, keys="", protocol="http1", ca=None, server_name="replica.example", **options):
        table = f'enabled = true\nca = "{ca or self.ca.cert}"\n' + keys
        if server_name:
            table += f'\nserver_name = "{server_name}"'
        options = {"workers": 1, "health": PATIENT, "retry": "attempts = 1", **options}
        pool = f'preset = "web"\nprotocol = "{protocol}"'
        return self.life.daemon([self.replica], pool_keys=pool, tls=table, **options)


def test_a_replica_is_reached_over_tls_and_asked_by_name(life):
    world = World(life)
    daemon = world.daemon()
    assert daemon.once("POST", "/", body=b"x" * 100000).status == 200
    assert world.served.names == ["replica.example"], world.served.names
    assert world.served.handshakes[0]["version"] == "TLSv1.3"


def test_both_versions_of_tls_are_spoken(life):
    for version in ("1.2", "1.3"):
        assert World(life, version=version).daemon().once("GET", "/").status == 200


def test_a_certificate_for_another_name_is_refused(life):
    world = World(life, names=("other.example",))
    daemon = world.daemon()
    assert daemon.once("GET", "/").status in (502, 503)
    assert world.replica.count() == 0
    wait_until(lambda: "replica" in daemon.errors() and "certificate" in daemon.errors().lower(), "a line says why")


def test_a_certificate_of_an_unknown_authority_is_refused(life):
    world = World(life)
    stranger = tls.Authority(f"{life.dir}/stranger", "Somebody else")
    assert world.daemon(ca=stranger.cert).once("GET", "/").status in (502, 503)
    assert world.replica.count() == 0


def test_the_authorities_of_the_system_do_not_know_a_private_one(life):
    world = World(life)
    assert world.daemon(ca="system").once("GET", "/").status in (502, 503)
    assert world.replica.count() == 0


def test_an_expired_certificate_is_refused(life):
    world = World(life)
    expired = world.ca.issue("replica.example", days=-1)
    world.served.tls = world.ca.server(expired)
    assert world.daemon().once("GET", "/").status in (502, 503)
    assert world.replica.count() == 0


def test_without_a_name_the_address_must_be_in_the_certificate_and_no_name_is_sent(life):
    world = World(life, names=("127.0.0.1",))
    assert world.daemon(server_name="").once("GET", "/").status == 200
    assert world.served.names == [None], world.served.names
    refused = World(life, names=("127.0.0.2",))
    assert refused.daemon(server_name="").once("GET", "/").status in (502, 503)


def test_limpet_shows_its_own_certificate_where_it_is_asked(life):
    world = World(life, asks_client=True)
    own = world.ca.issue(common_name="limpet-itself")
    daemon = world.daemon(f'cert = "{own.cert}"\nkey = "{own.key}"')
    assert daemon.once("GET", "/").status == 200
    assert (("commonName", "limpet-itself"),) in world.served.handshakes[0]["certificate"]["subject"]


def test_when_limpets_own_certificate_expires_is_told(life):
    world = World(life, asks_client=True)
    own = world.ca.issue(common_name="limpet-itself", days=-1)
    daemon = world.daemon(f'cert = "{own.cert}"\nkey = "{own.key}"')
    assert 0 < daemon.metrics().sum("limpet_cert_expiry_timestamp_seconds", name=str(own.cert)) < time.time()
    assert f"certificate {own.cert} expired at" in daemon.errors() and "pool=web" in daemon.errors()


def test_without_a_certificate_of_its_own_a_replica_that_wants_one_is_out_of_reach(life):
    world = World(life, asks_client=True)
    assert world.daemon().once("GET", "/").status in (502, 503)
    assert world.replica.count() == 0


def test_a_session_with_a_replica_is_used_again(life):
    def answer(peer, message):
        peer.answer(200, b"ok", [("Connection", "close")])
        peer.close()
    world = World(life, handle=answer)
    daemon = world.daemon()
    for _ in range(5):
        assert daemon.once("GET", "/").status == 200
    assert any(shaken["resumed"] for shaken in world.served.handshakes[1:]), world.served.handshakes


def test_alpn_offers_what_the_pool_speaks(life):
    for protocol, alpn, chosen in (("http2", ["h2", "http/1.1"], "h2"), ("http1", ["h2", "http/1.1"], "http/1.1"),
                                   ("auto", ["h2", "http/1.1"], "h2"), ("auto", ["http/1.1"], "http/1.1")):
        world = World(life, alpn=alpn, h2=True)
        assert world.daemon(protocol=protocol).once("GET", "/").status == 200, protocol
        assert world.served.handshakes[0]["alpn"] == chosen, (protocol, world.served.handshakes)


def test_auto_without_an_answer_to_alpn_is_http1(life):
    world = World(life, alpn=(), h2=False)
    assert world.daemon(protocol="auto").once("GET", "/").status == 200


def test_http2_with_a_replica_that_does_not_agree_to_it_is_out_of_reach(life):
    world = World(life, alpn=["http/1.1"])
    assert world.daemon(protocol="http2").once("GET", "/").status in (502, 503)
    assert world.replica.count() == 0


def test_a_plain_replica_where_tls_is_expected_is_out_of_reach(life):
    world = World(life)
    world.replica.on_connection = None
    assert world.daemon(timeouts='connect = "300ms"').once("GET", "/").status in (502, 503, 504)
    assert world.replica.count() == 0


def test_a_replica_that_never_finishes_the_handshake_is_given_up_after_connect(life):
    world = World(life)
    world.replica.on_connection = lambda peer: peer.wait_for_end()
    daemon = world.daemon(timeouts='connect = "300ms"')
    assert daemon.once("GET", "/").status in (502, 503, 504)
    daemon.wait_metric("limpet_timeouts_total", 1, kind="connect")


def test_a_failed_handshake_is_tried_on_another_replica(life):
    good = World(life)
    other = tls.Authority(f"{life.dir}/other", "Somebody else")
    bad = life.replica("bad", on_connection=Served(h2=False, tls=other.server(other.issue("replica.example"))))
    daemon = life.daemon([good.replica, bad], affinity="from = []", balance='policy = "round-robin"', health=PATIENT,
                         tls=f'enabled = true\nca = "{good.ca.cert}"\nserver_name = "replica.example"')
    for number in range(8):
        assert daemon.once("POST", f"/{number}", body=b"x").get("X-Replica") == "a"
    assert bad.count() == 0


def test_a_truncated_answer_over_tls_never_looks_whole(life):
    """The end of the connection without close_notify is not the end of the body."""
    def cut(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nonly this")
        peer.socket.tls.close()
    world = World(life, handle=cut)
    daemon = world.daemon()
    try:
        response = daemon.once("GET", "/")
    except (Truncated, Closed, ConnectionResetError):
        return
    raise AssertionError(f"a truncated answer looks whole: {response}")


def test_probes_go_over_tls_too(life):
    seen = []

    def answer(peer, message):
        seen.append(message.target)
        say_who(peer, message)
    world = World(life, handle=answer)
    daemon = world.daemon(health='active = { type = "http", path = "/healthz", interval = "100ms" }\n'
                                 'initial = "probe-first"')
    wait_until(lambda: daemon.metrics().sum("limpet_replica_up", replica="a") == 1, "a is up")
    assert "/healthz" in seen
    assert daemon.once("GET", "/").status == 200


def test_a_replaced_authority_is_taken_up_by_a_reload(life):
    world = World(life)
    stranger = tls.Authority(f"{life.dir}/stranger", "Somebody else")
    chosen = f"{life.dir}/chosen.pem"
    with open(chosen, "wb") as out:
        out.write(stranger.cert.read_bytes())
    table = f'enabled = true\nca = "{chosen}"\nserver_name = "replica.example"'
    config = shaped([world.replica], health=PATIENT, retry="attempts = 1", tls=table, workers=1)
    daemon = life.prepare(config).start()
    assert daemon.once("GET", "/").status in (502, 503)
    with open(chosen, "wb") as out:
        out.write(world.ca.cert.read_bytes())
    daemon.reload(config)
    assert daemon.once("GET", "/").status == 200


def test_a_connection_that_another_authority_vouched_for_is_not_kept(life):
    world = World(life)
    stranger = tls.Authority(f"{life.dir}/stranger", "Somebody else")
    options = dict(pool_keys='preset = "web"\nprotocol = "http1"', health=PATIENT, retry="attempts = 1", workers=1)

    def trusting(ca):
        table = f'enabled = true\nca = "{ca.cert}"\nserver_name = "replica.example"'
        return shaped([world.replica], tls=table, **options)
    daemon = life.prepare(trusting(world.ca)).start()
    for _ in range(2):
        assert daemon.once("GET", "/").status == 200
        daemon.reload(trusting(world.ca))
    assert world.replica.connections == 1, "a reload that changes nothing keeps it"
    daemon.reload(trusting(stranger))
    assert daemon.once("GET", "/").status == 502
    assert world.replica.count() == 2


def test_a_connection_of_the_time_before_tls_is_not_kept(life):
    """Not one that carried an exchange over the reload either."""
    may_answer = threading.Event()

    def slow(peer, message):
        assert may_answer.wait(seconds(10))
        say_who(peer, message)
    a = life.replica(handle=slow)
    ca = tls.Authority(f"{life.dir}/ca")
    options = dict(workers=1, health=PATIENT, retry="attempts = 1", pool_timeouts='connect = "300ms"')
    daemon = life.daemon([a], **options)
    with daemon.client() as client:
        client.send(request("GET", "/"))
        a.wait_for_requests(1)
        daemon.reload(shaped([a], tls=f'enabled = true\nca = "{ca.cert}"', **options))
        may_answer.set()
        assert client.response().status == 200
        assert client.get("/").status == 504, "sent without TLS, for which this replica waits in vain"
    assert a.count() == 1
