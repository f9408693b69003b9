# SPDX-License-Identifier: Apache-2.0
"""The affinity cookie: what it looks like, who sees it, which one counts."""

import base64
import os

from harness import config
from harness.affinity import OUTCOMES, SHOW, cookies, outcome, who
from harness.config import EVENLY
from harness.deadline import wait_until
from harness.life import shaped


def test_the_replica_does_not_see_the_cookie_and_sees_all_others(life):
    replicas = life.some("a", "b")
    daemon = life.daemon(replicas, affinity=SHOW)
    jar = daemon.jar()
    owner = who(jar.get())
    jar.cookies = {"first": "1", **jar.cookies, "last": "2"}
    assert who(jar.get()) == owner
    seen = next(r for r in replicas if r.id == owner).requests[-1]
    assert seen.get("Cookie") == "first=1; last=2", seen
    jar.cookies = {"limpet": jar.cookies["limpet"]}
    assert who(jar.get()) == owner
    seen = next(r for r in replicas if r.id == owner).requests[-1]
    assert not seen.has("Cookie"), seen


def test_strip_false_shows_the_cookie_to_the_replica(life):
    a = life.replica()
    daemon = life.daemon([a], affinity="strip = false")
    jar = daemon.jar()
    jar.get()
    jar.get()
    assert a.requests[-1].get("Cookie") == f"limpet={jar.cookies['limpet']}"


def test_the_cookie_is_careful_by_default(life):
    daemon = life.daemon([life.replica()])
    response = daemon.once("GET", "/")
    assert set(cookies(response)["limpet"]) == {"Path=/", "HttpOnly", "SameSite=Lax"}, response


def test_cookie_attributes_are_settings(life):
    daemon = life.daemon([life.replica()], affinity=(
        'cookie = { name = "stick", path = "/app", domain = "example.org", same_site = "strict", '
        'secure = true, http_only = false, max_age = "1h" }'))
    response = daemon.once("GET", "/app")
    assert set(cookies(response)["stick"]) == {"Path=/app", "Domain=example.org", "SameSite=Strict",
                                               "Secure", "Max-Age=3600"}, response


def test_a_prefixed_cookie_is_secure(life):
    daemon = life.daemon([life.replica()], affinity='cookie = { prefix = "__Host-", partitioned = true }')
    attributes = cookies(daemon.once("GET", "/"))["__Host-limpet"]
    assert {"Secure", "Path=/", "Partitioned"} <= set(attributes), attributes


def test_a_secure_client_behind_a_trusted_proxy_gets_a_secure_cookie(life):
    daemon = life.daemon([life.replica()], listener='trusted = ["127.0.0.0/8"]')
    response = daemon.once("GET", "/", [("X-Forwarded-Proto", "https")])
    assert "Secure" in cookies(response)["limpet"], response


def test_a_response_that_sets_the_cookie_is_kept_out_of_shared_caches(life):
    def cacheable(peer, _):
        peer.answer(200, b"x", [("X-Replica", peer.replica.id), ("Cache-Control", "public, max-age=600")])
    daemon = life.daemon([life.replica(handle=cacheable)])
    jar = daemon.jar()
    control = ", ".join(jar.get().all("Cache-Control"))
    assert "private" in control or "no-store" in control, control
    assert "public" not in control, control
    assert jar.get().get("Cache-Control") == "public, max-age=600"


def test_two_cookies_of_the_name_the_first_that_verifies_wins(life):
    daemon = life.daemon(life.some("a", "b", "c"), affinity=SHOW, balance=EVENLY)
    jars = {}
    for _ in range(12):
        jar = daemon.jar()
        jars.setdefault(who(jar.get()), jar.cookies["limpet"])
    for text, owner in ((f"limpet=garbage; limpet={jars['a']}; limpet={jars['b']}", "a"),
                        (f"limpet={jars['b']}; limpet={jars['a']}", "b"),
                        (f"limpet=; limpet={jars['c']}", "c")):
        response = daemon.once("GET", "/", [("Cookie", text)])
        assert outcome(response) == ("hit", "", owner), (text, response)


def test_a_forged_cookie_is_as_none(life):
    daemon = life.daemon(life.some("a", "b"), affinity=SHOW)
    jar = daemon.jar()
    jar.get()
    good = jar.cookies["limpet"]
    middle = len(good) // 2
    flipped = good[:middle] + ("A" if good[middle] != "A" else "B") + good[middle + 1:]
    for forged in (flipped, good[:-1], good + "A", "a", "x" * 5000, good.swapcase()):
        response = daemon.once("GET", "/", [("Cookie", f"limpet={forged}")])
        assert response.status == 200 and "limpet" in cookies(response), (forged, response)
        assert outcome(response)[:2] == ("moved", "invalid"), (forged, response)
    daemon.wait_metric(OUTCOMES, 6, cause="invalid")


