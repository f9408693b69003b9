# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: everything is checked, everything is swapped, nobody notices."""

import signal
import socket
import threading

from harness import tls
from harness.affinity import SHOW, outcome, who
from harness.client import request
from harness.config import EVENLY
from harness.control import limpetctl
from harness.daemon import free_ports
from harness.deadline import seconds, wait_until
from harness.life import shaped
from harness.load import Load
from harness.replica import say_who


def test_twenty_reloads_under_load_with_replicas_coming_and_going_fail_no_request(life):
    six = life.some(*[f"r{n}" for n in range(6)])
    daemon = life.prepare(shaped(six[:2])).start()
    with Load(daemon, users=4) as by_connection, Load(daemon, users=4, keep_alive=True) as kept:
        for turn in range(20):
            chosen = six[:2] + (six[2:] if turn % 2 == 0 else six[2 + turn % 4:3 + turn % 4])
            before = by_connection.total()
            daemon.reload(shaped(chosen))
            wait_until(lambda: by_connection.total() > before + 8, "traffic goes on")
    assert not by_connection.failures and not kept.failures, (by_connection.failures + kept.failures)[:5]
    assert by_connection.total() > 200 and kept.total() > 200
    assert daemon.metrics().sum("limpet_config_reloads_total", result="failure") == 0


def test_sessions_on_replicas_that_stay_do_not_notice_a_reload(life):
    replicas = life.some("a", "b", "c")
    daemon = life.prepare(shaped(replicas, affinity=SHOW)).start()
    jars = [daemon.jar() for _ in range(10)]
    homes = [who(jar.get()) for jar in jars]
    for turn in range(3):
        daemon.reload(shaped(replicas, affinity=SHOW, limits=f"header_fields = {90 + turn}"))
        assert [who(jar.get()) for jar in jars] == homes


def test_a_bad_file_changes_nothing_and_shows_every_mistake(life):
    a = life.replica("a")
    daemon = life.prepare(shaped([a])).start()
    before = daemon.metrics().sum("limpet_config_revision")
    good = daemon.place.config.read_text()
    bad = good.replace('preset = "web"', 'preset = "wob"\nprotocoll = "http1"') + '\n[timeouts]\nconnect = 5\n'
    daemon.place.config.write_text(bad)
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.metrics().sum("limpet_config_last_reload_successful") == 0, "the failure is noticed")
    said = daemon.errors()
    for word in ("wob", "protocoll", "connect", "limpet.toml:"):
        assert word in said, (word, said)
    assert who(daemon.once("GET", "/")) == "a"
    assert daemon.metrics().sum("limpet_config_revision") == before
    done = limpetctl(daemon, "reload")
    assert done.returncode != 0
    assert "wob" in done.stdout + done.stderr and "protocoll" in done.stdout + done.stderr
    daemon.place.config.write_text(good)
    daemon.reload()
    assert daemon.metrics().sum("limpet_config_last_reload_successful") == 1


def test_a_running_exchange_finishes_on_the_old_configuration(life):
    go = threading.Event()

    def slow(peer, message):
        if message.target == "/slow":
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            assert go.wait(seconds(60))
            return peer.send(b"3\r\ntwo\r\n0\r\n\r\n")
        say_who(peer, message)
    a, b = life.replica("a", slow), life.replica("b")
    daemon = life.prepare(shaped([a])).start()
    with daemon.client() as client:
        client.send(request("GET", "/slow"))
        client.response_head()
        assert client.stream.line() == b"3"
        daemon.reload(shaped([b]))
        assert who(daemon.once("GET", "/")) == "b"
        go.set()
        data = client.stream.until(b"0\r\n\r\n")
        assert data == b"one\r\n3\r\ntwo\r\n", data
        assert client.get("/next").status == 200, "the connection lives on in the new configuration"


def test_kept_client_connections_follow_the_new_configuration(life):
    a, b = life.some("a", "b")
    daemon = life.prepare(shaped([a], affinity="from = []")).start()
    with daemon.client() as client:
        assert who(client.get("/")) == "a"
        daemon.reload(shaped([b], affinity="from = []"))
        assert who(client.get("/")) == "b"


