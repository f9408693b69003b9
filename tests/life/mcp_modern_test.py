# SPDX-License-Identifier: Apache-2.0
"""The revisions without sessions (2026-07-28 on): tasks and handles meet their replica, notices of all
replicas reach every listener, and requests go where their era is spoken."""

import base64
import json

from harness.affinity import SHOW, outcome, who
from harness.client import once
from harness.deadline import wait_until
from harness.life import shaped
from harness.mcp_other import ACCEPT, JSON, Events, ModernReplica, answer_of, call, modern_fields

MCP = 'preset = "mcp"'


def modern(life, *ids, **options):
    made = [ModernReplica(id, **options) for id in ids]
    life.replicas.extend(made)
    return made


def wrapped(text):
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def test_calls_about_a_task_meet_the_replica_that_made_it(life):
    for events in (False, True):
        daemon = life.daemon(modern(life, "a", "b", "c", events=events), pool_keys=MCP, affinity=SHOW, workers=4)
        homes = {}
        for _ in range(15):
            made = call(daemon, "tools/call", {"name": "slow"}, name="slow")
            homes[answer_of(made)["result"]["taskId"]] = who(made)
        assert len(set(homes.values())) > 1
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            for task, home in homes.items():
                response = call(daemon, method, {"taskId": task}, name=wrapped(task))
                assert who(response) == home and "result" in answer_of(response), response
                assert outcome(response)[0] == "hit", response


def test_the_name_of_a_task_is_not_believed_of_older_revisions(life):
    daemon = life.daemon(modern(life, "a", "b", "c"), pool_keys=MCP)
    made = call(daemon, "tools/call", {"name": "slow"}, name="slow")
    task = answer_of(made)["result"]["taskId"]
    met = {call(daemon, "tasks/get", {"taskId": task}, name=wrapped(task), version="2025-11-25").get("X-Replica")
           for _ in range(20)}
    assert len(met) > 1, met


def test_a_task_of_a_dead_replica_goes_elsewhere_and_is_answered_honestly(life):
    replicas = modern(life, "a", "b")
    daemon = life.daemon(replicas, pool_keys=MCP)
    made = call(daemon, "tools/call", {"name": "slow"}, name="slow")
    next(replica for replica in replicas if replica.id == who(made)).stop()
    task = answer_of(made)["result"]["taskId"]
    response = call(daemon, "tasks/get", {"taskId": task}, name=wrapped(task))
    assert response.status == 400 and answer_of(response)["error"]["code"] == -32602, response


def test_a_handle_in_a_parameter_decides_decoded_or_not(life):
    daemon = life.daemon(modern(life, "a", "b", "c"), pool_keys=MCP, affinity='from = ["header:Mcp-Param-Basket"]')
    homes = {}
    for basket in (f"basket-{number}" for number in range(20)):
        for value in (basket, wrapped(basket), basket):
            response = call(daemon, "tools/list", fields=[("Mcp-Param-Basket", value)])
            assert homes.setdefault(basket, who(response)) == who(response)
    assert len(set(homes.values())) == 3
    met = {call(daemon, "tools/list", version="2025-11-25", fields=[("Mcp-Param-Basket", "basket-1")]).get("X-Replica")
           for _ in range(20)}
    assert len(met) > 1, met


