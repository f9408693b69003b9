# SPDX-License-Identifier: Apache-2.0
"""What a managed sticky-session ingress does, row by row, and what it leaves to be wished for."""

from harness.affinity import OUTCOMES, SHOW, cookies, outcome, who
from harness.config import EVENLY, entry
from harness.deadline import wait_until
from harness.life import shaped


def test_first_request_goes_to_any_available_replica_and_gets_a_cookie(life):
    replicas = life.some("a", "b", "c")
    daemon = life.daemon(replicas, affinity=SHOW, balance=EVENLY)
    met = set()
    for _ in range(40):
        response = daemon.once("GET", "/")
        assert outcome(response)[0] == "new" and "limpet" in cookies(response), response
        met.add(who(response))
    assert met == {"a", "b", "c"}, met


def test_the_cookie_leads_back(life):
    replicas = life.some("a", "b", "c")
    daemon = life.daemon(replicas, affinity=SHOW, workers=4)
    for _ in range(10):
        jar = daemon.jar()
        first = who(jar.get())
        for _ in range(20):  # each over a connection of its own, to whichever worker the kernel picks
            response = jar.get()
            assert who(response) == first
            assert outcome(response) == ("hit", "", first), response


def test_a_second_response_sets_no_cookie(life):
    daemon = life.daemon(life.some("a", "b"), affinity=SHOW)
    jar = daemon.jar()
    assert jar.get().has("Set-Cookie")
    for _ in range(5):
        assert not jar.get().has("Set-Cookie")


def test_replica_gone_new_replica_new_cookie_and_the_loss_is_stated_in_log_and_metrics(life):
    replicas = life.some("a", "b", "c")
    daemon = life.daemon(replicas, affinity=SHOW)
    jar = daemon.jar()
    owner = who(jar.get())
    old = jar.cookies["limpet"]
    next(r for r in replicas if r.id == owner).stop()
    response = jar.get("/after")
    assert who(response) != owner
    assert outcome(response) == ("moved", "gone", who(response)), response
    assert jar.cookies["limpet"] != old
    assert who(jar.get()) == who(response), "the new cookie leads to the new replica"
    daemon.wait_metric(OUTCOMES, 1, pool="web", outcome="moved", cause="gone")
    line = daemon.wait_log(lambda e: "/after" in str(e))
    assert "moved" in line.values() and "gone" in line.values(), line


def test_affinity_is_on_by_default_and_from_empty_turns_it_off(life):
    replicas = life.some("a", "b")
    sticky = life.daemon(replicas)
    jar = sticky.jar()
    assert len({who(jar.get()) for _ in range(20)}) == 1
    free = life.daemon(replicas, affinity="from = []", balance=EVENLY)
    jar = free.jar()
    answers = [jar.get() for _ in range(40)]
    assert {who(answer) for answer in answers} == {"a", "b"}
    assert not any(answer.has("Set-Cookie") for answer in answers)


def test_preset_azure_sets_both_cookies_and_either_world_can_read_them(life):
    replicas = life.some("a", "b", "c")
    daemon = life.daemon(replicas, pool_keys='preset = "azure"', affinity=SHOW)
    jar = daemon.jar()
    first = jar.get()
    found = cookies(first)
    assert set(found) == {"ARRAffinity", "ARRAffinitySameSite"}, first
    assert "SameSite=None" in found["ARRAffinitySameSite"] and "Secure" in found["ARRAffinitySameSite"]
    assert {who(jar.get()) for _ in range(20)} == {who(first)}


def test_preset_azure_obeys_the_app_that_declines_affinity(life):
    def decline(peer, _):
        peer.answer(200, b"x", [("X-Replica", peer.replica.id), ("Arr-Disable-Session-Affinity", "true")])
    daemon = life.daemon(life.some("a", "b", handle=decline), pool_keys='preset = "azure"')
    response = daemon.once("GET", "/")
    assert not response.has("Set-Cookie") and not response.has("Arr-Disable-Session-Affinity"), response


def revisions(a, b, shares):
    replicas = [entry(a, revision="v1"), entry(b, revision="v2")]
    return shaped(replicas, pool_keys=f'preset = "web"\nrevisions = {shares}')