def test_health_survives_a_reload(life):
    a, b = life.some("a", "b")
    health = ('active = { type = "tcp", interval = "100ms", timeout = "5s", rise = 1, fall = 1, jitter = 0 }\n'
              'initial = "probe-first"')
    daemon = life.prepare(shaped([a, b], health=health)).start()
    wait_until(lambda: daemon.metrics().sum("limpet_replica_up") == 2, "both are up")
    a.stop()
    wait_until(lambda: daemon.metrics().sum("limpet_replica_up", replica="a") == 0, "a is down")
    slow = health.replace("100ms", "30s").replace("probe-first", "up")
    daemon.reload(shaped([a, b], health=slow))
    assert daemon.metrics().sum("limpet_replica_up", replica="a") == 0, "what was known is forgotten"
    assert daemon.metrics().sum("limpet_replica_up", replica="b") == 1


def test_counters_survive_a_reload(life):
    a = life.replica()
    daemon = life.prepare(shaped([a])).start()
    for _ in range(5):
        daemon.once("GET", "/")
    daemon.wait_metric("limpet_requests_total", 5)
    before = daemon.metrics().sum("limpet_requests_total")
    daemon.reload(shaped([a], limits="header_fields = 90"))
    assert daemon.metrics().sum("limpet_requests_total") >= before >= 5


def test_a_listener_that_is_added_opens_and_one_that_is_removed_closes(life):
    from harness.client import once
    a = life.replica()

    def with_second(port):
        return shaped([a], more=f'[[listener]]\nname = "second"\nbind = ["127.0.0.1:{port}"]\n')
    daemon = life.prepare(shaped([a])).start()
    port = daemon.reload_to_port(with_second)
    assert once(("127.0.0.1", port)).status == 200
    daemon.reload(shaped([a]))

    def refused():
        try:
            once(("127.0.0.1", port))
            return False
        except OSError:
            return True
    wait_until(refused, "the removed listener is closed")
    assert daemon.once("GET", "/").status == 200


def test_a_client_that_was_shaking_hands_when_its_listener_was_removed_is_asked_to_come_again(life):
    ca = tls.Authority(f"{life.dir}/ca")
    a = life.replica()
    (port,) = free_ports(1)
    second = f'[[listener]]\nname = "second"\nbind = ["127.0.0.1:{port}"]\n' + tls.listener(ca.issue("test.example"))
    daemon = life.daemon([a], workers=1, more=second)
    with socket.create_connection(("127.0.0.1", port), timeout=seconds(10)) as sock:
        daemon.wait_metric("limpet_connections", 1, listener="second")
        daemon.reload(shaped([a], workers=1))
        with ca.client().wrap_socket(sock, server_hostname="test.example") as secure:
            assert secure.recv(1) == b"", "it is let in and told to go"


def test_a_moved_session_after_its_replica_left_for_good_is_stated(life):
    a, b = life.some("a", "b")
    daemon = life.prepare(shaped([a, b], affinity=SHOW, balance=EVENLY)).start()
    jar = daemon.jar()
    while who(jar.get()) != "a":
        jar = daemon.jar()
    daemon.reload(shaped([b], affinity=SHOW))
    a.stop()
    response = jar.get()
    assert who(response) == "b" and outcome(response)[0] == "moved", response


def test_a_dead_replica_that_is_removed_is_gone_though_sessions_name_it(life):
    a, b = life.some("a", "b")
    health = 'active = { type = "tcp", interval = "100ms", timeout = "5s", rise = 1, fall = 1, jitter = 0 }'
    daemon = life.prepare(shaped([a, b], affinity=SHOW, health=health, balance=EVENLY)).start()
    wait_until(lambda: daemon.metrics().sum("limpet_replica_up") == 2, "both are up")
    while who(daemon.jar().get()) != "a":
        pass
    a.stop()
    wait_until(lambda: daemon.metrics().sum("limpet_replica_up", replica="a") == 0, "a is down")
    daemon.reload(shaped([b], affinity=SHOW, health=health))
    assert daemon.metrics().labels("limpet_replica_up", "replica") == {"b"}
