# SPDX-License-Identifier: Apache-2.0
"""Replicas that misbehave: their faults never look like success, and never become somebody else's."""

import select
import socket
import threading
import time

from harness.client import request
from harness.config import EVENLY
from harness.deadline import PATIENCE, Skip, seconds, wait_until
from harness.kernel import unread_bytes, untaken_bytes
from harness.message import Closed, Truncated
from harness.replica import say_who

ONE_TRY = "attempts = 1"

GARBAGE = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "a bad status": b"HTTP/1.1 20 OK\r\n\r\n",
    "a status beyond the classes": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "an unknown version": b"HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths that differ": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
    "a folded line": b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "a NUL in a field": b"HTTP/1.1 200 OK\r\nX-A: \0\r\nContent-Length: 0\r\n\r\n",
    "a bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "half a head and the end": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a head that never ends": b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 100000,
}


def test_every_malformed_answer_is_a_bad_gateway(life):
    answers = {f"/{number}": data for number, data in enumerate(GARBAGE.values())}

    def answer(peer, message):
        peer.send(answers[message.target])
        peer.close()
    daemon = life.daemon([life.replica(handle=answer)], retry=ONE_TRY, health=PATIENT)
    for number, name in enumerate(GARBAGE):
        response = daemon.once("GET", f"/{number}")
        assert response.status == 502, (name, response)
        assert response.has("Content-Length") and response.body, (name, response)


PATIENT = 'active = { type = "off" }\ninitial = "up"\npassive = { failures = 1000 }'


def broken(client, method="GET"):
    """Reads a response that must not end well; returns the body bytes that came."""
    client.send(request(method, "/"))
    try:
        response = client.response(method)
    except Truncated as cut:
        return cut.got
    except (ConnectionResetError, Closed):
        return b""
    raise AssertionError(f"a broken answer looks whole: {response}")


