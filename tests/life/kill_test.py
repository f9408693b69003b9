# SPDX-License-Identifier: Apache-2.0
"""A replica dies under load: only its sessions move, each with an outcome, and nobody sees an error who need not."""

from harness.affinity import OUTCOMES, who
from harness.config import EVENLY, QUIET_HEALTH
from harness.deadline import wait_until
from harness.load import Load


def test_only_the_sessions_of_a_killed_replica_move_each_with_an_outcome_in_the_log(life):
    replicas = life.some("a", "b", "c")
    daemon = life.daemon(replicas, workers=2, balance=EVENLY,
                         retry='attempts = 3\nbudget = 100\non = ["connect", "unsent", "idempotent"]')
    with Load(daemon, users=12) as load:
        wait_until(lambda: all(len(answers) >= 5 for answers in load.answers), "everybody is settled", 40)
        homes = [answers[0] for answers in load.answers]
        assert set(homes) == {"a", "b", "c"}, homes
        replicas[0].stop()
        marks = [len(answers) for answers in load.answers]
        wait_until(lambda: all(len(answers) > mark + 5 for answers, mark in zip(load.answers, marks)),
                   "everybody goes on", 40)
    assert not load.failures, load.failures[:5]
    victims = 0
    for home, answers in zip(homes, load.answers):
        if home == "a":
            victims += 1
            after = answers[answers.index(next(x for x in answers if x != "a")):]
            assert len(set(after)) == 1 and after[0] != "a", after
        else:
            assert set(answers) == {home}, "a session of a living replica moved"
    moved = wait_until(lambda: daemon.metrics().sum(OUTCOMES, outcome="moved"), "moves are counted")
    assert moved >= victims

    def moves():
        return [line for line in daemon.log() if "moved" in line.values()]
    wait_until(lambda: len(moves()) >= moved, f"{moved} moves in the log")
    lines = moves()
    assert len(lines) == moved, (len(lines), moved)
    assert all("gone" in line.values() or "down" in line.values() for line in lines), lines[:3]


def test_a_thousand_requests_with_a_jar_over_fresh_connections_meet_one_replica(life):
    daemon = life.daemon(life.some("a", "b", "c"), workers=4)
    jar = daemon.jar()
    home = who(jar.get())
    for _ in range(1000):
        assert who(jar.get()) == home


def test_requests_that_nobody_answered_are_sent_elsewhere(life):
    replicas = life.some("a", "b")
    daemon = life.daemon(replicas, affinity="from = []", retry="attempts = 3\nbudget = 100",
                         health=QUIET_HEALTH + "passive = { failures = 1000 }")
    with Load(daemon, users=6) as load:
        wait_until(lambda: load.total() > 50, "traffic")
        for turn in range(4):
            replica = replicas[turn % 2]
            replica.stop()
            before = load.total()
            wait_until(lambda: load.total() > before + 30, "traffic goes on without it")
            replica.start()
            wait_until(lambda: load.total() > before + 60, "traffic goes on with it")
    # A request that was being answered when its replica died may fail; one that met a closed door may not.
    assert len(load.failures) <= 6 * 4, load.failures[:5]
    daemon.wait_metric("limpet_retries_total", 1)
