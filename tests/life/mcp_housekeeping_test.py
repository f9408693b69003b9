# SPDX-License-Identifier: Apache-2.0
"""What limpet does for sessions of MCP beside routing them: it counts, bounds and ends them, and asks a
replica that says nothing no longer than it may."""

import json
import subprocess
import threading

from harness.client import once
from harness.control import LIMPETCTL, succeed
from harness.deadline import seconds, wait_until
from harness.h2 import H2Client
from harness.mcp_other import JSON, ModernReplica, SseClient, SseReplica, call, modern_fields
from harness.mcp_other import Events as SseEvents
from harness.mcp_replica import McpClient, error_of, result_of

from mcp_carry_over_test import LOST, gateway, only_session, owner_of, some


def test_no_more_sessions_are_opened_than_the_replicas_may_have(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas, balance="max_sessions = 2", workers=1)
    clients = [McpClient(daemon.address).begin() for _ in range(4)]
    refused = McpClient(daemon.address).ask("initialize", {"protocolVersion": "2025-11-25"})
    assert refused.status == 503 and int(refused.get("Retry-After")) >= 1, refused
    for client in clients:
        result_of(client.call())
    assert sorted(len(replica.sessions) for replica in replicas) == [2, 2]


def test_a_session_that_nobody_uses_is_ended_and_one_with_a_stream_is_not(life):
    replicas = some(life, "a")
    a = replicas[0]
    daemon = gateway(life, replicas, mcp='session_idle = "1s"\nkeep_alive = "off"')
    quiet = McpClient(daemon.address).begin()
    busy = McpClient(daemon.address).begin()
    private = McpClient(daemon.address, authorization="Bearer one").begin()
    events = busy.stream()
    assert events.head.status == 200
    wait_until(lambda: len(a.deleted) == 1, "the quiet session is ended", 40)
    daemon.wait_metric("limpet_mcp_sessions_ended_total", 2, 40, cause="reaped")
    assert error_of(quiet.call()) == (*LOST, quiet.next)
    result_of(busy.call())
    result_of(private.call())
    assert len(a.deleted) == 1, "nobody has the credentials to end the third one"


def test_a_replica_that_does_not_answer_is_not_asked_for_ever(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas, pool_timeouts='response_head = "3s"')
    client = McpClient(daemon.address).begin()
    owner, (other,) = owner_of(client, replicas)
    assert error_of(client.call("slow")) == (200, -32000, client.next)
    owner.slow.set()
    assert result_of(client.call())["calls"] == 3, "the session is still there"
    assert other.sessions == {}


