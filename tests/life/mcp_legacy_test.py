# SPDX-License-Identifier: Apache-2.0
"""HTTP+SSE of 2024-11-05: the endpoint event is rewritten in the stream, POSTs meet the owner."""

import re

from harness.deadline import wait_until
from harness.mcp_other import Events, SseClient, SseReplica

MCP = 'preset = "mcp"'


def sse(life, *ids, **options):
    made = [SseReplica(id, **options) for id in ids]
    life.replicas.extend(made)
    return made


def test_the_posts_of_each_session_meet_the_replica_of_its_stream(life):
    daemon = life.daemon(sse(life, "a", "b", "c"), pool_keys=MCP, workers=4)
    clients = [SseClient(daemon) for _ in range(12)]
    homes = [client.ask(1)["result"]["replica"] for client in clients]
    assert len(set(homes)) == 3, homes
    for turn in range(2, 5):
        for client, home in zip(clients, homes):
            answer = client.ask(turn)
            assert answer["id"] == turn and answer["result"]["replica"] == home


def test_the_replica_sees_its_own_id_and_the_client_a_wrapped_one(life):
    a, = sse(life, "a")
    daemon = life.daemon([a], pool_keys=MCP)
    client = SseClient(daemon)
    original = next(iter(a.streams))
    assert re.fullmatch(f"/messages\\?sessionId=[0-9A-Za-z]+-{original}", client.uri), client.uri
    assert client.ask()["result"]["session"] == original
    assert a.posted == [f"/messages?sessionId={original}"]


ENDPOINTS = {
    "sessionId": lambda id: f"event: endpoint\ndata: /messages?sessionId={id}\n\n",
    "session_id": lambda id: f": hello\n\nevent: endpoint\r\ndata:/messages/?session_id={id}&x=1\r\n\r\n",
    "sessionid": lambda id: f"event:endpoint\rdata: ?a=b&sessionid={id}\r\r",
    "absolute": lambda id: f"event: endpoint\ndata: http://test.example/m?sessionId={id}\n\n",
    "first data": lambda id: f"data: /m?sessionId={id}\nevent: endpoint\n\n",
}


def test_every_query_name_form_of_uri_and_boundary(life):
    for name, endpoint in ENDPOINTS.items():
        for step in (0, 1, 2, 3, 7):
            a = SseReplica("a", endpoint, step)
            daemon = life.daemon([a], pool_keys=MCP, workers=1)
            stream = SseStreamText(daemon, until=b"-")
            id = next(iter(a.streams))
            wait_until(lambda: stream.read(len(endpoint(id)) + 78), "the whole event")
            expected = re.escape(endpoint(id)).replace(re.escape(id), f"[0-9A-Za-z]{{77}}-{id}")
            assert re.fullmatch(expected, stream.text), (name, step, stream.text)
            stream.close()
            daemon.stop()
            a.stop()


class SseStreamText:
    """The raw text of a stream."""

    def __init__(self, daemon, until):
        self.events = Events(daemon, "GET", "/sse", [("Accept", "text/event-stream")])
        while until not in self.events.text:
            self.events._more()

    def read(self, count):
        while len(self.events.text) < count:
            self.events._more()
        return True

    @property
    def text(self):
        return self.events.text.decode()

    def close(self):
        self.events.close()


def test_a_forged_id_gets_404_at_once_and_no_replica_hears_of_it(life):
    replicas = sse(life, "a", "b")
    daemon = life.daemon(replicas, pool_keys=MCP)
    client, other = SseClient(daemon), SseClient(daemon)
    original = client.uri.rsplit("-", 1)[1]
    for target in (f"/messages?sessionId={original}", client.uri + "0", client.uri.replace("=", "=x"),
                   client.uri.rsplit("-", 1)[0] + "-" + other.uri.rsplit("-", 1)[1], "/messages?session_id=1"):
        response = client.post(target, id=77)
        assert response.status == 404 and b"-32001" in response.body and b"77" in response.body, response
    assert not any(replica.posted for replica in replicas)
    assert client.ask()["result"]["session"] == original


def test_a_session_whose_replica_died_is_not_found_and_a_new_stream_begins_elsewhere(life):
    replicas = sse(life, "a", "b")
    daemon = life.daemon(replicas, pool_keys=MCP)
    client = SseClient(daemon)
    home = client.ask()["result"]["replica"]
    next(replica for replica in replicas if replica.id == home).stop()
    response = client.post(id=5)
    assert response.status == 404 and b"-32001" in response.body, response
    assert SseClient(daemon).ask()["result"]["replica"] != home


def test_a_session_whose_stream_is_over_is_not_found_and_its_replica_is_not_asked(life):
    for ids in ("wrap", "learn"):
        a, = sse(life, "a")
        daemon = life.daemon([a], pool_keys=MCP, mcp=f'session_ids = "{ids}"', workers=4)
        client, other = SseClient(daemon), SseClient(daemon)
        assert "result" in client.ask()
        daemon.wait_metric("limpet_mcp_sessions", 2, replica="a")
        client.events.close()
        daemon.wait_metric("limpet_mcp_sessions_ended_total", 1, replica="a", cause="closed")
        posted = len(a.posted)
        for _ in range(4):
            response = client.post(id=5)
            assert response.status == 404 and b"-32001" in response.body and b"5" in response.body, response
        assert len(a.posted) == posted, "the replica would never answer"
        assert "result" in other.ask()
        wait_until(lambda: daemon.metrics().sum("limpet_mcp_sessions") == 1, "one is left")


def test_two_instances_with_one_key_file_serve_one_session(life):
    replicas = sse(life, "a", "b", "c")
    one = life.daemon(replicas, pool_keys=MCP)
    keys = f'file = "{one.place.state_dir}/affinity.keys"'
    two = life.daemon(replicas, pool_keys=MCP, keys=keys)
    client = SseClient(one)
    home = client.ask()["result"]["replica"]
    client.daemon = two
    for turn in range(5):
        assert client.ask(turn)["result"]["replica"] == home


def test_ids_may_be_learnt_instead(life):
    replicas = sse(life, "a", "b", "c")
    daemon = life.daemon(replicas, pool_keys=MCP, mcp='session_ids = "learn"', workers=4)
    clients = [SseClient(daemon) for _ in range(9)]
    for client in clients:
        id = client.uri.partition("=")[2]
        owner = next(replica for replica in replicas if id in replica.streams)
        for turn in range(3):
            assert client.ask(turn)["result"] == {"replica": owner.id, "session": id}
    response = clients[0].post("/messages?sessionId=unknown", id=9)
    assert response.status == 404 and b"-32001" in response.body, response


def test_idle_streams_are_kept_alive_between_events(life):
    daemon = life.daemon(sse(life, "a"), pool_keys=MCP, mcp='keep_alive = "1s"')
    client = SseClient(daemon)
    stream = client.events
    stream.text = b""
    while b": keep-alive\n\n" not in stream.text:
        stream._more()
    assert client.ask()["result"]["replica"] == "a"
