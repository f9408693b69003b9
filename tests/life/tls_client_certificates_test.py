# SPDX-License-Identifier: Apache-2.0
"""Clients that show a certificate: required, optional, refused."""

from harness import tls
from harness.deadline import wait_until
from harness.h2 import H2Client
from harness.tls import TlsClient, handshake_fails

FAILURES = "limpet_tls_handshake_failures_total"


class World:
    def __init__(self, life, auth):
        self.life = life
        self.ca = tls.Authority(f"{life.dir}/ca")
        self.people = tls.Authority(f"{life.dir}/people", "The People")
        self.replica = life.replica()
        more = f'client_ca = "{self.people.cert}"\nclient_auth = "{auth}"'
        self.daemon = life.daemon([self.replica], listener=tls.listener(self.ca.issue("test.example"), more=more))

    def context(self, pair=None, **options):
        return self.ca.client(pair=pair, **options)

    def is_served(self, pair=None, **options):
        with TlsClient(self.daemon.address, self.context(pair, **options)) as client:
            return client.get("/").status == 200


def test_required_lets_in_who_shows_a_good_one(life):
    world = World(life, "required")
    pair = world.people.issue(common_name="alice")
    for version in ("1.2", "1.3"):
        assert world.is_served(pair, version=version)
    with H2Client(world.daemon.address, tls=world.context(pair, alpn=["h2"])) as client:
        assert client.get("/").status == 200


def test_required_refuses_who_shows_none(life):
    world = World(life, "required")
    for version in ("1.2", "1.3"):
        handshake_fails(world.daemon, world.context(version=version))
    world.daemon.wait_metric(FAILURES, 2, listener="web", cause="no-certificate")
    wait_until(lambda: "no-certificate" in world.daemon.errors(), "a line that names the cause")
    assert world.replica.count() == 0


def test_a_certificate_of_another_authority_is_refused(life):
    world = World(life, "required")
    handshake_fails(world.daemon, world.context(world.ca.issue(common_name="mallory")))
    world.daemon.wait_metric(FAILURES, 1, cause="bad-certificate")
    wait_until(lambda: "bad-certificate" in world.daemon.errors(), "a line that names the cause")
    assert world.replica.count() == 0


def test_an_expired_certificate_is_refused(life):
    world = World(life, "required")
    handshake_fails(world.daemon, world.context(world.people.issue(common_name="alice", days=-1)))
    world.daemon.wait_metric(FAILURES, 1, cause="bad-certificate")


def test_a_certificate_that_is_for_servers_only_is_refused(life):
    world = World(life, "required")
    handshake_fails(world.daemon, world.context(world.people.issue(common_name="alice", usage="serverAuth")))
    world.daemon.wait_metric(FAILURES, 1, cause="bad-certificate")


def test_optional_serves_both_and_refuses_a_bad_one(life):
    world = World(life, "optional")
    assert world.is_served()
    assert world.is_served(world.people.issue(common_name="alice"))
    handshake_fails(world.daemon, world.context(world.ca.issue(common_name="mallory")))


def test_off_asks_nobody(life):
    ca = tls.Authority(f"{life.dir}/ca")
    daemon = life.daemon([life.replica()], listener=tls.listener(ca.issue("test.example")))
    assert "Acceptable client certificate CA names" not in tls.s_client(daemon)
    with TlsClient(daemon.address, ca.client(pair=ca.issue(common_name="alice"))) as client:
        assert client.get("/").status == 200


def test_who_is_asked_is_told_which_authorities_are_accepted(life):
    world = World(life, "optional")
    said = tls.s_client(world.daemon)
    assert "Acceptable client certificate CA names" in said and "The People" in said, said


def test_a_session_that_is_resumed_is_that_of_the_same_person(life):
    world = World(life, "required")
    context = world.context(world.people.issue(common_name="alice"))
    with TlsClient(world.daemon.address, context) as client:
        client.get("/")
        kept = client.socket.session
    for _ in range(4):
        with TlsClient(world.daemon.address, context, session=kept) as client:
            assert client.get("/").status == 200