def test_revisions_weights_for_new_sessions_old_ones_stay(life):
    a, b = life.some("a", "b")
    daemon = life.prepare(revisions(a, b, '{ "v1" = 100, "v2" = 0 }')).start()
    old = [daemon.jar() for _ in range(10)]
    assert {who(jar.get()) for jar in old} == {"a"}
    daemon.reload(revisions(a, b, '{ "v1" = 0, "v2" = 100 }'))
    assert {who(jar.get()) for jar in old} == {"a"}, "old sessions stay on their revision"
    assert {who(daemon.once("GET", "/")) for _ in range(20)} == {"b"}
    daemon.reload(revisions(a, b, '{ "v1" = 50, "v2" = 50 }'))
    met = [who(daemon.once("GET", "/")) for _ in range(200)]
    assert 50 < met.count("a") < 150, met.count("a")


def scale(life, daemon, ten, change_to):
    """From two replicas to ten and back; `change_to(replicas)` tells the daemon and returns when it knows."""
    two = ten[:2]
    settled = [daemon.jar() for _ in range(6)]
    homes = [who(jar.get()) for jar in settled]
    assert set(homes) == {"r0", "r1"}

    change_to(ten)
    assert [who(jar.get()) for jar in settled] == homes, "scaling out moves nobody"
    grown = [daemon.jar() for _ in range(40)]
    assert {who(jar.get()) for jar in grown} == {r.id for r in ten}, "new replicas take new sessions"

    change_to(two)
    assert [who(jar.get()) for jar in settled] == homes, "scaling in moves nobody who can stay"
    for _ in range(20):
        assert who(daemon.once("GET", "/")) in ("r0", "r1"), "a leaving replica takes no new session"
    for jar in grown:
        home = who(jar.get())
        assert who(jar.get()) == home
    leaving = [r for r in ten[2:]]
    for replica in leaving:  # now they really end: their sessions move to those that stay
        replica.stop()
    for jar in grown:
        assert who(jar.get()) in ("r0", "r1")


def test_scaling_from_2_to_10_replicas_and_back_by_reload(life):
    ten = life.some(*[f"r{n}" for n in range(10)])
    daemon = life.prepare(shaped(ten[:2], balance=EVENLY)).start()
    scale(life, daemon, ten, lambda replicas: daemon.reload(shaped(replicas, balance=EVENLY)))


def test_scaling_from_2_to_10_replicas_and_back_by_a_watched_file(life):
    ten = life.some(*[f"r{n}" for n in range(10)])
    place = life.place()
    path = place.dir / "replicas.txt"

    def write(replicas):
        fresh = path.with_suffix(".new")
        fresh.write_text("# one replica a line\n" + "".join(f"{r.id} {r.address}\n" for r in replicas))
        fresh.replace(path)

    write(ten[:2])
    daemon = life.prepare(shaped([], discovery=f'type = "file"\npath = "{path}"', balance=EVENLY), place).start()

    def change_to(replicas):
        write(replicas)
        wanted = {r.id for r in replicas}

        def known():  # the replicas that new sessions go to
            return {who(daemon.once("GET", "/")) for _ in range(20)} == wanted
        wait_until(known, f"the daemon follows the file to {len(wanted)} replicas")
    scale(life, daemon, ten, change_to)


def test_a_watched_file_with_mistakes_changes_nothing(life):
    a, b = life.some("a", "b")
    place = life.place()
    path = place.dir / "replicas.txt"
    path.write_text(f"a {a.address}\nb {b.address}\n")
    daemon = life.prepare(shaped([], discovery=f'type = "file"\npath = "{path}"', balance=EVENLY), place).start()
    fresh = path.with_suffix(".new")
    fresh.write_text(f"a {a.address}\nb nonsense\n")
    fresh.replace(path)
    wait_until(lambda: "nonsense" in daemon.errors() or "replicas.txt:2" in daemon.errors(),
               "the mistake is in the log")
    assert {who(daemon.once("GET", "/")) for _ in range(10)} == {"a", "b"}
