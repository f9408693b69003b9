# SPDX-License-Identifier: Apache-2.0
"""Clients that show a certificate: required, optional, refused."""

import json

from harness import tls
from harness.daemon import run_limpetd
from harness.deadline import wait_until
from harness.h2 import H2Client
from harness.life import shaped
from harness.mcp_replica import McpReplica
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
            assert client.get("/").status == 200 and client.socket.session_reused


TELLS = 'request = { client_certificate = "X-Client-Subject" }'
FORGED = [("X-Client-Subject", "CN=root"), ("x_client_subject", "CN=root")]


def mirror(peer, asked):
    """Answers with the fields of the request that speak of a certificate."""
    told = [f"{name}={value}" for name, value in asked.fields if "subject" in name.lower()]
    peer.answer(200, "|".join(told), [("X-Replica", peer.replica.id)])


def people(life, replicas, auth="optional", **options):
    """An authority of people, and a function that opens a connection as one of them (or as nobody)."""
    ca, humans = tls.Authority(f"{life.dir}/ca"), tls.Authority(f"{life.dir}/people", "The People")
    more = f'client_ca = "{humans.cert}"\nclient_auth = "{auth}"'
    daemon = life.daemon(replicas, listener=tls.listener(ca.issue("test.example"), more=more), **options)
    pairs = {name: humans.issue(common_name=name) for name in ("alice", "bob")}
    return daemon, lambda name=None: TlsClient(daemon.address, ca.client(pair=pairs.get(name))), \
        lambda name: ca.client(pair=pairs[name], alpn=["h2"])


def test_the_replica_is_told_whose_certificate_it_is_and_nobody_can_forge_it(life):
    daemon, connect, _ = people(life, [life.replica("a", mirror)], headers=TELLS)
    for name, told in (("alice", b"x-client-subject=CN=alice"), (None, b"")):
        with connect(name) as client:
            for fields in ([], FORGED, [("Connection", "X-Client-Subject")]):
                body = client.get("/", fields).body
                assert body.lower() == told.lower(), (name, fields, body)
    daemon.wait_log(lambda line: line.get("client_certificate") == "CN=alice")
    daemon.wait_log(lambda line: "client_certificate" not in line)


def test_the_replica_is_told_over_http2_too(life):
    daemon, _, h2_of = people(life, [life.replica("a", mirror)], headers=TELLS)
    with H2Client(daemon.address, tls=h2_of("bob")) as client:
        for _ in range(2):
            assert client.ask("GET", "/", [("x-client-subject", "CN=root")]).body.lower() == b"x-client-subject=cn=bob"


def test_the_requests_of_one_certificate_meet_and_no_header_moves_them(life):
    _, connect, _ = people(life, life.some("a", "b", "c"), workers=4,
                           affinity='from = ["principal"]\nprincipal = "client-certificate"\nshow = true')
    for name in ("alice", "bob"):
        met = set()
        for turn in range(8):
            with connect(name) as client:
                met.add(client.get("/", [("X-User", str(turn)), ("Authorization", f"Bearer {turn}")]).get("X-Replica"))
        assert len(met) == 1, (name, met)
    with connect() as client:
        assert client.get("/").get("Limpet-Affinity-Outcome").startswith("none"), "who shows none is balanced"


def test_a_session_belongs_to_the_certificate_that_opened_it(life):
    for ids in ("wrap", "learn"):
        replica = McpReplica("a")
        life.replicas.append(replica)
        _, connect, _ = people(life, [replica], pool_keys='preset = "mcp"',
                               mcp=f'session_ids = "{ids}"\nbind_to = "client-certificate"')
        accept = [("Accept", "application/json, text/event-stream"), ("Content-Type", "application/json")]
        asked = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}}

        def ask(name, session, method="ping"):
            fields = accept + ([("Mcp-Session-Id", session)] if session else [])
            with connect(name) as client:
                return client.ask("POST", "/mcp", fields, json.dumps({**asked, "method": method}).encode())
        session = ask("alice", None, "initialize").get("Mcp-Session-Id")
        assert ask("alice", session).status == 200, ids
        for stranger in ("bob", None):
            response = ask(stranger, session)
            assert response.status == 404 and b"-32001" in response.body, (ids, stranger, response)
        assert ask("alice", session).status == 200, ids


def test_settings_of_certificates_need_a_listener_that_asks_for_them(life):
    def check(**options):
        place = life.place()
        file = f"{life.dir}/checked.toml"
        with open(file, "w", encoding="utf-8") as out:
            out.write(shaped([("a", "127.0.0.1:9")], **options)(place))
        done = run_limpetd("-c", file, "--check")
        return done.returncode, done.stdout + done.stderr
    mcp = {"pool_keys": 'preset = "mcp"'}
    for options in ({"headers": TELLS}, {"affinity": 'principal = "client-certificate"'},
                    {"mcp": 'bind_to = "client-certificate"', **mcp}):
        code, said = check(**options)
        assert code == 1 and "checked.toml:" in said, (options, said)
        assert "no listener asks its clients for a certificate; expected client_auth" in said, (options, said)
        assert said.count("no listener asks") == 1, said
