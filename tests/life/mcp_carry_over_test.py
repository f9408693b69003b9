# SPDX-License-Identifier: Apache-2.0
"""Sessions of MCP whose replica dies, restarts, or forgets: they go on on another replica, or are told
that they are lost; nothing runs twice."""

import threading

from harness import h2_frames
from harness.affinity import SHOW, outcome
from harness.config import entry
from harness.deadline import PATIENCE, seconds, wait_until
from harness.h2_replica import Served
from harness.life import shaped
from harness.mcp_replica import UNKNOWN, McpClient, McpReplica, error_of, result_of

LOST = (404, -32001)
CARRIED = "limpet_mcp_carry_overs_total"


def some(life, *ids, **options):
    made = [McpReplica(id, **options) for id in ids]
    life.replicas += made
    return made


def gateway(life, replicas, mcp="", affinity=SHOW, **options):
    return life.daemon(replicas, pool_keys='preset = "mcp"', affinity=affinity, mcp=mcp, **options)


def owner_of(client, replicas):
    """The replica that holds the client's session, and the others."""
    home = result_of(client.call())["replica"]
    return (next(r for r in replicas if r.id == home), [r for r in replicas if r.id != home])


def only_session(replica):
    assert len(replica.sessions) == 1, replica.sessions
    return next(iter(replica.sessions.values()))


def test_a_session_whose_replica_was_killed_goes_on_on_another(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas)
    client = McpClient(daemon.address).begin()
    id = client.id
    owner, (other,) = owner_of(client, replicas)
    owner.kill()
    response = client.call()
    assert result_of(response)["replica"] == other.id
    assert outcome(response) == ("moved", "gone", other.id), response
    assert client.id == id, "the client knows its session by the same id"
    assert only_session(other).initialized == 1, "the new session was told that it is initialized"
    response = client.call()
    assert result_of(response)["calls"] == 2 and outcome(response)[0] == "hit", response
    assert client.id == id
    daemon.wait_metric(CARRIED, 1, result="carried")
    assert "was carried over" in daemon.errors()


def test_a_restarted_replica_has_forgotten_its_sessions_and_gets_them_anew(life):
    replicas = some(life, "a")
    daemon = gateway(life, replicas)
    client = McpClient(daemon.address).begin()
    result_of(client.call())
    replicas[0].kill()
    assert client.ask("ping").status == 503, "nobody is there"
    replicas[0].start()
    assert result_of(client.call()) == {"content": [], "calls": 1, "replica": "a"}
    assert only_session(replicas[0]).initialized == 1


def test_a_replica_that_forgot_a_session_says_so_in_many_ways(life):
    for unknown in UNKNOWN:
        replicas = some(life, "a", "b", unknown=unknown)
        daemon = gateway(life, replicas)
        client = McpClient(daemon.address).begin()
        id = client.id
        owner, _ = owner_of(client, replicas)
        owner.forget()
        assert result_of(client.call())["calls"] == 1, unknown
        assert client.id == id, unknown
        assert result_of(client.call())["calls"] == 2, unknown
        daemon.stop()


def test_without_carry_over_every_way_becomes_404_with_the_id_of_the_request(life):
    for unknown in UNKNOWN:
        replicas = some(life, "a", "b", unknown=unknown)
        daemon = gateway(life, replicas, mcp='carry_over = "off"')
        client = McpClient(daemon.address).begin()
        owner, _ = owner_of(client, replicas)
        owner.forget()
        response = client.call()
        assert error_of(response) == (*LOST, client.next), (unknown, response)
        owner.kill()
        assert error_of(client.call()) == (*LOST, client.next), unknown
        daemon.stop()


def test_an_honest_bad_request_stays_one(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas)
    client = McpClient(daemon.address).begin()
    response = client.call("bad")
    assert error_of(response) == (400, -32000, client.next), response
    owner, _ = owner_of(client, replicas)
    assert owner.sessions, "the session lives"
    assert len(owner.calls) == 2, "nothing was repeated"


def test_a_call_that_may_have_run_is_answered_with_an_error_and_later_calls_go_on(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas)
    client = McpClient(daemon.address).begin()
    owner, (other,) = owner_of(client, replicas)
    response = client.call("cut")
    assert error_of(response) == (200, -32000, client.next), response
    assert len(owner.calls) == 2 and other.calls == [], "it ran once"
    owner.kill()
    assert result_of(client.call())["replica"] == other.id
    daemon.wait_metric("limpet_mcp_unanswered_calls_total", 1)


