# SPDX-License-Identifier: Apache-2.0
"""What is known of replicas goes on over a restart of the daemon."""

from harness.affinity import SHOW, outcome, who
from harness.config import EVENLY, entry
from harness.control import succeed
from harness.deadline import wait_until
from harness.life import shaped
from harness.replica import say_who


def again(daemon):
    assert daemon.stop() == 0
    return daemon.start()


def test_a_state_set_by_hand_survives_a_restart_until_the_file_says_another_one(life):
    a, b, c = life.some("a", "b", "c")
    daemon = life.daemon([a, b, c], balance=EVENLY)
    succeed(daemon, "replica", "drain", "a")
    succeed(daemon, "replica", "down", "b")
    again(daemon)
    assert {who(daemon.once("GET", "/")) for _ in range(10)} == {"c"}
    assert "still is pool=web replica=a state=drain" in daemon.errors(), daemon.errors()
    succeed(daemon, "replica", "ready", "b")
    again(daemon)
    assert {who(daemon.once("GET", "/")) for _ in range(10)} == {"b", "c"}
    daemon.make_config = shaped([a, entry(b, state="drain"), c], balance=EVENLY)
    again(daemon)
    assert {who(daemon.once("GET", "/")) for _ in range(10)} == {"c"}


def test_a_state_set_by_hand_survives_a_kill(life):
    a, b = life.some("a", "b")
    daemon = life.daemon([a, b], balance=EVENLY)
    succeed(daemon, "replica", "drain", "a")
    kept = daemon.place.state_dir / "replicas.state"
    wait_until(lambda: kept.exists() and " ready drain " in kept.read_text(), "it is written down")
    daemon.kill()
    daemon.start()
    assert {who(daemon.once("GET", "/")) for _ in range(10)} == {"b"}


def test_a_session_of_an_earlier_life_of_its_replica_is_gone_after_a_restart_too(life):
    replicas = life.some("a", "b")
    daemon = life.daemon(replicas, affinity=SHOW + 'incarnation = "strict"')
    jar = daemon.jar()
    owner = next(r for r in replicas if r.id == who(jar.get()))
    old = dict(jar.cookies)
    owner.stop()
    assert outcome(jar.get())[:2] == ("moved", "gone")
    owner.start()
    again(daemon)
    jar = daemon.jar()
    jar.cookies = old
    assert outcome(jar.get())[:2] == ("moved", "gone")


def test_a_replica_that_failed_its_probes_has_to_prove_itself_after_a_restart_too(life):
    sick = {"a"}

    def serve(peer, request):
        if request.target == "/healthz":
            return peer.answer(500 if peer.replica.id in sick else 200)
        say_who(peer, request)
    a, b = life.some("a", "b", handle=serve)
    probes = 'active = { interval = "200ms", rise = 2, fall = 1 }\n'
    daemon = life.daemon([a, b], health=probes, balance=EVENLY)
    wait_until(lambda: "replica is down pool=web replica=a" in daemon.errors(), "a is down")
    sick.clear()  # it is well again when the next process asks for the first time
    again(daemon)
    assert "it failed its probes when limpet ended" in daemon.errors(), daemon.errors()
    daemon.wait_metric("limpet_replica_up", 1, replica="a")
    assert 'replica is up pool=web replica=a why="2 good probes in a row"' in daemon.errors(), daemon.errors()


def test_live_sessions_are_still_counted_after_a_restart(life):
    a, b = life.some("a", "b")
    daemon = life.daemon([a, b], balance=EVENLY)
    for _ in range(6):
        daemon.jar().get()
    before = [daemon.metrics().sum("limpet_replica_sessions", replica=r.id) for r in (a, b)]
    assert sum(before) == 6 and min(before) > 0, before  # by turns in each worker
    again(daemon)
    assert [daemon.metrics().sum("limpet_replica_sessions", replica=r.id) for r in (a, b)] == before


def test_a_file_of_states_that_is_garbled_is_said_and_keeps_nobody_from_starting(life):
    a = life.replica("a")
    daemon = life.prepare(shaped([a]))
    kept = daemon.place.state_dir / "replicas.state"
    kept.write_bytes(b"limpet replicas 1 5\nweb a\xff\n")
    daemon.start()
    assert who(daemon.once("GET", "/")) == "a"
    assert "replicas.state" in daemon.errors() and "line 2" in daemon.errors(), daemon.errors()
    again(daemon)
    assert kept.read_text().startswith("limpet replicas 1 ")
