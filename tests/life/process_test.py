# SPDX-License-Identifier: Apache-2.0
"""The process: start, readiness, signals, limits, its own log."""

import os
import signal
import socket
import stat
import sys
import threading

from harness import tls
from harness.client import Client, Closed, request
from harness.config import pool, whole
from harness.control import limpetctl
from harness.daemon import ROOT, Place, run_limpetd
from harness.deadline import PATIENCE, Skip, seconds, stays, wait_until
from harness.kernel import ROOMY, send_until_full
from harness.life import shaped
from harness.message import Truncated
from harness.replica import say_who


def test_sigterm_lets_a_running_exchange_finish_and_exits_with_0(life):
    go = threading.Event()

    def slow(peer, message):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ")
        assert go.wait(seconds(60))
        peer.send(b"done!")
    daemon = life.daemon([life.replica(handle=slow)])
    client, idle = daemon.client(), daemon.client()
    client.send(request("GET", "/"))
    assert client.response_head().status == 200
    daemon.signal(signal.SIGTERM)
    assert idle.is_closed_by_peer(), "an idle connection ends at once"
    wait_until(lambda: not accepts(daemon), "no new connections are taken")
    assert daemon.process.poll() is None, "it waits for the exchange"
    go.set()
    assert client.stream.exactly(10) == b"half done!"
    assert client.is_closed_by_peer()
    assert daemon.wait() == 0


def accepts(daemon):
    try:
        with Client(daemon.address, limit=1) as client:
            return client.get("/healthz").status > 0
    except (Closed, Truncated, OSError):
        return False