def test_a_stream_of_a_call_that_is_cut_ends_with_an_error_for_that_call(life):
    replicas = some(life, "a", "b", events=True)
    daemon = gateway(life, replicas)
    client = McpClient(daemon.address).begin()
    response = client.call("half")
    assert error_of(response) == (200, -32000, client.next), response.text()
    assert "notifications/progress" in response.text() and "event: limpet-cut" in response.text()
    assert sum(len(replica.calls) for replica in replicas) == 1, "it ran once"
    result_of(client.call())


def test_a_get_stream_goes_on_on_another_replica(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas, mcp="announce = true")
    client = McpClient(daemon.address).begin()
    owner, (other,) = owner_of(client, replicas)
    events = client.stream()
    assert events.head.status == 200, events.head
    wait_until(lambda: only_session(owner).stream, "the stream is open")
    owner.event(only_session(owner).stream, {"jsonrpc": "2.0", "method": "first"})
    events.read_until("first")
    owner.kill()
    wait_until(lambda: other.sessions and only_session(other).stream, "the stream is open again")
    other.event(only_session(other).stream, {"jsonrpc": "2.0", "method": "second"})
    text = events.read_until("second").decode()
    assert text.index("first") < text.index('"level":"warning"') < text.index("second"), text
    assert "notifications/tools/list_changed" in text and "prompts/list_changed" not in text, text
    assert result_of(client.call())["replica"] == other.id
    assert only_session(other).initialized == 1


def test_a_session_that_was_deleted_is_not_found_any_more_though_its_replica_died(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas)
    client = McpClient(daemon.address).begin()
    owner, (other,) = owner_of(client, replicas)
    assert client.delete().status == 200
    assert error_of(client.call()) == (*LOST, client.next)
    owner.kill()
    assert error_of(client.call()) == (*LOST, client.next)
    assert other.sessions == {}, "nothing was opened anew"
    daemon.wait_metric("limpet_mcp_sessions_ended_total", 1, cause="deleted")


def test_many_requests_of_one_session_share_one_carry_over(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas, workers=2)
    client = McpClient(daemon.address).begin()
    owner, (other,) = owner_of(client, replicas)
    owner.kill()
    answers = []

    def one():
        same = McpClient(daemon.address)
        same.id = client.id
        answers.append(same.call())

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds(PATIENCE))
    assert sorted(result_of(answer)["calls"] for answer in answers) == list(range(1, 13))
    assert len(other.sessions) == 1 and only_session(other).initialized == 1
    daemon.wait_metric(CARRIED, 1, result="carried")


def test_level_and_subscriptions_are_set_again(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas)
    client = McpClient(daemon.address).begin()
    result_of(client.ask("logging/setLevel", {"level": "error"}))
    for uri in ("test://one", "test://two", "test://three"):
        result_of(client.ask("resources/subscribe", {"uri": uri}))
    owner, (other,) = owner_of(client, replicas)
    owner.kill()
    result_of(client.call())
    session = only_session(other)
    assert session.level == "error" and session.subscriptions == ["test://one", "test://two", "test://three"]


def test_a_server_that_can_do_less_gets_no_session_of_another(life):
    a, = some(life, "a")
    b, = some(life, "b", capabilities={"tools": {}})
    for policy, is_carried in (("compatible", False), ("always", True)):
        daemon = gateway(life, [a], mcp=f'carry_over = "{policy}"')
        client = McpClient(daemon.address).begin()
        result_of(client.call())
        a.kill()
        daemon.reload(shaped([b], pool_keys='preset = "mcp"', affinity=SHOW, mcp=f'carry_over = "{policy}"'))
        response = client.call()
        if is_carried:
            assert result_of(response)["replica"] == "b"
        else:
            assert error_of(response) == (*LOST, client.next), response
            wait_until(lambda: b.sessions == {}, "what was opened is closed again")
            daemon.wait_metric(CARRIED, 1, result="different")
        daemon.stop()
        a.start()


def test_answers_to_requests_of_a_dead_replica_are_swallowed(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas)
    client = McpClient(daemon.address).begin()
    owner, (other,) = owner_of(client, replicas)
    owner.kill()
    response = client.send({"jsonrpc": "2.0", "id": 99, "result": {}})
    assert response.status == 202 and response.body == b"", response
    assert other.responses == []
    assert result_of(client.call())["replica"] == other.id


def test_the_handshake_has_the_credentials_of_the_request_that_waits(life):
    replicas = some(life, "a", "b", wants="Bearer one")
    daemon = gateway(life, replicas)
    client = McpClient(daemon.address, authorization="Bearer one").begin()
    owner, (other,) = owner_of(client, replicas)
    for replica in replicas:
        replica.wants = "Bearer two"
    owner.kill()
    assert error_of(client.call()) == (*LOST, client.next), "the old token opens nothing"
    client.authorization = "Bearer two"
    assert result_of(client.call())["replica"] == other.id
    assert only_session(other).credential == "Bearer two"