def listen(daemon, id=5, **filter):
    params = {"notifications": filter or {"toolsListChanged": True}}
    body = json.dumps({"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params}).encode()
    return Events(daemon, "POST", "/mcp", modern_fields("subscriptions/listen"), body)


def wait_for_legs(replicas, count):
    for replica in replicas:
        wait_until(lambda: len(replica.listening) >= count, f"{count} streams on {replica.id}")


def test_notices_of_every_replica_reach_a_listener_after_one_acknowledgement(life):
    replicas = modern(life, "a", "b", "c")
    daemon = life.daemon(replicas, pool_keys=MCP)
    stream = listen(daemon)
    assert stream.head.status == 200 and stream.head.get("Content-Type") == "text/event-stream"
    first = stream.message()
    assert first["method"] == "notifications/subscriptions/acknowledged", first
    assert first["params"]["notifications"] == {"toolsListChanged": True}
    wait_for_legs(replicas, 1)
    for replica in replicas:
        replica.change(by=replica.id)
        notice = stream.message()
        assert notice["method"] == "notifications/tools/list_changed", notice
        assert notice["params"]["by"] == replica.id
        assert notice["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": 5}


def test_a_listener_outlives_its_replicas_and_hears_what_it_may_have_missed(life):
    replicas = modern(life, "a", "b", "c")
    daemon = life.daemon(replicas, pool_keys=MCP, workers=1)
    stream = listen(daemon)
    stream.message()
    wait_for_legs(replicas, 1)
    home = next(replica for replica in replicas if replica.id == stream.head.get("X-Replica"))
    home.stop()
    assert stream.message()["method"] == "notifications/tools/list_changed"
    for replica in replicas:
        if replica is home:
            continue
        replica.change(by=replica.id)
        while stream.message()["params"].get("by") != replica.id:
            pass
    home.listening.clear()
    home.start()
    wait_until(lambda: home.listening, "the restarted replica is listened to again", limit=40)
    home.change(by="restarted")
    while stream.message()["params"].get("by") != "restarted":
        pass


class Cutting(ModernReplica):
    """Begins each stream and cuts it."""

    def listen(self, peer, message):
        self.listening.append(message["id"])
        peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.reset()


def test_a_stream_that_every_replica_cuts_at_once_is_not_opened_for_ever(life):
    replicas = [Cutting(id) for id in "ab"]
    life.replicas.extend(replicas)
    patient = 'active = { type = "off" }\ninitial = "up"\npassive = { failures = 0 }'
    daemon = life.daemon(replicas, pool_keys=MCP, workers=1, health=patient)
    client = listen(daemon)  # who stays until the end is seen
    daemon.wait_log(lambda e: e["ending"] == "replica-failed", "the client is to ask anew")
    client.close()
    assert sum(len(replica.listening) for replica in replicas) < 10


def test_two_listeners_are_two_streams_on_each_replica_that_end_with_them(life):
    replicas = modern(life, "a", "b")
    daemon = life.daemon(replicas, pool_keys=MCP)
    one, two = listen(daemon, 1), listen(daemon, "two")
    one.message(), two.message()
    wait_for_legs(replicas, 2)
    one.close()
    for replica in replicas:
        wait_until(lambda: replica.open_connections() <= 1 or replica.change() or len(replica.listening) == 1,
                   "the streams of the closed one end")
    for replica in replicas:
        replica.change(by=replica.id)
    by = set()
    while not {"a", "b"} <= by:
        notice = two.message()
        assert notice["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": "two"}
        by.add(notice["params"].get("by"))  # those that were sent while waiting name nobody


def test_replicas_that_come_with_a_reload_are_heard_after_the_stream_was_ended_in_order(life):
    replicas = modern(life, "a", "b")
    daemon = life.daemon(replicas[:1], pool_keys=MCP)
    stream = listen(daemon)
    stream.message()
    daemon.reload(shaped(replicas, pool_keys=MCP))
    last = stream.message()
    while "result" not in last:
        last = stream.message()
    assert last["id"] == 5 and last["result"]["resultType"] == "complete", last
    assert stream.event() is None
    again = listen(daemon)
    again.message()
    wait_for_legs(replicas[1:], 1)


def begin(daemon):
    body = b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}'
    return once(daemon.address, "POST", "/mcp", [ACCEPT, JSON], body)


def test_each_era_goes_where_it_is_spoken_once_the_replicas_were_asked(life):
    old, = modern(life, "old", eras=("sessions",))
    new, = modern(life, "new")
    both, = modern(life, "both", eras=("sessions", "modern"))
    replicas = [old, new, both]
    daemon = life.daemon(replicas, pool_keys=MCP, workers=1)
    wait_until(lambda: call(daemon, "tools/list").status == 200, "somebody understands")

    def asked():
        return all(any(b"limpet-" in request.body for request in replica.requests) for replica in replicas) and any(
            b"limpet-ping" in request.body for request in both.requests)
    wait_until(asked, "every replica was asked")
    wait_until(lambda: all(call(daemon, "tools/list").status == 200 for _ in range(12)), "modern requests are pinned")
    met = {who(call(daemon, "tools/list")) for _ in range(30)}
    assert met == {"new", "both"}, met
    wait_until(lambda: all(begin(daemon).status == 200 for _ in range(12)), "initialize is pinned")
    met = {who(begin(daemon)) for _ in range(30)}
    assert met == {"old", "both"}, met


def test_an_era_is_learnt_from_real_answers_too(life):
    old, = modern(life, "old", eras=("sessions",))
    new, = modern(life, "new")
    daemon = life.daemon([old, new], pool_keys=MCP, mcp="probe_eras = false", workers=1)
    wait_until(lambda: all(call(daemon, "tools/list").status == 200 for _ in range(12)), "modern requests are pinned")
    assert not any(b"limpet-" in request.body for request in old.requests + new.requests)


def test_a_restarted_replica_of_another_era_is_asked_anew(life):
    a, b = modern(life, "a", "b", eras=("sessions",))
    daemon = life.daemon([a, b], pool_keys=MCP, workers=1, health='active = { type = "tcp", interval = "100ms", '
                         'timeout = "5s", rise = 1, fall = 1, jitter = 0 }\n')
    wait_until(lambda: begin(daemon).status == 200, "a session")
    wait_until(lambda: all(any(b"limpet-discover" in r.body for r in each.requests) for each in (a, b)), "both asked")
    assert call(daemon, "tools/list").status == 400
    b.stop()
    daemon.wait_metric("limpet_replica_up", 1, replica="a")
    wait_until(lambda: daemon.metrics().sum("limpet_replica_up", replica="b") == 0, "b is down")
    b.eras = ("modern",)
    b.start()
    wait_until(lambda: all(call(daemon, "tools/list").status == 200 for _ in range(5)), "modern requests find b", 40)
    wait_until(lambda: all(who(begin(daemon)) == "a" for _ in range(5)), "sessions stay on a")
