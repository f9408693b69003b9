# SPDX-License-Identifier: Apache-2.0
"""Which replicas take requests: probes, failures of live traffic, retries and their budget."""

import threading
import time

from harness.affinity import who
from harness.config import EVENLY
from harness.deadline import stays, wait_until
from harness.replica import say_who

FREE = "from = []"
QUICK = ('active = { type = "http", path = "/healthz", interval = "100ms", timeout = "5s", rise = 2, fall = 2, '
         'jitter = 0 }\n')
NO_PROBES = 'active = { type = "off" }\ninitial = "up"\n'
UP = "limpet_replica_up"


class Moody:
    """Answers /healthz as it feels."""

    def __init__(self):
        self.status = 200

    def __call__(self, peer, request):
        if request.target == "/healthz":
            return peer.answer(self.status, b"")
        say_who(peer, request)


def knows(daemon, replica, up):
    wait_until(lambda: daemon.metrics().sum(UP, replica=replica) == up, f"{replica} is known as {up}")


def met(daemon, count=20):
    return {who(daemon.once("GET", "/")) for _ in range(count)}


def test_a_replica_that_fails_its_probes_leaves_and_comes_back(life):
    mood = Moody()
    a, b = life.replica("a", mood), life.replica("b", Moody())
    daemon = life.daemon([a, b], affinity=FREE, health=QUICK, balance=EVENLY)
    knows(daemon, "a", 1)
    knows(daemon, "b", 1)
    assert met(daemon) == {"a", "b"}
    mood.status = 500
    knows(daemon, "a", 0)
    assert met(daemon) == {"b"}
    mood.status = 204
    knows(daemon, "a", 1)
    wait_until(lambda: met(daemon) == {"a", "b"}, "a takes requests again")
    assert daemon.metrics().sum("limpet_health_checks_total", replica="a", result="failure") >= 2


def test_a_replica_that_is_not_there_is_found_out_by_tcp_probes_and_comes_back(life):
    a, b = life.some("a", "b")
    daemon = life.daemon([a, b], affinity=FREE, health=QUICK.replace('"http", path = "/healthz"', '"tcp"'))
    knows(daemon, "a", 1)
    a.stop()
    knows(daemon, "a", 0)
    a.start()
    knows(daemon, "a", 1)


def test_one_prober_serves_all_workers(life):
    """Twenty probes of one prober take two seconds; those of four would take half a second."""
    a = life.replica("a", Moody())
    daemon = life.daemon([a], health=QUICK, workers=4)
    knows(daemon, "a", 1)

    def takes_its_time():
        before, began = a.count("/healthz"), time.monotonic()
        wait_until(lambda: a.count("/healthz") >= before + 20, "twenty probes", 40)
        return time.monotonic() - began > 1
    # Where this machine paused, probes that were late may have come all at once.
    assert any(takes_its_time() for _ in range(3)), "each worker probes by itself"
    counted, came = daemon.metrics().sum("limpet_health_checks_total"), a.count("/healthz")
    assert 20 <= counted <= came + 1, (counted, came)


def test_probe_first_sends_nobody_to_a_replica_that_was_never_seen_well(life):
    mood = Moody()
    mood.status = 503
    a, b = life.replica("a", mood), life.replica("b", Moody())
    daemon = life.daemon([a, b], affinity=FREE, health=QUICK + 'initial = "probe-first"',
                         balance="panic_threshold = 0")
    knows(daemon, "b", 1)
    assert met(daemon) == {"b"}
    assert a.count("/") == 0


def test_failures_of_live_traffic_eject_a_replica_for_a_while(life):
    def broken(peer, _):
        peer.close()
    a, b = life.replica("a", broken), life.replica("b")
    daemon = life.daemon([a, b], affinity=FREE, workers=1, balance='policy = "round-robin"',
                         health=NO_PROBES + 'passive = { failures = 3, window = "10s", eject = "500ms", '
                                            'max_ejected = 50 }')
    for _ in range(12):
        daemon.once("GET", "/")
    daemon.wait_metric("limpet_replica_ejections_total", 1, replica="a")
    a.handle = say_who
    before = a.count()
    for _ in range(6):
        if daemon.metrics().sum(UP, replica="a") == 1:
            break  # the ejection was over sooner than this test is quick
        daemon.once("GET", "/")
        assert a.count() <= before + 1
    wait_until(lambda: who(daemon.once("GET", "/")) == "a", "a is taken back")


def test_ejection_never_takes_more_than_its_share(life):
    def broken(peer, _):
        peer.close()
    replicas = [life.replica(id, broken) for id in "abcd"]
    daemon = life.daemon(replicas, affinity=FREE, workers=1, retry="attempts = 1",
                         health=NO_PROBES + 'passive = { failures = 2, window = "60s", eject = "60s", '
                                            'max_ejected = 50 }')
    for _ in range(60):
        daemon.once("GET", "/")
    daemon.wait_metric("limpet_replica_ejections_total", 2)
    assert daemon.metrics().sum("limpet_replica_ejections_total") <= 2, daemon.metrics().text