def calling(client, tool="slow"):
    """A call that another thread waits for."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(client.call(tool)), daemon=True)
    thread.start()
    return thread, answers


def answer_to(call, limit=40.0):
    thread, answers = call
    wait_until(lambda: answers, "the call is answered", limit)
    thread.join()
    return answers[0]


def test_a_call_that_takes_long_is_asked_about_and_never_cut(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas, mcp='doubt_after = "1s"\nhang_after = "10s"')
    client = McpClient(daemon.address).begin()
    owner, _ = owner_of(client, replicas)
    call = calling(client)
    wait_until(lambda: owner.pings >= 3, "the replica is asked time and again", 40)
    daemon.wait_metric("limpet_mcp_doubts_total", 3, replica=owner.id, result="alive")
    assert not call[1], "nobody answers in its place"
    owner.slow.set()
    assert result_of(answer_to(call))["replica"] == owner.id


def test_by_default_a_replica_that_answers_no_ping_either_is_waited_for(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas, mcp='doubt_after = "1s"')
    client = McpClient(daemon.address).begin()
    owner, _ = owner_of(client, replicas)
    owner.is_deaf.set()
    call = calling(client)
    daemon.wait_metric("limpet_mcp_doubts_total", 1, limit=40, replica=owner.id, result="silent")
    assert not call[1]
    owner.slow.set()
    assert result_of(answer_to(call))["replica"] == owner.id


def test_a_replica_that_never_answers_a_call_of_a_session_it_has_forgotten_is_found_out(life):
    for carry_over, expected in (("compatible", (200, -32000)), ("off", LOST)):
        replicas = some(life, "a", "b")
        daemon = gateway(life, replicas, mcp=f'doubt_after = "1s"\ncarry_over = "{carry_over}"')
        client = McpClient(daemon.address).begin()
        owner, others = owner_of(client, replicas)
        call = calling(client)
        wait_until(lambda: len(owner.calls) == 2, "the call has arrived")
        owner.forget()
        assert error_of(answer_to(call)) == (*expected, client.next), carry_over
        daemon.wait_metric("limpet_mcp_doubts_total", 1, replica=owner.id, result="lost")
        daemon.wait_metric("limpet_mcp_sessions_lost_total", 1, replica=owner.id, cause="denied")
        assert len(owner.calls) == 2 and not any(other.calls for other in others), "nothing ran twice"
        if carry_over == "compatible":
            assert result_of(client.call())["calls"] == 1, "the session goes on"
        else:
            assert error_of(client.call()) == (*LOST, client.next)
        owner.slow.set()


def test_a_replica_that_answers_nothing_is_given_up_where_the_operator_says_when(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas, mcp='doubt_after = "1s"\nhang_after = "1s"')
    client = McpClient(daemon.address).begin()
    owner, _ = owner_of(client, replicas)
    owner.is_deaf.set()
    call = calling(client)
    assert error_of(answer_to(call)) == (200, -32000, client.next)
    assert "answers neither a call nor pings" in daemon.errors()
    assert len(owner.calls) == 2, "it ran once"
    owner.slow.set()


def drained(daemon, replica, wait="60s"):
    return subprocess.Popen([LIMPETCTL, "--socket", daemon.place.socket, "replica", "drain", replica.id, "--wait", wait],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def sessions_left(daemon, replica):
    rows = json.loads(succeed(daemon, "--json", "replicas"))["replicas"]
    return next(row["sessions"] for row in rows if row["id"] == replica.id)


def test_a_drained_replica_has_no_session_left_as_soon_as_the_last_one_has_ended(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas, workers=2)
    clients = [McpClient(daemon.address).begin() for _ in range(6)]
    mine = [client for client in clients if owner_of(client, replicas)[0] is replicas[0]]
    waiting = drained(daemon, replicas[0])
    wait_until(lambda: sessions_left(daemon, replicas[0]) == len(mine), "its sessions are counted")
    for client in mine:
        assert waiting.poll() is None, "there are sessions left"
        result_of(client.call())
        assert client.delete().status == 200
    assert sessions_left(daemon, replicas[0]) == 0
    said, _ = waiting.communicate(timeout=seconds(60))
    assert waiting.returncode == 0 and "drained" in said, said
    assert daemon.metrics().sum("limpet_replica_sessions", replica="a") == 0
    assert daemon.metrics().sum("limpet_replica_sessions", replica="b") == len(clients) - len(mine)


def test_a_drained_replica_has_no_session_left_as_soon_as_the_last_one_has_moved(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas, mcp='drain_after = "0s"')
    client = McpClient(daemon.address).begin()
    owner, (other,) = owner_of(client, replicas)
    waiting = drained(daemon, owner)
    wait_until(lambda: result_of(client.call())["replica"] == other.id, "the session moves")
    assert sessions_left(daemon, owner) == 0
    said, _ = waiting.communicate(timeout=seconds(60))
    assert waiting.returncode == 0, said
    daemon.wait_metric("limpet_mcp_carry_overs_total", 1, replica=owner.id, result="carried")
    daemon.wait_metric("limpet_mcp_sessions", 1, replica=other.id)


def test_idle_sessions_do_not_keep_a_drained_replica(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas, workers=2, mcp='drain_after = "0s"')
    client = McpClient(daemon.address).begin()
    owner, (other,) = owner_of(client, replicas)
    waiting = drained(daemon, owner, wait="120s")
    wait_until(lambda: sessions_left(daemon, owner) == 1, "it is counted as long as it may be in use")
    said, _ = waiting.communicate(timeout=seconds(130))
    assert waiting.returncode == 0, said
    assert sessions_left(daemon, owner) == 0 and not other.sessions
    owner.kill()
    assert result_of(client.call())["replica"] == other.id, "its next request opens it elsewhere"
    assert only_session(other).initialized == 1


def test_sessions_of_a_time_before_this_process_are_counted_until_they_end(life):
    replicas = some(life, "a")
    daemon = gateway(life, replicas)
    clients = [McpClient(daemon.address).begin() for _ in range(2)]
    daemon.stop()
    daemon.start()
    for client in clients:
        result_of(client.call())
    waiting = drained(daemon, replicas[0])
    wait_until(lambda: sessions_left(daemon, replicas[0]) == 2, "both are known")
    assert clients[0].delete().status == 200
    wait_until(lambda: sessions_left(daemon, replicas[0]) == 1, "one is left")
    assert waiting.poll() is None
    assert clients[1].delete().status == 200
    assert sessions_left(daemon, replicas[0]) == 0
    waiting.communicate(timeout=seconds(60))
    assert waiting.returncode == 0


def test_sessions_are_counted_by_replica_tool_and_client(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas)
    clients = [McpClient(daemon.address).begin() for _ in range(3)]
    for client in clients:
        result_of(client.call("echo"))
    daemon.wait_metric("limpet_mcp_sessions", 3)
    for replica in replicas:
        lives = daemon.metrics().sum("limpet_mcp_sessions", replica=replica.id)
        assert lives == len(replica.sessions), (replica.id, lives)
    daemon.wait_metric("limpet_mcp_tool_call_seconds_count", 3, tool="echo")
    daemon.wait_metric("limpet_mcp_clients_total", 3, client="life-client", era="session")
    home, _ = owner_of(clients[0], replicas)
    clients[0].delete()
    wait_until(lambda: daemon.metrics().sum("limpet_mcp_sessions") == 2, "one less")
    daemon.wait_metric("limpet_mcp_sessions_ended_total", 1, replica=home.id, cause="deleted")
    events = clients[1].stream()
    owner, _ = owner_of(clients[1], replicas)
    daemon.wait_metric("limpet_mcp_streams", 1, replica=owner.id)
    assert events.head.status == 200
    owner.kill()
    result_of(clients[1].call())
    wait_until(lambda: daemon.metrics().sum("limpet_mcp_streams", replica=owner.id) == 0, "the stream has moved")
    daemon.wait_metric("limpet_mcp_sessions_lost_total", 1, replica=owner.id, cause="gone")


def test_requests_and_clients_of_every_era_are_counted(life):
    replicas = [ModernReplica("m"), SseReplica("l")]
    life.replicas += replicas
    modern, legacy = (life.daemon([replica], pool_keys='preset = "mcp"') for replica in replicas)
    meta = {"_meta": {"io.modelcontextprotocol/clientInfo": {"name": "newest", "version": "1"}}}
    assert call(modern, "server/discover", meta).status == 200
    assert call(modern, "tools/call", {"name": "deploy"}, name="deploy").status == 200
    modern.wait_metric("limpet_mcp_clients_total", 1, client="newest", era="modern")
    modern.wait_metric("limpet_mcp_requests_total", 2, replica="m", era="modern")
    modern.wait_metric("limpet_mcp_tool_call_seconds_count", 1, tool="deploy")
    modern.wait_metric("limpet_mcp_tasks", 1, kind="entries")
    assert modern.metrics().sum("limpet_mcp_tasks", kind="bound") == 100_000

    old = SseClient(legacy)
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize",
             "params": {"clientInfo": {"name": "oldest", "version": "1"}}}
    assert once(legacy.address, "POST", old.target(), [JSON], json.dumps(hello).encode()).status == 202
    legacy.wait_metric("limpet_mcp_clients_total", 1, client="oldest", era="legacy")
    legacy.wait_metric("limpet_mcp_requests_total", 1, replica="l", era="legacy")
    legacy.wait_metric("limpet_mcp_streams", 1, replica="l")
    legacy.wait_metric("limpet_mcp_sessions_started_total", 1, replica="l")


def test_no_more_tasks_are_remembered_than_there_may_be(life):
    replica = ModernReplica("m")
    life.replicas.append(replica)
    daemon = life.daemon([replica], pool_keys='preset = "mcp"', mcp="max_tasks = 16")
    for turn in range(80):
        assert call(daemon, "tools/call", {"name": "t"}, name="t", id=turn).status == 200
    daemon.wait_metric("limpet_mcp_tasks", 1, kind="evicted")
    assert daemon.metrics().sum("limpet_mcp_tasks", kind="entries") <= 16


def test_notices_that_do_not_reach_a_listener_are_counted(life):
    replica = ModernReplica("m")
    life.replicas.append(replica)
    daemon = life.daemon([replica], pool_keys='preset = "mcp"')
    body = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen",
            "params": {"notifications": {"promptsListChanged": True}}}
    events = SseEvents(daemon, "POST", "/mcp", modern_fields("subscriptions/listen"), json.dumps(body).encode())
    assert "acknowledged" in events.event()["data"]
    wait_until(lambda: replica.listening, "the replica has a listener")
    replica.change()  # of the tools, which nobody has asked for
    daemon.wait_metric("limpet_mcp_listen_dropped_total", 1, cause="unwanted")
    daemon.wait_metric("limpet_mcp_streams", 1, replica="m")
    events.close()


def test_a_session_is_carried_over_for_a_client_of_http2(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas)
    begun = McpClient(daemon.address).begin()
    owner, (other,) = owner_of(begun, replicas)
    fields = [(name.lower(), value) for name, value in begun.fields(("content-type", "application/json"))]
    body = b'{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"echo","arguments":{}}}'
    with H2Client(daemon.address) as client:
        assert result_of(client.ask("POST", "/mcp", fields, body))["replica"] == owner.id
        owner.kill()
        response = client.ask("POST", "/mcp", fields, body)
        assert result_of(response)["replica"] == other.id
        assert response.get("mcp-session-id") == begun.id
        unsafe = body.replace(b'"echo"', b'"cut"')
        assert error_of(client.ask("POST", "/mcp", fields, unsafe)) == (200, -32000, "x")
    assert only_session(other).initialized == 1
