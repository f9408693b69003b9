# SPDX-License-Identifier: Apache-2.0
"""limpetctl over the control socket: each verb says what it did, and why not."""

import os
import stat
import subprocess
import threading

from harness.affinity import McpClient, McpReplica, SHOW, cookies, who
from harness.client import Client, request
from harness.config import EVENLY
from harness.control import LIMPETCTL, limpetctl, raw, succeed
from harness.deadline import seconds, stays, wait_until
from harness.life import shaped


def test_status_pools_and_replicas_show_what_is_there(life):
    daemon = life.daemon(life.some("alpha", "beta"))
    daemon.once("GET", "/")
    assert "ready" in succeed(daemon, "status")
    assert "web" in succeed(daemon, "pools")
    shown = succeed(daemon, "replicas")
    for replica in life.replicas:
        assert replica.id in shown and replica.address in shown, shown


def test_replica_drain_down_and_ready_take_effect_and_are_shown(life):
    daemon = life.daemon(life.some("a", "b"), balance=EVENLY)
    jar = daemon.jar()
    wait_until(lambda: who(jar.get()) == "a" or jar.cookies.clear(), "a session on a")
    for verb, newcomers, old_session in (("drain", {"b"}, "a"), ("down", {"b"}, "b"), ("ready", {"a", "b"}, "b")):
        succeed(daemon, "replica", verb, "a")
        line = next(line for line in succeed(daemon, "replicas").splitlines() if " a " in f" {line} ")
        shown = {word for word in ("drain", "down") if word in line}
        assert shown == {verb} - {"ready"}, (verb, line)
        assert {who(daemon.once("GET", "/")) for _ in range(20)} == newcomers, verb
        assert who(jar.get()) == old_session, verb


def holding(go):
    """A handler that answers when `go` is set."""
    def handle(peer, _):
        assert go.wait(seconds(60))
        peer.answer(200, b"at last")
    return handle


def begun(daemon, replica):
    client = daemon.client()
    client.send(request("GET", "/"))
    replica.wait_for_requests(1)
    return client