def test_when_too_few_are_well_all_are_asked(life):
    moods = [Moody() for _ in range(4)]
    replicas = [life.replica(id, mood) for id, mood in zip("abcd", moods)]
    daemon = life.daemon(replicas, affinity=FREE, health=QUICK + 'initial = "up"', balance=EVENLY + "\npanic_threshold = 60")
    for mood in moods[:2]:
        mood.status = 500
    knows(daemon, "a", 0)
    knows(daemon, "b", 0)
    wait_until(lambda: met(daemon, 60) == set("abcd"), "half are down, fewer than 60 percent: all are asked")


def test_without_panic_only_the_well_are_asked(life):
    moods = [Moody() for _ in range(4)]
    replicas = [life.replica(id, mood) for id, mood in zip("abcd", moods)]
    daemon = life.daemon(replicas, affinity=FREE, health=QUICK + 'initial = "up"', balance="panic_threshold = 0")
    for mood in moods[:3]:
        mood.status = 500
    for id in "abc":
        knows(daemon, id, 0)
    assert met(daemon) == {"d"}


def test_a_retry_goes_elsewhere_and_never_to_the_same_replica(life):
    lock, tries = threading.Lock(), {}

    def fails_once(peer, request):
        with lock:
            tries.setdefault(request.target, []).append(peer.replica.id)
            first = len(tries[request.target]) == 1
        if first:
            return peer.answer(503, b"not me")
        say_who(peer, request)
    replicas = life.some("a", "b", "c", handle=fails_once)
    daemon = life.daemon(replicas, affinity=FREE, health=NO_PROBES + "passive = { failures = 1000 }",
                         retry='attempts = 3\nbudget = 100\non = ["connect", "503"]')
    for number in range(20):
        assert daemon.once("GET", f"/{number}").status == 200
    assert all(len(ids) == 2 and len(set(ids)) == 2 for ids in tries.values()), tries
    daemon.wait_metric("limpet_retries_total", 20, result="success")
    assert daemon.metrics().sum("limpet_retries_total", result="success") == 20


def test_a_post_that_reached_a_replica_is_not_tried_again(life):
    def broken(peer, _):
        peer.close()
    replicas = life.some("a", "b", handle=broken)
    daemon = life.daemon(replicas, affinity=FREE, health=NO_PROBES + "passive = { failures = 1000 }",
                         retry='attempts = 3\non = ["connect", "unsent", "idempotent"]')
    for number in range(5):
        assert daemon.once("POST", f"/{number}", body=b"pay").status == 502
    targets = sum((r.targets() for r in replicas), [])
    assert sorted(targets) == [f"/{n}" for n in range(5)], targets


def test_retries_stop_at_the_budget(life):
    def refuse(peer, _):
        peer.answer(503, b"no")
    replicas = life.some("a", "b", "c", handle=refuse)
    daemon = life.daemon(replicas, affinity=FREE, workers=1, health=NO_PROBES + "passive = { failures = 1000 }",
                         retry='attempts = 3\nbudget = 0\non = ["503"]')
    threads = [threading.Thread(target=lambda: [daemon.once("GET", "/") for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = sum(r.count() for r in replicas)
    assert 80 <= asked < 240, f"{asked} attempts for 80 requests: nothing held them back"
    daemon.wait_metric("limpet_retry_budget_exhausted_total", 1)


def test_a_replica_set_down_by_hand_takes_nothing_and_a_drained_one_keeps_its_sessions(life):
    from harness.control import succeed
    daemon = life.daemon(life.some("a", "b"), balance=EVENLY)
    jars = [daemon.jar() for _ in range(20)]
    homes = [who(jar.get()) for jar in jars]
    assert set(homes) == {"a", "b"}
    succeed(daemon, "replica", "drain", "a")
    assert [who(jar.get()) for jar in jars] == homes
    assert met(daemon) == {"b"}
    succeed(daemon, "replica", "down", "a")
    assert {who(jar.get()) for jar in jars} == {"b"}
    succeed(daemon, "replica", "ready", "a")
    wait_until(lambda: met(daemon) == {"a", "b"}, "a takes requests again")


def test_probes_of_a_replica_that_left_the_configuration_end(life):
    from harness.life import shaped
    a, b = life.replica("a", Moody()), life.replica("b", Moody())
    daemon = life.prepare(shaped([a, b], health=QUICK)).start()
    a.wait_for_requests(3)
    daemon.reload(shaped([b], health=QUICK))

    def quiet():
        before = a.count()
        try:
            stays(lambda: a.count() == before, "quiet", 0.5)
            return True
        except AssertionError:
            return False
    wait_until(quiet, "nobody probes a any more", 40)