def test_a_stranger_does_not_get_the_session_that_a_living_replica_denies_him(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas)
    client = McpClient(daemon.address, authorization="Bearer one").begin()
    owner, (other,) = owner_of(client, replicas)
    owner.forget()
    stranger = McpClient(daemon.address, authorization="Bearer other")
    stranger.id = client.id
    assert error_of(stranger.call()) == (*LOST, 1)
    assert other.sessions == {} and owner.sessions == {}
    assert result_of(client.call())["calls"] == 1


def test_idle_event_streams_are_kept_alive_between_events_only(life):
    replicas = some(life, "a")
    daemon = gateway(life, replicas, mcp='keep_alive = "1s"')
    client = McpClient(daemon.address).begin()
    events = client.stream()
    a = replicas[0]
    wait_until(lambda: only_session(a).stream, "the stream is open")
    held = only_session(a).stream
    events.read_until(": keep-alive\n\n")
    a.raw_event(held, "data: be")
    events.read_until("data: be")
    # Another stream, which says nothing, shows that more than keep_alive has passed.
    beside = McpClient(daemon.address).begin().stream()
    beside.read_until(": keep-alive\n\n: keep-alive\n\n")
    a.raw_event(held, "gun\n\n")
    text = events.read_until("gun\n\n")
    assert b"data: begun\n\n" in text, text
    daemon.wait_metric("limpet_mcp_keep_alives_total", 1)


def test_sessions_leave_a_drained_replica_when_its_time_is_over(life):
    a, b = some(life, "a", "b")
    options = dict(pool_keys='preset = "mcp"', affinity=SHOW, mcp='drain_after = "3s"')
    daemon = life.prepare(shaped([a, b], **options)).start()
    client = McpClient(daemon.address).begin()
    owner, (other,) = owner_of(client, [a, b])
    events = client.stream()
    wait_until(lambda: only_session(owner).stream, "the stream is open")
    drained = [entry(r, state="drain") if r is owner else r for r in (a, b)]
    daemon.reload(shaped(drained, **options))
    assert result_of(client.call())["replica"] == owner.id, "it stays at first"
    assert b"retry: " in events.read_to_end(), "the stream is closed politely"
    wait_until(lambda: result_of(client.call())["replica"] == other.id, "it has left")
    wait_until(lambda: len(owner.deleted) == 1, "the old session is ended")


class OverHttp2(McpReplica):
    """Serves HTTP/2 and notes with what code its streams of events are taken back."""

    def __init__(self, id):
        super().__init__(id)
        self.taken_back = []
        self.on_connection = Served(self.serve)

    def stream(self, peer, session):
        peer.head(200, [("content-type", "text/event-stream")])
        session.stream = peer
        self.taken_back.append(peer.wait_reset())


def test_a_stream_that_is_closed_politely_is_taken_back_from_an_http2_replica(life):
    a, b = replicas = [OverHttp2(id) for id in "ab"]
    life.replicas += replicas
    options = dict(pool_keys='preset = "mcp"\nprotocol = "http2"', affinity=SHOW, mcp='drain_after = "1s"')
    daemon = life.prepare(shaped(replicas, **options)).start()
    client = McpClient(daemon.address).begin()
    owner, _ = owner_of(client, replicas)
    events = client.stream()
    wait_until(lambda: only_session(owner).stream, "the stream is open")
    daemon.reload(shaped([entry(r, state="drain") if r is owner else r for r in (a, b)], **options))
    assert b"retry: " in events.read_to_end()
    wait_until(lambda: owner.taken_back == [h2_frames.CANCEL], "the replica hears of it")


def test_a_call_too_large_to_be_kept_is_not_sent_again_without_its_body(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas, pool_timeouts='response_head = "3s"')
    client = McpClient(daemon.address).begin()
    owner, (other,) = owner_of(client, replicas)
    owner.forget()
    response = client.ask("tools/call", {"name": "echo", "arguments": {"text": "x" * 400000}})
    assert error_of(response)[:2] == LOST, response
    assert not other.sessions and not other.calls
    assert result_of(client.call())["calls"] == 1, "a smaller one carries the session over"


def test_a_session_is_carried_over_after_a_reload(life):
    replicas = some(life, "a", "b")
    daemon = gateway(life, replicas)
    client = McpClient(daemon.address).begin()
    owner, (other,) = owner_of(client, replicas)
    daemon.reload(daemon.make_config)
    owner.kill()
    assert result_of(client.call())["replica"] == other.id
