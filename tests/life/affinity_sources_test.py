# SPDX-License-Identifier: Apache-2.0
"""Affinity without cookies: headers, query parameters, addresses, and MCP session ids."""

import re

from harness.affinity import OUTCOMES, SHOW, McpClient, McpReplica, outcome, who

MCP = 'preset = "mcp"'
QUIET = "probe_eras = false"  # every request that a replica sees is a client's


def test_a_header_ties_the_requests_of_one_user_together(life):
    daemon = life.daemon(life.some("a", "b", "c"), affinity=SHOW + 'from = ["header:X-User"]')
    homes = {}
    for turn in range(3):
        for user in range(30):
            home = who(daemon.once("GET", "/", [("X-User", f"user-{user}")]))
            assert homes.setdefault(user, home) == home, f"user {user} moved in turn {turn}"
    assert set(homes.values()) == {"a", "b", "c"}
    assert not daemon.once("GET", "/", [("X-User", "x")]).has("Set-Cookie")


def test_a_query_parameter_ties_requests_together(life):
    daemon = life.daemon(life.some("a", "b", "c"), affinity='from = ["query:sid"]')
    homes = {}
    for _ in range(3):
        for user in range(30):
            home = who(daemon.once("GET", f"/x?other=1&sid=s{user}"))
            assert homes.setdefault(user, home) == home
    assert set(homes.values()) == {"a", "b", "c"}


def test_client_ip_ties_the_requests_of_one_address_together(life):
    daemon = life.daemon(life.some("a", "b", "c"), affinity='from = ["client-ip"]',
                         listener='trusted = ["127.0.0.0/8"]')
    assert len({who(daemon.once("GET", "/")) for _ in range(20)}) == 1
    homes = {}
    for _ in range(2):
        for last in range(1, 40):
            home = who(daemon.once("GET", "/", [("X-Forwarded-For", f"203.0.113.{last}")]))
            assert homes.setdefault(last, home) == home
    assert set(homes.values()) == {"a", "b", "c"}


def test_the_users_of_a_dead_replica_move_and_the_others_stay(life):
    replicas = life.some("a", "b", "c")
    daemon = life.daemon(replicas, affinity=SHOW + 'from = ["header:x-user"]')

    def homes():
        return {user: who(daemon.once("GET", "/", [("X-User", f"user-{user}")])) for user in range(40)}
    before = homes()
    replicas[1].stop()
    after = homes()
    for user, home in before.items():
        assert after[user] == home if home != "b" else after[user] != "b", (user, home, after[user])


def test_the_first_source_that_speaks_decides(life):
    daemon = life.daemon(life.some("a", "b", "c"), affinity=SHOW + 'from = ["cookie", "header:x-user"]')
    jar = daemon.jar()
    home = who(jar.get())
    for user in range(20):
        assert who(jar.get("/", [("X-User", f"user-{user}")])) == home


def mcp_replicas(life, *ids):
    return [life.replica(id, McpReplica()) for id in ids]


def test_an_mcp_session_meets_its_replica_without_any_cookie(life):
    replicas = mcp_replicas(life, "a", "b", "c")
    daemon = life.daemon(replicas, pool_keys=MCP, mcp=QUIET, affinity=SHOW, workers=4)
    clients = [McpClient(daemon) for _ in range(20)]
    homes = [who(client.begin()) for client in clients]
    assert len(set(homes)) > 1
    for _ in range(5):
        for client, home in zip(clients, homes):
            response = client.ask()
            assert who(response) == home and outcome(response)[0] == "hit", response
    assert sum(r.handle.lost for r in replicas) == 0


def test_the_session_id_is_wrapped_for_the_client_and_bare_for_the_replica(life):
    a = life.replica("a", McpReplica())
    daemon = life.daemon([a], pool_keys=MCP, mcp=QUIET)
    client = McpClient(daemon)
    client.begin()
    original = next(iter(a.handle.sessions))
    assert client.id != original
    assert client.id.endswith("-" + original), client.id
    token = client.id.removesuffix("-" + original)
    assert re.fullmatch("[A-Za-z0-9-]+", token), token
    client.ask()
    assert a.requests[-1].get("Mcp-Session-Id") == original


def test_an_id_that_the_replica_repeats_is_wrapped_the_same_way(life):
    def handle(peer, request):
        peer.answer(200, b"{}", [("X-Replica", peer.replica.id), ("Mcp-Session-Id", "fixed-id")])
    daemon = life.daemon([life.replica(handle=handle)], pool_keys=MCP, mcp=QUIET)
    client = McpClient(daemon)
    client.begin()
    assert client.ask().get("Mcp-Session-Id") == client.id


