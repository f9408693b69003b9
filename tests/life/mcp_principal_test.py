# SPDX-License-Identifier: Apache-2.0
"""Placement by principal, and sessions that are good for their principal only."""

import base64
import json
import threading

from harness.affinity import OUTCOMES, SHOW, McpClient, McpReplica, outcome, who
from harness.client import Client
from harness.control import succeed
from harness.deadline import seconds, wait_until
from harness.mcp_other import SseClient, SseReplica

MCP = 'preset = "mcp"'


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def bearer(subject, issuer="https://issuer.example", **claims):
    return ("Authorization", f"Bearer {part({'alg': 'RS256'})}.{part({'iss': issuer, 'sub': subject, **claims})}.c2ln")


def test_the_requests_of_one_subject_meet_whatever_their_token(life):
    daemon = life.daemon(life.some("a", "b", "c"), affinity=SHOW + 'from = ["principal"]', workers=4)
    homes = {}
    for turn in range(3):
        for user in range(30):
            home = who(daemon.once("GET", "/", [bearer(f"u{user}", exp=turn)]))
            assert homes.setdefault(user, home) == home
    assert set(homes.values()) == {"a", "b", "c"}
    assert len({who(daemon.once("GET", "/", [bearer("u1", issuer=f"https://{i}")])) for i in range(20)}) > 1
    assert outcome(daemon.once("GET", "/", [("Authorization", "Bearer opaque")]))[0] == "none"


def test_clients_that_open_a_session_for_each_call_meet_one_replica(life):
    replicas = [life.replica(id, McpReplica()) for id in "abc"]
    daemon = life.daemon(replicas, pool_keys=MCP, affinity='from = ["mcp", "principal"]\nprincipal = "header:X-User"')
    for user in range(12):
        met = set()
        for _ in range(3):
            fields = [("Accept", "application/json, text/event-stream"), ("X-User", f"user-{user}")]
            opened = daemon.once("POST", "/", fields, b'{"jsonrpc":"2.0","id":1,"method":"initialize"}')
            met.add(who(opened))
            fields.append(("Mcp-Session-Id", opened.get("Mcp-Session-Id")))
            met.add(who(daemon.once("POST", "/", fields, b'{"jsonrpc":"2.0","id":2,"method":"tools/call"}')))
        assert len(met) == 1, met


def test_what_is_too_much_for_one_replica_goes_to_the_next(life):
    free = threading.Event()

    def slow(peer, request):
        if request.target == "/slow":
            free.wait(seconds(60))
        peer.answer(200, b"", [("X-Replica", peer.replica.id)])
    replicas = life.some("a", "b", "c", handle=slow)
    daemon = life.daemon(replicas, affinity=SHOW + 'from = ["principal"]', workers=1)
    home = who(daemon.once("GET", "/", [bearer("busy")]))
    held = [Client(daemon.address) for _ in range(8)]
    for client in held:
        client.send(f"GET /slow HTTP/1.1\r\nHost: x\r\n{': '.join(bearer('busy'))}\r\n\r\n")
    wait_until(lambda: sum(replica.count("/slow") for replica in replicas) == 8, "all are under way")
    free.set()
    met = [client.response().get("X-Replica") for client in held]
    assert home in met and set(met) != {home}, met
    daemon.wait_metric(OUTCOMES, 1, outcome="moved", cause="full")
    wait_until(lambda: who(daemon.once("GET", "/", [bearer("busy")])) == home, "it comes back")


class BoundClient(McpClient):
    def ask(self, method="tools/call", verb="POST", id=None, by=None):
        fields = [("Accept", "application/json, text/event-stream"), *([by or self.by] if by != () else [])]
        if id or self.id:
            fields.append(("Mcp-Session-Id", id or self.id))
        body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method}).encode() if verb == "POST" else None
        return self.daemon.once(verb, self.target, fields, body)


