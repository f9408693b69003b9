# SPDX-License-Identifier: Apache-2.0
"""Who gets a new session, and what happens when nobody has room."""

import threading

from harness.affinity import who
from harness.config import EVENLY, QUIET_HEALTH, entry
from harness.deadline import PATIENCE, seconds, wait_until
from harness.gate import Asking, Gate

FREE = "from = []"


def shares(daemon, count, **fields):
    met = [who(daemon.once("GET", "/", **fields)) for _ in range(count)]
    return {id: met.count(id) for id in sorted(set(met))}


def test_round_robin_takes_turns(life):
    daemon = life.daemon(life.some("a", "b", "c"), affinity=FREE, workers=1, balance='policy = "round-robin"')
    assert shares(daemon, 30) == {"a": 10, "b": 10, "c": 10}


def test_round_robin_honours_weights_smoothly(life):
    a, b = life.some("a", "b")
    daemon = life.daemon([entry(a, weight=3), b], affinity=FREE, workers=1, balance='policy = "round-robin"')
    met = "".join(who(daemon.once("GET", "/")) for _ in range(40))
    assert met.count("a") == 30
    assert "aaaa" not in met, f"weights come in lumps: {met}"


def test_a_replica_of_weight_zero_takes_nothing_new(life):
    a, b = life.some("a", "b")
    daemon = life.daemon([entry(a, weight=0), b], affinity=FREE)
    assert shares(daemon, 30) == {"b": 30}


def test_every_policy_reaches_every_replica(life):
    replicas = life.some("a", "b", "c")
    for policy in ("two-choices", "least-requests", "sessions", "round-robin", "random"):
        daemon = life.daemon(replicas, affinity=FREE, balance=f'policy = "{policy}"')
        met = set(shares(daemon, 90))
        # One that was slow a moment ago may have to wait until that is forgotten.
        wait_until(lambda: met.update(shares(daemon, 10)) or met == {"a", "b", "c"}, f"{policy} reaches all, not {met}", 40)
        daemon.stop()


def test_hash_sends_a_key_to_one_replica(life):
    daemon = life.daemon(life.some("a", "b", "c"), affinity=FREE, balance='policy = "hash:header:x-tenant"')
    homes = {}
    for _ in range(3):
        for tenant in range(30):
            home = who(daemon.once("GET", "/", [("X-Tenant", f"t{tenant}")]))
            assert homes.setdefault(tenant, home) == home
    assert set(homes.values()) == {"a", "b", "c"}


def test_a_backup_takes_requests_only_when_the_others_cannot(life):
    a, b = life.some("a", "b")
    daemon = life.daemon([a, entry(b, backup=True)], affinity=FREE)
    assert shares(daemon, 20) == {"a": 20}
    a.stop()
    assert shares(daemon, 10) == {"b": 10}


def test_max_requests_holds_and_the_queue_is_served_in_the_end(life):
    handle = Gate("/hold")
    a = life.replica("a", handle)
    daemon = life.daemon([a], affinity=FREE, workers=1, balance='max_requests = 2\nqueue_timeout = "60s"')
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(daemon.once("GET", "/hold"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: handle.running == 2, "two are being worked on")
    handle.open.set()
    for thread in threads:
        thread.join(seconds(PATIENCE))
    assert [r.status for r in answers] == [200] * 8
    assert handle.most == 2, f"{handle.most} at once"


def test_a_busy_replica_gets_less(life):
    handle = Gate("/hold")
    a, b = life.replica("a", handle), life.replica("b")
    daemon = life.daemon([a, b], affinity=FREE, workers=1, balance='policy = "least-requests"')
    threads = []
    for _ in range(20):
        thread = threading.Thread(target=lambda: daemon.once("GET", "/hold"))
        before = handle.running
        thread.start()
        wait_until(lambda: handle.running > before or not thread.is_alive(), "the request is held, or answered")
        threads.append(thread)
    assert handle.running <= 1, f"{handle.running} on the busy one, {b.count()} on the other"
    handle.open.set()
    for thread in threads:
        thread.join(seconds(PATIENCE))


def test_an_answer_that_might_be_had_better_elsewhere_is_kept_where_nobody_else_has_room(life):
    for queue in ("queue = 0", 'queue_timeout = "60s"'):
        gate = Gate("/hold")
        a = life.replica("a", lambda peer, _: peer.answer(503, b"it is a who says so"))
        b = life.replica("b", gate)
        daemon = life.daemon([a, b], affinity=FREE, workers=1, balance=f"{EVENLY}\nmax_requests = 1\n{queue}",
                             retry='attempts = 2\nbudget = 100\non = ["503"]',
                             health=QUIET_HEALTH + 'passive = { failures = 1000 }')
        held = Asking(lambda: daemon.once("GET", "/hold"))
        wait_until(lambda: gate.running == 1, "b is at work")
        response = daemon.once("GET", "/")
        assert (response.status, response.body) == (503, b"it is a who says so"), response
        gate.open.set()
        assert who(held.answer()) == "b"
        assert [who(daemon.once("GET", "/")) for _ in range(4)] == ["b"] * 4, "who has room is asked"
        daemon.stop()
