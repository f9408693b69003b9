# SPDX-License-Identifier: Apache-2.0
"""Sessions do not care for the protocol version: one token over HTTP/1 and HTTP/2, in crumbs or whole."""

import json
import threading

from harness.affinity import SHOW, McpReplica, cookies, outcome, who
from harness.config import EVENLY
from harness.deadline import seconds
from harness import h2_frames as f
from harness.h2 import H2Client
from harness.h2_replica import Served
from harness.replica import say_who


def cookie_of(response):
    """name=value of the cookie that the response sets."""
    return response.all("set-cookie")[0].split(";")[0]


def test_one_session_over_both_versions_at_once(life):
    daemon = life.daemon(life.some("a", "b", "c", "d"), affinity=SHOW)
    with H2Client(daemon.address) as second, daemon.client() as first:
        for _ in range(8):
            begun = second.get("/")
            cookie, home = cookie_of(begun), who(begun)
            for _ in range(3):
                response = first.get("/", [("Cookie", cookie)])
                assert (outcome(response)[0], who(response)) == ("hit", home)
                response = second.get("/", [("cookie", cookie)])
                assert (outcome(response)[0], who(response)) == ("hit", home)


def test_a_token_among_crumbs_is_found_and_taken_out(life):
    replicas = life.some("a", "b", "c")
    daemon = life.daemon(replicas, affinity=SHOW)
    with H2Client(daemon.address) as client:
        begun = client.get("/")
        cookie, home = cookie_of(begun), who(begun)
        for crumbs in ([cookie, "x=1", "y=2"], ["x=1", cookie, "y=2"], ["x=1; " + cookie, "y=2"],
                       ["x=1", "y=2", cookie]):
            response = client.get("/crumbs", [("cookie", crumb) for crumb in crumbs])
            assert (outcome(response)[0], who(response)) == ("hit", home), crumbs
    seen = [r.all("Cookie") for replica in replicas for r in replica.requests if r.target == "/crumbs"]
    assert seen == [["x=1; y=2"]] * 4, seen


def test_the_cookie_of_a_plain_http2_client_is_as_in_http1(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        over_h2 = cookies(client.get("/"))
    over_h1 = cookies(daemon.once("GET", "/"))
    assert over_h2 == over_h1 and "HttpOnly" in over_h2["limpet"], (over_h2, over_h1)


def test_parallel_first_requests_of_one_connection_go_to_one_replica(life):
    daemon = life.daemon(life.some("a", "b", "c", "d"))
    for _ in range(8):
        with H2Client(daemon.address) as client:
            # In one segment: none of them is sent in the knowledge of an answer to another.
            streams = [client.expect_stream() for _ in range(10)]
            client.send(b"".join(
                f.headers(stream.id, f.block(f.request_fields("GET", f"/{stream.id}", (), "http", "test.example")), True)
                for stream in streams))
            assert len({who(client.finish(stream)) for stream in streams}) == 1


def test_sessions_hold_with_replicas_of_http2(life):
    replicas = [life.replica(id, on_connection=Served()) for id in "abc"]
    daemon = life.daemon(replicas, pool_keys='preset = "web"\nprotocol = "http2"', affinity=SHOW,
                         balance=EVENLY)
    jars = [daemon.jar() for _ in range(10)]
    homes = [who(jar.get()) for jar in jars]
    assert set(homes) == {"a", "b", "c"}
    for _ in range(3):
        assert [(outcome(jar.get())[0], who(jar.get())) for jar in jars] == [("hit", home) for home in homes]
    with H2Client(daemon.address) as client:
        for jar, home in zip(jars, homes):
            crumbs = [("cookie", f"{name}={value}") for name, value in jar.cookies.items()]
            assert who(client.get("/", crumbs)) == home


def test_many_sessions_on_one_connection_are_kept_apart(life):
    gate = threading.Event()

    def slow(peer, message):
        if message.target == "/together":
            gate.wait(seconds(60))
        say_who(peer, message)
    daemon = life.daemon(life.some("a", "b", "c", handle=slow), affinity=SHOW)
    jars = [daemon.jar() for _ in range(20)]
    homes = [who(jar.get()) for jar in jars]
    with H2Client(daemon.address) as client:
        streams = [client.begin("GET", "/together", [("cookie", f"limpet={jar.cookies['limpet']}")]) for jar in jars]
        gate.set()
        assert [who(client.finish(stream)) for stream in streams] == homes


def test_an_mcp_session_goes_home_over_both_versions(life):
    servers = [McpReplica() for _ in range(3)]
    replicas = [life.replica(id, server) for id, server in zip("abc", servers)]
    daemon = life.daemon(replicas, pool_keys='preset = "mcp"')

    def call(client, method, session=None):
        fields = [("accept", "application/json, text/event-stream"), ("content-type", "application/json")]
        if session:
            fields.append(("mcp-session-id", session))
        body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method}).encode()
        return client.ask("POST", "/", fields, body)
    for _ in range(6):
        with H2Client(daemon.address) as begins, H2Client(daemon.address) as goes_on, daemon.client() as by_h1:
            begun = call(begins, "initialize")
            session = begun.get("mcp-session-id")
            for client in (begins, goes_on, by_h1):
                response = call(client, "tools/call", session)
                assert response.status == 200 and response.get("x-replica") == begun.get("x-replica"), response
    assert sum(server.lost for server in servers) == 0