def test_a_session_presented_by_somebody_else_is_unknown(life):
    for binding, ada, bob in (("jwt-subject", bearer("ada"), bearer("bob")),
                              ("header:X-User", ("X-User", "ada"), ("X-User", "bob"))):
        replicas = [life.replica(id, McpReplica()) for id in "ab"]
        daemon = life.daemon(replicas, pool_keys=MCP, mcp=f'bind_to = "{binding}"')
        client = BoundClient(daemon)
        client.by = ada
        home = who(client.begin())
        before = sum(replica.handle.lost for replica in replicas)
        for verb in ("POST", "GET", "DELETE"):
            for stranger in (bob, ()):
                response = client.ask(verb=verb, by=stranger)
                assert response.status == 404 and b"-32001" in response.body, response
        assert who(client.ask()) == home
        assert sum(replica.handle.lost for replica in replicas) == before
        if binding == "jwt-subject":
            assert who(client.ask(by=bearer("ada", exp=99))) == home, "a renewed token"


def test_a_legacy_session_is_bound_as_well(life):
    replicas = [SseReplica(id) for id in "ab"]
    life.replicas.extend(replicas)
    daemon = life.daemon(replicas, pool_keys=MCP, mcp='bind_to = "header:X-User"')
    client = SseClient(daemon, fields=[("X-User", "ada")])
    assert "result" in client.ask()
    client.fields = [("X-User", "bob")]
    assert client.post().status == 404
    client.fields = [("X-User", "ada")]
    assert "result" in client.ask(2)


def test_learnt_sessions_are_bound_as_well(life):
    mcp = 'session_ids = "learn"\nbind_to = "header:X-User"\nprobe_eras = false'
    ada, bob = ("X-User", "ada"), ("X-User", "bob")
    replicas = [life.replica(id, McpReplica()) for id in "ab"]
    daemon = life.daemon(replicas, pool_keys=MCP, mcp=mcp, workers=4)
    client = BoundClient(daemon)
    client.by = ada
    home = who(client.begin())
    before = sum(replica.count() for replica in replicas)
    for _ in range(4):
        for stranger in (bob, ()):
            response = client.ask(by=stranger)
            assert response.status == 404 and b"-32001" in response.body, response
    assert sum(replica.count() for replica in replicas) == before, "no replica hears of it"
    assert who(client.ask()) == home


def test_learnt_legacy_sessions_are_bound_whatever_the_request_looks_like(life):
    mcp = 'session_ids = "learn"\nbind_to = "header:X-User"'
    replicas = [SseReplica("a")]
    life.replicas.extend(replicas)
    daemon = life.daemon(replicas, pool_keys=MCP, mcp=mcp, workers=4)
    client = SseClient(daemon, fields=[("X-User", "ada")])
    assert "result" in client.ask()
    posted = len(replicas[0].posted)
    for user in ("bob", ""):
        for form in ("application/json", "text/plain"):
            response = daemon.once("POST", client.uri, [("Content-Type", form), ("X-User", user)],
                                   b'{"jsonrpc":"2.0","id":5,"method":"ping"}')
            assert response.status == 404 and b"-32001" in response.body, (user, form, response)
    assert len(replicas[0].posted) == posted, "no replica hears of it"
    assert "result" in client.ask(2)


def test_learnt_ids_stay_as_they_are_and_meet_their_replica(life):
    replicas = [life.replica(id, McpReplica()) for id in "abc"]
    daemon = life.daemon(replicas, pool_keys=MCP, affinity=SHOW, mcp='session_ids = "learn"', workers=4)
    clients = [McpClient(daemon) for _ in range(12)]
    homes = [who(client.begin()) for client in clients]
    assert len(set(homes)) > 1
    for client, home in zip(clients, homes):
        owner = next(replica for replica in replicas if replica.id == home)
        assert client.id in owner.handle.sessions
        for _ in range(4):
            response = client.ask()
            assert who(response) == home and outcome(response)[0] == "hit", response
        assert who(client.ask(verb="GET")) == home
    assert clients[0].ask(id="unknown").status == 404
    assert clients[0].ask(verb="DELETE").status == 204
    assert clients[0].ask().status == 404


def test_explain_says_where_a_principal_leads(life):
    daemon = life.daemon(life.some("a", "b", "c"), affinity='from = ["principal"]')
    name, value = bearer("ada")
    home = who(daemon.once("GET", "/", [(name, value)]))
    answer = succeed(daemon, "explain", "--principal", value)
    assert home in answer and "not verified" in answer, answer