def test_drain_wait_returns_when_the_last_exchange_is_over(life):
    go = threading.Event()
    a = life.replica("a", holding(go))
    daemon = life.daemon([a], affinity="from = []")
    client = begun(daemon, a)
    waiting = subprocess.Popen([LIMPETCTL, "--socket", daemon.place.socket, "replica", "drain", "a", "--wait", "60s"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until(lambda: "drain" in succeed(daemon, "replicas"), "it drains")
    stays(lambda: waiting.poll() is None, "it waits for the exchange")
    go.set()
    assert client.response().body == b"at last"
    said, _ = waiting.communicate(timeout=seconds(60))
    assert waiting.returncode == 0 and "a" in said, said
    assert succeed(daemon, "replica", "drain", "a", "--wait", "60s"), "with nothing left it does not wait"


def test_drain_wait_gives_up_in_time_and_says_what_is_left(life):
    go = threading.Event()
    a = life.replica("a", holding(go))
    daemon = life.daemon([a], affinity="from = []")
    client = begun(daemon, a)
    done = limpetctl(daemon, "replica", "drain", "a", "--wait", "1s")
    assert done.returncode == 1 and "not drained in time" in done.stdout + done.stderr, done
    go.set()
    assert client.response().status == 200, "the exchange was not cut"


def test_waits_that_were_abandoned_do_not_lock_the_control_socket(life):
    go = threading.Event()
    a = life.replica("a", holding(go))
    daemon = life.daemon([a], affinity="from = []")
    client = begun(daemon, a)
    waiting = [Client(daemon.place.socket) for _ in range(64)]
    for one in waiting:
        one.send(request("POST", "/v1/replicas/web/a/drain?wait_seconds=86400", body=b""))

    def is_full():
        try:
            with Client(daemon.place.socket) as one_more:
                one_more.send(request("GET", "/v1/status", [("Connection", "close")]))
                return one_more.stream.rest() == b""
        except OSError:
            return True
    wait_until(is_full, "all places are taken")
    for one in waiting:
        one.close()
    wait_until(lambda: limpetctl(daemon, "status").returncode == 0, "there is room again")
    go.set()
    assert client.response().status == 200


def test_an_unknown_replica_is_named_with_the_nearest_one(life):
    daemon = life.daemon(life.some("alpha", "beta"))
    done = limpetctl(daemon, "replica", "drain", "alhpa")
    assert done.returncode != 0
    assert "alhpa" in done.stderr + done.stdout and "alpha" in done.stderr + done.stdout, done


def test_affinity_none_takes_effect_at_once_and_prints_the_toml_that_makes_it_last(life):
    replicas = life.some("a", "b")
    daemon = life.daemon(replicas, balance=EVENLY)
    jar = daemon.jar()
    home = who(jar.get())
    said = succeed(daemon, "affinity", "web", "none")
    assert "[pool.web.affinity]" in said and "from" in said and "[]" in said, said
    wait_until(lambda: {who(jar.get()) for _ in range(20)} == {"a", "b"}, "requests go anywhere")
    assert not daemon.once("GET", "/").has("Set-Cookie")
    said = succeed(daemon, "affinity", "web", "sticky")
    assert "[pool.web.affinity]" in said and "cookie" in said, said
    wait_until(lambda: daemon.once("GET", "/").has("Set-Cookie"), "the cookie is back")
    assert {who(jar.get()) for _ in range(10)} == {home}, "the old cookie counts again"


def test_affinity_of_an_unknown_pool_is_an_error(life):
    daemon = life.daemon([life.replica()])
    done = limpetctl(daemon, "affinity", "wob", "none")
    assert done.returncode != 0 and "wob" in done.stdout + done.stderr


def test_show_config_shows_defaults_too_and_can_be_narrowed(life):
    daemon = life.daemon([life.replica()])
    whole = succeed(daemon, "show", "config")
    assert "client_idle" in whole and "panic_threshold" in whole
    part = succeed(daemon, "show", "config", "pool.web.affinity")
    assert "same_site" in part and "client_idle" not in part, part
    assert succeed(daemon, "show", "config", "pool.web.affinity.from") == (
        '[pool.web.affinity]\nfrom = ["cookie"]  # default\n')
    assert limpetctl(daemon, "show", "config", "pool.nobody").returncode != 0


def test_show_config_of_a_list_of_tables_shows_all_of_them(life):
    daemon = life.daemon(life.some("a", "b"))
    shown = succeed(daemon, "show", "config", "pool.web.replica")
    assert shown.count("[[pool.web.replica]]") == 2, shown
    second = succeed(daemon, "show", "config", "pool.web.replica[1]")
    assert second.count("[[pool.web.replica]]") == 1 and 'id = "b"' in second, second
    assert f"127.0.0.1:{daemon.place.port}" in succeed(daemon, "show", "config", "listener")
    assert succeed(daemon, "show", "config", "pool.web.replica.id").count("id = ") == 2


def test_reload_waits_and_says_what_changed(life):
    a, b = life.some("a", "b")
    daemon = life.prepare(shaped([a], affinity="from = []")).start()
    daemon.write_config(shaped([b], affinity="from = []"))
    succeed(daemon, "reload")
    assert who(daemon.once("GET", "/")) == "b", "reload returns when the new configuration is in force"


def test_explain_says_where_a_cookie_leads_and_why(life):
    replicas = life.some("a", "b")
    daemon = life.daemon(replicas, affinity=SHOW)
    jar = daemon.jar()
    home = who(jar.get())
    said = succeed(daemon, "explain", "--pool", "web", "--cookie", jar.cookies["limpet"])
    assert home in said and "cookie" in said and "hit" in said, said
    assert f"replica {home} is up" in said and "if it were gone: move" in said, said
    forged = limpetctl(daemon, "explain", "--pool", "web", "--cookie", "nonsense")
    assert "invalid" in forged.stdout + forged.stderr, forged


def test_explain_says_where_an_mcp_session_leads(life):
    daemon = life.daemon([life.replica("a", McpReplica()), life.replica("b", McpReplica())],
                         pool_keys='preset = "mcp"')
    client = McpClient(daemon)
    home = who(client.begin())
    said = succeed(daemon, "explain", "--pool", "web", "--session", client.id)
    assert home in said and "hit" in said, said


def test_a_daemon_that_is_not_there_is_said_readably(life):
    done = raw(["--socket", f"{life.dir}/nobody.sock", "status"])
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "nobody.sock" in said and "limpetd" in said, said
    assert "Traceback" not in said and "terminate" not in said and len(said.splitlines()) < 6, said


def test_an_unknown_verb_is_refused_with_help(life):
    done = raw(["--socket", f"{life.dir}/nobody.sock", "frobnicate"])
    assert done.returncode != 0 and "frobnicate" in done.stderr + done.stdout


def test_the_control_socket_is_for_its_owner(life):
    daemon = life.daemon([life.replica()])
    mode = stat.S_IMODE(os.stat(daemon.place.socket).st_mode)
    assert mode & 0o007 == 0, oct(mode)


def test_the_cookie_of_a_pool_that_became_sticky_again_is_the_same_kind(life):
    daemon = life.daemon([life.replica()])
    succeed(daemon, "affinity", "web", "none")
    succeed(daemon, "affinity", "web", "sticky")
    wait_until(lambda: "limpet" in cookies(daemon.once("GET", "/")), "the cookie is back")
