# SPDX-License-Identifier: Apache-2.0
"""What happens to a session whose replica cannot take it: policies by cause."""

import select
import threading

from harness.affinity import OUTCOMES, SHOW, outcome, who
from harness.client import request
from harness.config import EVENLY, entry
from harness.deadline import PATIENCE, seconds, wait_until
from harness.gate import Gate
from harness.life import shaped


def owner_of(jar, replicas):
    home = who(jar.get())
    return next(r for r in replicas if r.id == home)


def test_on_gone_refuse_says_so_once_and_lets_the_client_begin_anew(life):
    replicas = life.some("a", "b")
    daemon = life.daemon(replicas, affinity=SHOW + 'on_gone = "refuse:503"')
    jar = daemon.jar()
    owner = owner_of(jar, replicas)
    kept = [("Cookie", f"limpet={jar.cookies['limpet']}")]
    owner.stop()
    response = jar.get()
    assert response.status == 503 and outcome(response)[:2] == ("refused", "gone"), response
    assert jar.cookies == {}, "the cookie of a session that is lost is taken back"
    response = jar.get()
    assert outcome(response)[0] == "new" and who(response) != owner.id, response
    # Who presents the old cookie all the same is told the same again.
    assert daemon.once("GET", "/", kept).status == 503


def test_preset_strict_refuses_when_the_replica_is_down(life):
    replicas = life.some("a", "b")
    daemon = life.daemon(replicas, pool_keys='preset = "strict"', affinity=SHOW)
    jar = daemon.jar()
    owner_of(jar, replicas).stop()
    assert jar.get().status == 503
    daemon.wait_metric(OUTCOMES, 1, outcome="refused")


def test_on_down_waits_for_a_replica_that_comes_back(life):
    replicas = life.some("a", "b")
    health = ('active = { type = "http", path = "/healthz", interval = "100ms", timeout = "5s", rise = 1, '
              'fall = 1, jitter = 0 }\ninitial = "up"\n')
    daemon = life.daemon(replicas, health=health, balance='panic_threshold = 0',
                         affinity=SHOW + 'on_down = "wait:60s then refuse:503"\non_gone = "refuse:503"')
    jar = daemon.jar()
    owner = owner_of(jar, replicas)
    owner.stop()
    wait_until(lambda: daemon.metrics().sum("limpet_replica_up", replica=owner.id) == 0, "it is known to be down")
    answers = []
    asker = threading.Thread(target=lambda: answers.append(jar.get("/waiting")))
    asker.start()
    wait_until(lambda: daemon.metrics().sum("limpet_replica_queue", replica=owner.id) == 1, "the request waits")
    assert answers == []
    owner.start()
    asker.join(seconds(PATIENCE))
    assert outcome(answers[0]) == ("waited", "down", owner.id), answers