def test_get_streams_and_delete_meet_the_owner(life):
    replicas = mcp_replicas(life, "a", "b", "c")
    daemon = life.daemon(replicas, pool_keys=MCP, mcp=QUIET)
    for _ in range(10):
        client = McpClient(daemon)
        home = who(client.begin())
        stream = client.ask(verb="GET")
        assert who(stream) == home and b"data:" in stream.body
        ended = client.ask(verb="DELETE")
        assert ended.status == 204 and ended.get("X-Replica") == home
        assert client.ask().status == 404
    assert all(not r.handle.sessions for r in replicas)


def test_no_id_is_no_pinning(life):
    def stateless(peer, request):
        peer.answer(200, b'{"jsonrpc":"2.0","id":7,"result":{}}', [("X-Replica", peer.replica.id)])
    daemon = life.daemon(life.some("a", "b", handle=stateless), pool_keys=MCP, mcp=QUIET)
    client = McpClient(daemon)
    met = {who(client.ask("initialize")) for _ in range(20)}
    met |= {who(client.ask()) for _ in range(20)}
    assert met == {"a", "b"}, met


def test_a_forged_id_gets_404_and_no_byte_reaches_a_replica(life):
    replicas = mcp_replicas(life, "a", "b")
    daemon = life.daemon(replicas, pool_keys=MCP, mcp=QUIET)
    client = McpClient(daemon)
    client.begin()
    other = McpClient(daemon)
    other.begin()
    token, original = client.id.rsplit("-", 1)
    before = sum(r.count() for r in replicas)
    forged = ["nonsense", original, client.id[:-1], client.id + "0", token + "-",
              token + "-" + other.id.rsplit("-", 1)[1], "x" * 3000,
              ("A" if client.id[0] != "A" else "B") + client.id[1:]]
    for id in forged:
        for verb in ("POST", "GET", "DELETE"):
            response = client.ask(verb=verb, id=id)
            assert response.status == 404, (id, verb, response)
            assert b"-32001" in response.body, (id, verb, response)
            assert response.get("Content-Type").startswith("application/json"), response
    assert sum(r.count() for r in replicas) == before, "a forged id reached a replica"
    daemon.wait_metric(OUTCOMES, 3 * len(forged), outcome="refused", cause="invalid")


def test_a_session_whose_replica_is_gone_gets_a_clean_404(life):
    replicas = mcp_replicas(life, "a", "b")
    daemon = life.daemon(replicas, pool_keys=MCP, mcp=QUIET, affinity=SHOW)
    client = McpClient(daemon)
    home = who(client.begin())
    next(r for r in replicas if r.id == home).stop()
    response = client.ask()
    assert response.status == 404 and b"-32001" in response.body, response
    assert outcome(response)[:2] == ("refused", "gone"), response
    client.id = None
    assert who(client.begin()) != home, "a new session begins elsewhere"
    assert client.ask().status == 200


def test_mcp_sessions_are_placed_where_there_are_fewest(life):
    replicas = mcp_replicas(life, "a", "b", "c")
    daemon = life.daemon(replicas, pool_keys=MCP, mcp=QUIET, workers=1)
    for _ in range(30):
        McpClient(daemon).begin()
    assert [len(r.handle.sessions) for r in replicas] == [10, 10, 10]


def test_mcp_sessions_survive_a_restart_of_the_daemon(life):
    replicas = mcp_replicas(life, "a", "b")
    daemon = life.daemon(replicas, pool_keys=MCP, mcp=QUIET, affinity=SHOW)
    clients = [McpClient(daemon) for _ in range(10)]
    homes = [who(client.begin()) for client in clients]
    assert daemon.stop() == 0
    daemon.start()
    for client, home in zip(clients, homes):
        assert who(client.ask()) == home


def test_host_and_origin_reach_an_mcp_server_unchanged(life):
    a = life.replica("a", McpReplica())
    daemon = life.daemon([a], pool_keys=MCP, mcp=QUIET)
    daemon.once("POST", "/", [("Origin", "http://evil.example")], b'{"method":"initialize"}', host="evil.example")
    assert a.requests[0].get("Origin") == "http://evil.example"
    assert a.requests[0].get("Host") == "evil.example"