def test_drain_timeout_ends_what_does_not_end_by_itself(life):
    def endless(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        peer.wait_for_end()
    daemon = life.daemon([life.replica(handle=endless)], daemon='drain_timeout = "300ms"')
    with daemon.client() as client:
        client.send(request("GET", "/"))
        client.response_head()
        assert daemon.stop() == 0


def test_a_response_that_is_cut_at_the_end_of_a_drain_never_looks_whole(life):
    """One to HTTP/1.0, which nothing but the end of the connection ends."""
    def endless(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        peer.wait_for_end()
    for drain_timeout, signals in (("300ms", 1), ("20s", 2)):
        daemon = life.daemon([life.replica(handle=endless)], daemon=f'drain_timeout = "{drain_timeout}"')
        with daemon.client() as client:
            client.send(b"GET / HTTP/1.0\r\nHost: test.example\r\n\r\n")
            client.response_head()
            assert client.stream.exactly(5) == b"hello"
            daemon.signal(signal.SIGTERM)
            if signals == 2:
                wait_until(lambda: "going down" in daemon.errors(), "the drain has begun")
                daemon.signal(signal.SIGTERM)
            try:
                rest = client.stream.rest()
            except ConnectionResetError:
                continue
            raise AssertionError(f"a clean end behind {rest!r}")


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_drain_lets_a_slow_client_take_the_rest_of_its_answer(life):
    sent = []

    def answer(peer, _):
        peer.send(CHUNKED)
        sent.append(send_until_full(peer.send, lambda: daemon.untaken_bytes(client)))
        peer.send(b"0\r\n\r\n")
    daemon = life.daemon([life.replica(handle=answer)], workers=1, limits=ROOMY)
    with daemon.client(receive_buffer=4096) as client:
        client.send(request("GET", "/"))
        wait_until(lambda: sent, "the kernel is full", 60)
        daemon.wait_log(lambda e: e["status"] == 200, "the exchange is over")
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: is_refused(daemon.address), "nothing more is accepted")
        assert len(client.response().body) == sent[0]
        assert client.is_closed_by_peer()
    assert daemon.wait() == 0


def is_refused(address):
    try:
        Client(address).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass  # it is closing
    return False


def test_a_client_that_takes_nothing_is_closed_though_its_replica_goes_on_talking(life):
    is_over = threading.Event()

    def talk(peer, _):
        peer.send(CHUNKED)
        send_until_full(peer.send, lambda: daemon.untaken_bytes(client))
        while not is_over.wait(0.1):
            peer.send(b"1\r\nx\r\n")
    daemon = life.daemon([life.replica(handle=talk)], limits=ROOMY, timeouts='client_stall = "600ms"')
    with daemon.client(receive_buffer=4096) as client:
        client.send(request("GET", "/"))
        try:
            assert daemon.wait_log(lambda e: True, limit=60)["ending"] == "client-slow"
        finally:
            is_over.set()


def test_readyz_says_that_it_is_draining(life):
    def endless(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        peer.wait_for_end()
    daemon = life.daemon([life.replica(handle=endless)])
    assert daemon.admin("/readyz").status == 200 and daemon.admin("/healthz").status == 200
    client = daemon.client()
    client.send(request("GET", "/"))
    client.response_head()
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: daemon.admin("/readyz").status == 503, "readyz says no")
    client.close()
    assert daemon.wait() == 0


def test_sigint_ends_it_too(life):
    daemon = life.daemon([life.replica()])
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0


def test_sigusr1_reopens_the_access_log(life):
    daemon = life.daemon([life.replica()])
    daemon.once("GET", "/first")
    daemon.wait_log(lambda e: "/first" in str(e))
    moved = daemon.place.access_log.with_suffix(".1")
    os.rename(daemon.place.access_log, moved)
    daemon.once("GET", "/second")
    wait_until(lambda: "/second" in moved.read_text(), "the old file is still written")
    daemon.signal(signal.SIGUSR1)
    wait_until(daemon.place.access_log.exists, "a new file")
    daemon.once("GET", "/third")
    daemon.wait_log(lambda e: "/third" in str(e))
    assert "/third" not in moved.read_text()


def test_the_json_access_log_says_what_happened(life):
    daemon = life.daemon([life.replica("a")])
    jar = daemon.jar()
    jar.ask("POST", "/path?secret=1", [("User-Agent", "test")], b"12345")
    line = daemon.wait_log(lambda e: e.get("status") == 200)
    text = str(line)
    for fact in ("POST", "/path", "127.0.0.1", "web", "test.example", "new"):
        assert fact in text, (fact, line)
    assert "a" in line.values() and 5 in line.values(), line
    assert "secret" not in text, "the query is not logged unless asked for"


def test_the_combined_access_log_is_one_that_tools_read(life):
    daemon = life.daemon([life.replica()], access_log='format = "combined"')
    daemon.once("GET", "/x", [("User-Agent", 'curl"8')])
    wait_until(lambda: daemon.place.access_log.exists() and daemon.place.access_log.read_text().count("\n") == 1,
               "one line")
    line = daemon.place.access_log.read_text()
    import re
    assert re.match(r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /x HTTP/1\.1" 200 \d+ "[^"]*" ".*"', line), line
    assert 'curl"8"' not in line, "a quote in a field must not end it"


def test_access_log_off_writes_nothing(life):
    daemon = life.daemon([life.replica()], access_log='format = "off"')
    daemon.once("GET", "/")
    daemon.wait_metric("limpet_requests_total", 1)
    assert not daemon.place.access_log.exists() or not daemon.place.access_log.read_text()


def check(life, text):
    path = f"{life.dir}/checked.toml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return run_limpetd("-c", path, "--check")


def test_check_says_whether_a_file_is_good(life):
    good = whole(Place(f"{life.dir}/p"), pool("web", [("a", "127.0.0.1:3000")]))
    assert check(life, good).returncode == 0
    bad = check(life, good.replace('preset = "web"', 'preset = "web"\nretri = 1') + "\n[nonsense]\nx = 1\n")
    assert bad.returncode == 1
    said = bad.stdout + bad.stderr
    assert "retri" in said and "nonsense" in said and "checked.toml:" in said and "^" in said, said
    assert run_limpetd("-c", f"{life.dir}/missing.toml", "--check").returncode == 1


def test_check_refuses_ids_that_are_learnt_by_nobody(life):
    keys = 'preset = "mcp"\nchain = ["affinity", "balance", "health", "retry"]'
    text = whole(Place(f"{life.dir}/p"), pool("web", [("a", "127.0.0.1:3000")], keys, mcp='session_ids = "learn"'))
    done = check(life, text)
    said = done.stdout + done.stderr
    line = text.splitlines().index('session_ids = "learn"') + 1
    assert done.returncode == 1 and f"checked.toml:{line}:15" in said, said
    assert 'needs the module that keeps the table of ids; expected "mcp" in the chain of this pool' in said, said
    assert check(life, text.replace('["affinity"', '["mcp", "affinity"')).returncode == 0
    assert check(life, text.replace('"learn"', '"wrap"')).returncode == 0


def test_every_example_in_conf_is_a_good_file(life):
    files = sorted((ROOT / "conf").glob("*.toml"))
    if not files:
        raise Skip("there are no examples in conf/")
    replicas = os.path.join(life.dir, "replicas")
    with open(replicas, "w", encoding="ascii") as file:
        file.write("a 127.0.0.1:3000\n")
    pair = tls.Authority(f"{life.dir}/ca").issue("test.example")
    for file in files:
        environment = {"LIMPET_STATE_DIR": life.dir, "LIMPET_REPLICAS": replicas,
                       "LIMPET_CERT": str(pair.cert), "LIMPET_KEY": str(pair.key)}
        done = run_limpetd("-c", str(file), "--check", environment=environment)
        assert done.returncode == 0, f"{file.name}\n{done.stdout}{done.stderr}"


def test_dump_shows_every_default_and_reads_back(life):
    a = life.replica()
    place = life.place()
    text = shaped([a])(place)
    place.config.write_text(text)
    done = run_limpetd("-c", str(place.config), "--dump")
    assert done.returncode == 0, done.stderr
    for key in ("client_idle", "panic_threshold", "attempts", "same_site", "header_bytes"):
        assert key in done.stdout, key
    assert check(life, done.stdout).returncode == 0


def test_a_bad_file_does_not_start(life):
    place = life.place()
    place.config.write_text("[[listener]]\nbind = 7\n")
    done = run_limpetd("-c", str(place.config))
    assert done.returncode not in (0, None) and "limpet.toml:" in done.stderr, done


def test_an_address_in_use_is_a_clear_error(life):
    place = life.place()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        place.port = taken.getsockname()[1]
        place.config.write_text(shaped([("a", "127.0.0.1:9")])(place))
        done = run_limpetd("-c", str(place.config))
    assert done.returncode not in (0, None)
    assert f"127.0.0.1:{place.port}" in done.stderr and "in use" in done.stderr.lower(), done.stderr


def test_at_the_connection_limit_it_stops_accepting_and_goes_on_when_there_is_room(life):
    daemon = life.daemon([life.replica()], limits="connections = 8", workers=1)
    held = [daemon.client() for _ in range(8)]
    for client in held:
        assert client.get("/").status == 200
    waiting = daemon.client()  # the kernel's queue takes it
    waiting.send(request("GET", "/waiting"))
    waiting.socket.settimeout(0.05)

    def silent():
        try:
            waiting.socket.recv(1)
            return False
        except TimeoutError:
            return True
    stays(silent, "the ninth connection is neither answered nor closed")
    waiting.socket.settimeout(seconds(PATIENCE))
    for client in held:
        assert client.get("/").status == 200, "those who are in are served"
    held[0].close()
    assert waiting.response().status == 200


def test_an_idle_client_is_closed_after_client_idle(life):
    daemon = life.daemon([life.replica()], timeouts='client_idle = "2s"')
    with daemon.client() as client:
        assert client.get("/").status == 200
        assert client.is_closed_by_peer()
    with daemon.client() as silent:
        assert silent.is_closed_by_peer()


def test_a_client_that_takes_nothing_is_closed_after_client_stall(life):
    def big(peer, _):
        peer.answer(200, bytes(64 << 20))
    a = life.replica(handle=big)
    daemon = life.daemon([a], timeouts='client_stall = "300ms"')
    with daemon.client(receive_buffer=16384) as client:
        client.send(request("GET", "/"))
        client.response_head()
        daemon.wait_metric("limpet_timeouts_total", 1, kind="client_stall", limit=10)
        wait_until(lambda: a.open_connections() == 0, "the replica is let go")


def test_connections_of_one_client_can_be_limited(life):
    daemon = life.daemon([life.replica()], limits="connections_per_client = 3", workers=1)
    held = [daemon.client() for _ in range(3)]
    for client in held:
        assert client.get("/").status == 200
    with daemon.client() as fourth:
        try:
            fourth.send(request("GET", "/"))
            response = fourth.response()
            assert response.status in (429, 503), response
        except (Closed, ConnectionError):
            pass  # closed without a word
    held[0].close()

    def is_let_in():
        try:
            return daemon.once().status == 200
        except (Closed, ConnectionError):
            return False
    wait_until(is_let_in, "there is room again")


def test_metrics_speak_the_text_format_and_have_the_histograms(life):
    daemon = life.daemon([life.replica("a")])
    for _ in range(3):
        daemon.once("GET", "/")
    daemon.wait_metric("limpet_requests_total", 3, pool="web")  # notes are taken when the client has its answer
    metrics = daemon.metrics()
    assert metrics.sum("limpet_request_duration_seconds_count", pool="web") == 3
    assert metrics.sum("limpet_replica_ttfb_seconds_count", pool="web") == 3
    assert metrics.sum("limpet_requests_total", pool="web", code_class="2xx") == 3
    assert metrics.sum("limpet_replica_requests_total", replica="a") == 3
    assert daemon.place.port != 0 and str(daemon.place.port) not in str(metrics.labels("limpet_replica_up", "replica"))
    status = daemon.admin("/api/v1/status")
    assert status.status == 200 and status.get("Content-Type").startswith("application/json"), status


def test_the_admin_side_does_not_change_anything(life):
    daemon = life.daemon([life.replica()])
    from harness.client import once
    response = once(("127.0.0.1", daemon.place.admin_port), "POST", "/v1/reload", body=b"",
                    host=f"127.0.0.1:{daemon.place.admin_port}")
    assert response.status in (403, 404, 405), response
    assert limpetctl(daemon, "status").returncode == 0


def test_unix_sockets_can_be_listened_on(life):
    place = life.place()
    path = str(place.dir / "web.sock")
    more = f'[[listener]]\nname = "local"\nbind = ["unix:{path}"]\n'
    life.prepare(shaped([life.replica(handle=say_who)], more=more), place).start()
    with Client(path) as client:
        assert client.get("/").status == 200


def test_a_unix_socket_for_clients_is_open_to_all_whatever_the_umask(life):
    place = life.place()
    path = str(place.dir / "web.sock")
    more = f'[[listener]]\nname = "local"\nbind = ["unix:{path}"]\n'
    daemon = life.prepare(shaped([life.replica(handle=say_who)], more=more), place)
    daemon.prefix = [sys.executable, "-c", "import os, sys; os.umask(0o077); os.execv(sys.argv[1], sys.argv[1:])"]
    daemon.start()
    assert stat.S_IMODE(os.lstat(path).st_mode) == 0o666
    assert stat.S_IMODE(os.lstat(place.socket).st_mode) == 0o660, "the control socket is not"
    assert os.lstat(place.state_dir / "affinity.keys").st_mode & 0o077 == 0