def hold(jar, replica):
    """Begins a request that stays in flight at its replica."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(jar.get("/hold")))
    before = replica.count("/hold")
    thread.start()
    wait_until(lambda: replica.count("/hold") > before, "the request is held")
    return thread, answers


def test_a_full_replica_is_waited_for(life):
    handle = Gate("/hold")
    replicas = life.some("a", "b", handle=handle)
    daemon = life.daemon(replicas, balance="max_requests = 1", affinity=SHOW + 'on_full = "wait:60s then move"')
    jar = daemon.jar()
    owner = owner_of(jar, replicas)
    first, _ = hold(jar, owner)
    answers = []
    second = threading.Thread(target=lambda: answers.append(jar.get("/second")))
    second.start()
    wait_until(lambda: daemon.metrics().sum("limpet_replica_queue", replica=owner.id) == 1, "it waits")
    handle.open.set()
    first.join()
    second.join(seconds(PATIENCE))
    assert outcome(answers[0]) == ("waited", "full", owner.id), answers


def test_after_the_wait_a_session_moves_from_a_full_replica(life):
    handle = Gate("/hold")
    replicas = life.some("a", "b", handle=handle)
    daemon = life.daemon(replicas, balance="max_requests = 1", affinity=SHOW + 'on_full = "wait:200ms then move"')
    jar = daemon.jar()
    owner = owner_of(jar, replicas)
    first, _ = hold(jar, owner)
    response = jar.get("/second")
    assert outcome(response)[:2] == ("moved", "full") and who(response) != owner.id, response
    handle.open.set()
    first.join()


def test_a_session_that_moves_after_its_wait_queues_where_all_are_full(life):
    handle = Gate("/hold")
    replicas = life.some("a", "b", handle=handle)
    daemon = life.daemon(replicas, workers=1, balance='max_requests = 1\nqueue_timeout = "60s"',
                         affinity=SHOW + 'on_full = "wait:3s then move"')
    jar = daemon.jar()
    owner = owner_of(jar, replicas)
    other = next(r for r in replicas if r is not owner)
    first, _ = hold(jar, owner)
    second, _ = hold(daemon.jar(), other)
    answers = []
    third = threading.Thread(target=lambda: answers.append(jar.get("/third")))
    third.start()
    for waiting, what in ((1, "it waits for its own replica"), (0, "that wait is over")):
        wait_until(lambda: daemon.metrics().sum("limpet_replica_queue", replica=owner.id) == waiting, what)
    assert answers == [], answers
    handle.open.set()
    for thread in (first, second, third):
        thread.join(seconds(PATIENCE))
    assert answers[0].status == 200, answers


def test_on_full_may_refuse(life):
    handle = Gate("/hold")
    replicas = life.some("a", "b", handle=handle)
    daemon = life.daemon(replicas, balance="max_requests = 1", affinity=SHOW + 'on_full = "refuse:503"')
    jar = daemon.jar()
    first, _ = hold(jar, owner_of(jar, replicas))
    response = jar.get("/second")
    assert response.status == 503 and outcome(response)[:2] == ("refused", "full"), response
    handle.open.set()
    first.join()


def test_a_request_that_waits_longer_than_queue_timeout_gets_503(life):
    handle = Gate("/hold")
    a = life.replica("a", handle)
    daemon = life.daemon([a], balance='max_requests = 1\nqueue_timeout = "300ms"')
    first, _ = hold(daemon.jar(), a)
    assert daemon.once("GET", "/second").status == 503
    handle.open.set()
    first.join()
    assert daemon.once("GET", "/third").status == 200


def test_a_queue_that_is_full_refuses_at_once(life):
    handle = Gate("/hold")
    a = life.replica("a", handle)
    daemon = life.daemon([a], workers=1, balance='max_requests = 1\nqueue = 1\nqueue_timeout = "60s"')
    first, _ = hold(daemon.jar(), a)
    clients = [daemon.client() for _ in range(5)]
    for client in clients:
        client.send(request("GET", "/"))
    wait_until(lambda: len(ready(clients)) == 4, "four of five are answered at once")
    handle.open.set()
    first.join()
    assert sorted(client.response().status for client in clients) == [200, 503, 503, 503, 503]


def ready(clients):
    return select.select([client.socket for client in clients], [], [], 0)[0]


def test_a_drained_replica_keeps_its_sessions_and_takes_no_new_ones(life):
    a, b = life.some("a", "b")
    daemon = life.prepare(shaped([a, b], affinity=SHOW, balance=EVENLY)).start()
    jars = [daemon.jar() for _ in range(20)]
    homes = [who(jar.get()) for jar in jars]
    assert set(homes) == {"a", "b"}
    daemon.reload(shaped([entry(a, state="drain"), b], affinity=SHOW, balance=EVENLY))
    assert [who(jar.get()) for jar in jars] == homes
    assert {who(daemon.once("GET", "/")) for _ in range(20)} == {"b"}


def test_on_draining_move_moves_sessions_off(life):
    a, b = life.some("a", "b")
    moving = SHOW + 'on_draining = "move"'
    daemon = life.prepare(shaped([a, b], affinity=moving, balance=EVENLY)).start()
    jars = [daemon.jar() for _ in range(20)]
    homes = [who(jar.get()) for jar in jars]
    assert set(homes) == {"a", "b"}
    daemon.reload(shaped([entry(a, state="drain"), b], affinity=moving, balance=EVENLY))
    for jar, home in zip(jars, homes):
        response = jar.get()
        assert who(response) == "b"
        assert outcome(response)[:2] == (("moved", "draining") if home == "a" else ("hit", ""))


def test_a_restarted_replica_is_gone_for_a_strict_pool_and_itself_for_a_lenient_one(life):
    for incarnation, expected in (("strict", ("moved", "gone")), ("ignore", ("hit", ""))):
        replicas = life.some("a", "b")
        daemon = life.daemon(replicas, affinity=SHOW + f'incarnation = "{incarnation}"', balance=EVENLY)
        jar, other = daemon.jar(), daemon.jar()
        owner = owner_of(jar, replicas)
        while who(other.get()) != owner.id:
            other = daemon.jar()
        owner.stop()
        assert outcome(other.get())[:2] == ("moved", "gone"), "somebody sees it dead"
        owner.start()
        assert outcome(jar.get())[:2] == expected, incarnation