def test_a_body_shorter_than_its_length_never_looks_complete(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        peer.close()
    daemon = life.daemon([life.replica(handle=answer)], health=PATIENT)
    with daemon.client() as client:
        assert broken(client) in (b"", b"only this")


def test_a_chunked_body_without_its_end_never_looks_complete(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n")
        peer.close()
    daemon = life.daemon([life.replica(handle=answer)], health=PATIENT)
    with daemon.client() as client:
        assert broken(client) in (b"", b"only this")


def test_a_chunk_that_breaks_the_rules_never_looks_complete(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")
        peer.wait_for_end()
    daemon = life.daemon([life.replica(handle=answer)], health=PATIENT)
    with daemon.client() as client:
        assert broken(client) in (b"", b"hello")


def test_a_reset_in_mid_body_never_looks_complete(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 5000)
        peer.reset()
    daemon = life.daemon([life.replica(handle=answer)], health=PATIENT)
    for _ in range(5):
        with daemon.client() as client:
            assert len(broken(client)) <= 5000
    daemon.wait_log(lambda e: "replica" in str(e.get("ending", e)), "an ending that blames the replica")


def resets_while_nobody_reads(life, head, frame, last):
    """A replica says so much to a client that does not read that the daemon stops reading as well, and resets when the
    rest is in the daemon's kernel. What the client reads then, and whether it was cut."""
    is_reset = threading.Event()

    def serve(peer):
        peer.head()
        peer.send(head)
        daemon_port = peer.socket.getpeername()[1]
        try:
            while True:
                peer.send(frame(b"x" * 32000))
                wait_until(lambda: unread_bytes(daemon_port, a.port) == 0, "the daemon reads", 0.3)
        except AssertionError:
            peer.send(frame(b"last words") + last)
        wait_until(lambda: untaken_bytes(a.port, daemon_port) == 0, "the daemon's kernel has it")
        peer.reset()
        is_reset.set()
    a = life.replica(on_connection=serve)
    routes = '[[route]]\npath = "/"\npool = "web"\n[[route]]\npath = "/own"\nrespond = { status = 404 }\n'
    daemon = life.daemon([a], workers=1, health=PATIENT, routes=routes)
    with daemon.client(receive_buffer=64 * 1024) as client:
        client.send(request("GET", "/", [("Connection", "close")]))
        assert is_reset.wait(seconds(60))
        assert daemon.once("GET", "/own").status == 404, "the worker has seen the reset"
        was_cut = False
        try:
            while client.stream.fill():
                pass
        except ConnectionResetError:
            was_cut = True
        return client.stream.ahead, was_cut


def test_an_answer_that_was_whole_before_its_replica_reset_reaches_a_slow_client(life):
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"

    def chunk(content):
        return b"%x\r\n%b\r\n" % (len(content), content)
    got, _ = resets_while_nobody_reads(life, head, chunk, b"0\r\n\r\n")
    assert got.endswith(b"last words\r\n0\r\n\r\n"), len(got)


def test_an_answer_without_a_length_that_is_reset_never_looks_whole_to_a_slow_client(life):
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    got, was_cut = resets_while_nobody_reads(life, head, lambda content: content, b"")
    assert was_cut or not got.endswith(b"\r\n0\r\n\r\n"), len(got)


def test_bytes_behind_a_response_never_reach_a_client(life):
    def answer(peer, message):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(message.target), message.target.encode())
                  + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
    a = life.replica(handle=answer)
    daemon = life.daemon([a], workers=1)
    with daemon.client() as client:
        for number in range(10):
            assert client.get(f"/{number}").body == f"/{number}".encode()
    assert a.connections == 10, "a connection with unasked bytes was used again"


def test_an_answer_to_nobody_ends_the_connection(life):
    def serve(peer):
        peer.request()
        peer.answer(200, b"first")
        wait_until(told.is_set, "the client has its answer")
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        peer.wait_for_end()
        ended.set()
    told, ended = threading.Event(), threading.Event()
    a = life.replica(on_connection=serve)
    daemon = life.daemon([a], workers=1)
    assert daemon.once("GET", "/").body == b"first"
    told.set()
    assert ended.wait(seconds(PATIENCE)), "a connection that spoke unasked stays in the cache"


def closing_when_reused(replica_log):
    """Serves one request a connection and closes it just when the next one comes."""
    def serve(peer):
        message = peer.request()
        say_who(peer, message)
        head = peer.head()
        replica_log.append((head.method, head.target))
        peer.reset()
    return serve


def test_get_survives_a_kept_connection_that_closes_just_when_it_is_used_again(life):
    log = []
    a = life.replica(on_connection=closing_when_reused(log))
    daemon = life.daemon([a], workers=1, health=PATIENT, retry='attempts = 3\non = ["connect", "unsent", "idempotent"]')
    with daemon.client() as client:
        for number in range(6):
            assert client.get(f"/{number}").status == 200, number
    assert log, "no kept connection was ever used again: the test said nothing"


def test_post_is_never_sent_twice_when_a_kept_connection_closes(life):
    log = []
    a = life.replica(on_connection=closing_when_reused(log))
    daemon = life.daemon([a], workers=1, health=PATIENT)
    with daemon.client() as client:
        for number in range(6):
            client.ask("POST", f"/{number}", body=b"pay")
    targets = a.targets()
    assert len(targets) == len(set(targets)) == 6, targets
    assert log, "no kept connection was ever used again: the test said nothing"


def test_an_idle_connection_that_the_replica_closed_is_not_used_again(life):
    def serve(peer):
        say_who(peer, peer.request())
    a = life.replica(on_connection=serve)
    daemon = life.daemon([a], workers=1, health=PATIENT)
    with daemon.client() as client:
        for number in range(5):
            assert client.ask("POST", f"/{number}", body=b"x").status == 200
            wait_until(lambda: daemon.metrics().sum("limpet_replica_connections", replica="a") == 0,
                       "the daemon knows of the close")
    assert len(a.targets()) == 5


def test_a_connection_is_given_up_before_the_replica_closes_it_as_it_has_announced(life):
    """Else a request may meet the close, and nobody knows whether it was processed."""
    def serve(announced):
        def answer(peer, _):
            peer.answer(200, b"", [("Keep-Alive", announced)] if announced else [])
        return answer
    announcing = {"a": "timeout=2, max=100", "b": "max=5, Timeout=1", "c": "timeout=x", "d": "timeout=99999999999", "e": ""}
    replicas = [life.replica(id, serve(announced)) for id, announced in announcing.items()]
    daemon = life.daemon(replicas, workers=1, affinity="from = []", balance=EVENLY, health=PATIENT)
    for _ in replicas:
        assert daemon.once("GET", "/").status == 200
    quick, patient = replicas[:2], replicas[2:]
    wait_until(lambda: all(replica.open_connections() == 0 for replica in quick), "they are given up")
    assert all(replica.open_connections() == 1 for replica in patient), "the others are kept as long as replica_idle says"


def test_a_refused_connect_moves_requests_of_every_method(life):
    a, b = life.some("a", "b")
    daemon = life.daemon([a, b], health=PATIENT)
    a.stop()
    with daemon.client() as client:
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            for _ in range(4):
                response = client.ask(method, "/", body=b"x" * 10 if method != "GET" else None)
                assert response.status == 200 and response.get("X-Replica") == "b", (method, response)
    assert b.count() == 20


def test_a_silent_replica_is_a_gateway_timeout(life):
    def answer(peer, _):
        peer.wait_for_end()
    a = life.replica(handle=answer)
    daemon = life.daemon([a], timeouts='response_head = "300ms"', retry=ONE_TRY, health=PATIENT)
    began = time.monotonic()
    response = daemon.once("GET", "/")
    assert response.status == 504, response
    assert time.monotonic() - began >= 0.29
    daemon.wait_metric("limpet_timeouts_total", 1, kind="response_head")
    wait_until(lambda: a.open_connections() == 0, "the connection to the silent replica is closed")


def test_a_post_that_timed_out_is_not_sent_again(life):
    def answer(peer, _):
        peer.wait_for_end()
    a, b = life.some("a", "b", handle=answer)
    daemon = life.daemon([a, b], timeouts='response_head = "300ms"', health=PATIENT)
    assert daemon.once("POST", "/", body=b"pay").status == 504
    assert a.count() + b.count() == 1


def stalls_in_its_upload(daemon, head=b"", interim=0):
    """A client that breaks off after one byte of ten, or before it where the replica is asked first."""
    with daemon.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 10\r\n" + head + b"\r\n")
        if interim:
            assert client.response_head().status == interim
        else:
            client.send(b"a")
        return client.response().status


def test_a_client_that_stalls_in_its_upload_is_not_the_replicas_silence(life):
    def serve(peer):
        if peer.head().has("Expect"):
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.wait_for_end()
    a = life.replica(on_connection=serve)
    daemon = life.daemon([a], timeouts='client_stall = "900ms"\nresponse_head = "300ms"', retry=ONE_TRY,
                         health='active = { type = "off" }\npassive = { failures = 2, max_ejected = 100 }')
    for _ in range(3):
        assert stalls_in_its_upload(daemon) == 408
    assert stalls_in_its_upload(daemon, b"Expect: 100-continue\r\n", interim=100) == 408
    metrics = daemon.metrics()
    assert metrics.sum("limpet_timeouts_total", kind="client_stall") == 4
    assert metrics.sum("limpet_timeouts_total", kind="response_head") == 0
    assert metrics.sum("limpet_replica_ejections_total") == 0


def test_a_replica_that_was_told_everything_in_pieces_owes_its_head(life):
    def serve(peer):
        peer.head()
        peer.wait_for_end()
    a = life.replica(on_connection=serve)
    daemon = life.daemon([a], timeouts='response_head = "300ms"', retry=ONE_TRY, health=PATIENT)
    with daemon.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 10\r\n\r\na")
        a.wait_for_requests(1)
        client.send(b"b" * 9)
        assert client.response().status == 504
    with daemon.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
        assert client.response().status == 504, "it does not say whether the rest shall come"
    daemon.wait_metric("limpet_timeouts_total", 2, kind="response_head")


def test_a_replica_that_stops_in_mid_body_is_cut_after_response_body(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        peer.wait_for_end()
    daemon = life.daemon([life.replica(handle=answer)], timeouts='response_body = "300ms"', health=PATIENT)
    with daemon.client() as client:
        assert broken(client) in (b"", b"only this")
    daemon.wait_metric("limpet_timeouts_total", 1, kind="response_body")


def test_a_connect_that_hangs_is_given_up_and_moves(life):
    deaf = socket.socket()
    deaf.bind(("127.0.0.1", 0))
    deaf.listen(0)
    fillers = []
    for _ in range(8):  # a full queue drops the next handshake
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(deaf.getsockname())
        fillers.append(filler)
    if select.select([], [fillers[-1]], [], 0.5)[1]:
        raise Skip("this system's queue takes more connections than were asked for")
    b = life.replica("b")
    hanging = ("a", "127.0.0.1:%d" % deaf.getsockname()[1])
    daemon = life.daemon([hanging, b], timeouts='connect = "2s"', health=PATIENT)
    for _ in range(4):
        response = daemon.once("POST", "/", body=b"x")
        assert response.status == 200 and response.get("X-Replica") == "b", response
    for held in (*fillers, deaf):
        held.close()
