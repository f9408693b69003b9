# SPDX-License-Identifier: Apache-2.0
"""Requests that wait for room when the configuration is loaded anew."""

from harness.affinity import SHOW, outcome, who
from harness.client import request
from harness.config import EVENLY
from harness.deadline import wait_until
from harness.gate import Asking, Gate
from harness.h2 import H2Client
from harness.life import shaped
from harness.mcp_replica import McpClient, McpReplica, result_of

FREE = "from = []"
ONE = f'{EVENLY}\nmax_requests = 1\nqueue_timeout = "60s"'


class Full:
    """A daemon whose only replica, a, takes one request at a time, and may be held by one."""

    def __init__(self, life, **options):
        self.gate = Gate("/hold")
        self.a = life.replica("a", self.gate)
        self.options = {"balance": ONE, "affinity": FREE, "workers": 1, **options}
        self.daemon = life.prepare(shaped([self.a], **self.options)).start()

    def hold(self, ask=None):
        before = self.gate.running
        held = Asking(ask or (lambda: self.daemon.once("GET", "/hold")))
        wait_until(lambda: self.gate.running > before, "a is at work")
        return held

    def ask(self, *what):
        """A request that waits."""
        before = self.waiting()
        asking = Asking(lambda: self.daemon.once(*what))
        self.daemon.wait_metric("limpet_pool_queue", before + 1)
        return asking

    def waiting(self):
        return self.daemon.metrics().sum("limpet_pool_queue")

    def reload(self, *more):
        self.daemon.reload(shaped([self.a, *more], **self.options))


def test_who_waits_for_room_finds_it_on_a_replica_that_a_reload_brings(life):
    full, b = Full(life), life.replica("b")
    held = full.hold()
    asking = full.ask("POST", "/wait", [("Cookie", "theirs=1"), ("X-Mine", "kept")], b"body")
    full.reload(b)
    assert who(asking.answer()) == "b"
    full.gate.open.set()
    assert who(held.answer()) == "a"
    (met,) = b.requests
    assert met.body == b"body" and met.all("x-mine") == ["kept"] and met.all("cookie") == ["theirs=1"]
    assert met.all("x-forwarded-for") == ["127.0.0.1"], "the fields are written once"
    line = full.daemon.wait_log(lambda line: line["path"] == "/hold")
    lines = [line for line in full.daemon.log() if line["path"] == "/wait"]
    assert len(lines) == 1 and lines[0]["replica"] == "b" and lines[0]["queue_ms"] > 0, (line, lines)
    full.daemon.wait_metric("limpet_requests_total", 2)
    assert full.daemon.metrics().sum("limpet_requests_total") == 2, "it is counted once"
    assert full.waiting() == 0


def test_the_rest_of_a_body_follows_to_the_replica_that_a_reload_brings(life):
    full, b = Full(life), life.replica("b")
    full.hold()
    with full.daemon.client() as client:
        client.send(request("POST", "/wait", [("Content-Length", "8")]) + b"half")
        full.daemon.wait_metric("limpet_pool_queue", 1)
        full.reload(b)
        b.wait_for_requests(1)
        client.send(b"more")
        assert who(client.response()) == "b"
    assert b.requests[0].body == b"halfmore"


def test_those_that_wait_keep_their_order_over_reloads(life):
    full = Full(life)
    full.hold()
    with H2Client(full.daemon.address) as client:
        streams = []
        for number in range(4):
            streams.append(client.begin("GET", f"/{number}"))
            full.daemon.wait_metric("limpet_pool_queue", number + 1)
        full.reload()
        full.reload()
        assert full.waiting() == 4
        full.gate.open.set()
        for stream in streams:
            client.wait(lambda: stream.is_whole, "the answer")
    assert full.a.targets() == ["/hold", "/0", "/1", "/2", "/3"]


def test_a_reload_gives_no_more_time_in_the_queue(life):
    full = Full(life, balance=ONE.replace('"60s"', '"1s"'))
    full.hold()
    asking = full.ask("GET", "/wait")
    full.reload()
    began = len(full.daemon.log())
    while asking.is_alive():
        full.reload()
    assert asking.answer().status == 503 and "full" in asking.answer().text()
    assert full.daemon.log()[began:][0]["queue_ms"] < 1900


def test_a_session_waits_for_its_own_replica_over_a_reload(life):
    full = Full(life, affinity='on_full = "wait:60s then move"\n' + SHOW)
    b = life.replica("b")
    jar = full.daemon.jar()
    assert who(jar.get()) == "a"
    held = full.hold(lambda: jar.get("/hold"))
    asking = Asking(lambda: jar.get("/wait"))
    full.daemon.wait_metric("limpet_pool_queue", 1)
    full.reload(b)
    assert who(full.daemon.once("GET", "/")) == "b", "somebody new need not wait"
    assert asking.is_alive()
    full.gate.open.set()
    assert who(asking.answer()) == "a" and outcome(asking.answer())[0] == "waited"
    assert who(held.answer()) == "a"
    assert not full.a.requests[-1].has("cookie"), "the replica does not see the cookie"


def test_who_waits_for_a_pool_that_is_no_more_stays_with_its_replicas(life):
    full = Full(life)
    full.hold()
    asking = full.ask("GET", "/wait")
    full.options["routes"] = '[[route]]\npath = "/"\nrespond = { status = 404 }\n'
    full.reload()
    assert full.daemon.once("GET", "/").status == 404
    full.gate.open.set()
    assert who(asking.answer()) == "a"


def test_who_failed_on_a_dead_replica_and_waits_for_another_finds_a_third(life):
    full = Full(life)
    dead, c = life.replica("dead"), life.replica("c")
    dead.stop()
    full.hold()
    full.reload(dead)
    asking = full.ask("GET", "/wait")
    full.reload(dead, c)
    assert who(asking.answer()) == "c"
    line = full.daemon.wait_log(lambda line: line["path"] == "/wait")
    assert [attempt.split(":")[0] for attempt in line["attempts"]] == ["dead", "c"], line


def test_an_mcp_session_begins_on_a_replica_that_a_reload_brings(life):
    a, b = (McpReplica(id) for id in "ab")
    life.replicas += [a, b]
    options = {"pool_keys": 'preset = "mcp"', "balance": "max_requests = 1", "workers": 1}
    daemon = life.prepare(shaped([a], **options)).start()
    first = McpClient(daemon.address).begin()
    held = Asking(lambda: first.call("slow"))
    wait_until(lambda: a.calls, "a is at work")
    second = McpClient(daemon.address)
    asking = Asking(second.begin)
    daemon.wait_metric("limpet_pool_queue", 1)
    daemon.reload(shaped([a, b], **options))
    asking.answer()
    assert result_of(second.call())["replica"] == "b"
    a.slow.set()
    assert result_of(held.answer())["replica"] == "a"
    assert daemon.metrics().sum("limpet_mcp_sessions_lost_total") == 0