def test_a_cookie_of_another_pool_is_foreign(life):
    a, b = life.some("a", "b")
    routes = '[[route]]\npath = "/"\npool = "web"\n[[route]]\npath = "/two"\npool = "two"\n'
    daemon = life.prepare(lambda place: config.whole(
        place, [config.pool("web", [a], affinity=SHOW), config.pool("two", [b], affinity=SHOW)],
        routes=routes)).start()
    jar = daemon.jar()
    jar.get("/")
    assert outcome(jar.get("/two"))[:2] == ("moved", "foreign")


def test_one_browser_keeps_its_sessions_in_all_pools_of_a_site(life):
    replicas = {name: life.some(*[f"{name}-{n}" for n in range(4)]) for name in ("web", "two", "mcp")}
    routes = "".join(f'[[route]]\npath = "{path}"\npool = "{name}"\n'
                     for path, name in (("/", "web"), ("/two", "two"), ("/mcp", "mcp")))
    pools = [config.pool(name, made, keys=f'preset = "{"mcp" if name == "mcp" else "web"}"', affinity=SHOW)
             for name, made in replicas.items()]
    daemon = life.prepare(lambda place: config.whole(place, pools, routes=routes)).start()
    jar = daemon.jar()
    homes = {path: who(jar.get(path)) for path in ("/", "/two", "/mcp/page")}
    for _ in range(5):
        for path, home in homes.items():
            response = jar.get(path)
            assert outcome(response) == ("hit", "", home), (path, response)
            assert not response.has("Set-Cookie"), response


def test_a_restart_keeps_sessions(life):
    daemon = life.daemon(life.some("a", "b", "c"), affinity=SHOW)
    jars = [daemon.jar() for _ in range(10)]
    homes = [who(jar.get()) for jar in jars]
    assert daemon.stop() == 0
    daemon.start()
    for jar, home in zip(jars, homes):
        jar.address = daemon.address
        assert outcome(jar.get()) == ("hit", "", home)


def test_two_processes_with_the_same_keys_agree(life):
    replicas = life.some("a", "b", "c")
    path = f"{life.dir}/shared.keys"
    with open(path, "w", encoding="ascii") as keys:
        keys.write(base64.b64encode(os.urandom(32)).decode() + "\n")
    os.chmod(path, 0o600)
    one, two = (life.daemon(replicas, affinity=SHOW, keys=f'file = "{path}"') for _ in range(2))
    for _ in range(10):
        jar = one.jar()
        home = who(jar.get())
        jar.address = two.address
        assert outcome(jar.get()) == ("hit", "", home)


def test_two_processes_with_different_keys_do_not(life):
    replicas = life.some("a", "b")
    one, two = (life.daemon(replicas, affinity=SHOW) for _ in range(2))
    jar = one.jar()
    jar.get()
    jar.address = two.address
    assert outcome(jar.get())[:2] == ("moved", "invalid")


def test_a_key_that_no_longer_seals_still_opens(life):
    replicas = life.some("a", "b")
    old, new = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    path = f"{life.dir}/rolling.keys"

    def write(*lines):
        with open(path, "w", encoding="ascii") as keys:
            keys.write("\n".join(lines) + "\n")
        os.chmod(path, 0o600)
    write(old)
    daemon = life.daemon(replicas, affinity=SHOW, keys=f'file = "{path}"')
    jar = daemon.jar()
    home = who(jar.get())
    write(new, old)
    daemon.reload()
    assert outcome(jar.get()) == ("hit", "", home)
    write(new)
    daemon.reload()
    assert outcome(jar.get())[1] == "invalid"


def test_the_key_made_at_first_start_belongs_to_its_owner_alone(life):
    daemon = life.daemon([life.replica()])
    key = daemon.place.state_dir / "affinity.keys"
    assert key.exists() and (key.stat().st_mode & 0o077) == 0


def test_the_app_may_end_its_sessions_affinity(life):
    def handle(peer, message):
        fields = [("X-Replica", peer.replica.id)]
        if message.target == "/logout":
            fields.append(("Limpet-Affinity", "end"))
        peer.answer(200, b"x", fields)
    daemon = life.daemon(life.some("a", "b", handle=handle), affinity=SHOW)
    jar = daemon.jar()
    jar.get()
    response = jar.get("/logout")
    assert "Max-Age=0" in cookies(response)["limpet"] and not response.has("Limpet-Affinity"), response


def test_an_idle_limit_renews_the_cookie_and_expires_it(life):
    replicas = life.some("a", "b")
    daemon = life.prepare(shaped(replicas, affinity=SHOW + 'idle = "1s"')).start()

    def renewed():
        """Jar, home and first cookie of a user who asks on and on; None where this test itself paused too long."""
        jar = daemon.jar()
        home = who(jar.get())
        first = jar.cookies["limpet"]
        while jar.cookies["limpet"] == first:
            if outcome(jar.get()) != ("hit", "", home):
                return None
        return jar, home, first
    jar, home, first = wait_until(renewed, "the cookie is renewed")
    assert who(jar.get()) in ("a", "b") and home in ("a", "b")
    # The abandoned cookie: asked with a copy, so that asking does not renew it.
    abandoned = [("Cookie", f"limpet={first}")]
    wait_until(lambda: outcome(daemon.once("GET", "/", abandoned))[1] == "expired",
               "an abandoned cookie expires")
