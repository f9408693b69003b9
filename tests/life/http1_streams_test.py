# SPDX-License-Identifier: Apache-2.0
"""Bodies of any size in bounded memory, and events that leave as they come."""

import os
import threading

from harness.client import request
from harness.deadline import PATIENCE, SLOW, Skip, seconds, stays, wait_until

BIG_BYTES = int(os.environ.get("LIMPET_TEST_BIG_BYTES", 1 << 30))
PIECE = bytes(1 << 18)
MIB = 1 << 20


def needs_a_plain_build():
    if SLOW > 1:
        raise Skip("memory says nothing in an instrumented build")


def send_zeros(send, total):
    for _ in range(total // len(PIECE)):
        send(PIECE)


def drain(sock, total):
    """Takes `total` bytes and forgets them."""
    room, left = bytearray(1 << 18), total
    while left:
        count = sock.recv_into(room, min(left, len(room)))
        assert count, f"{left} bytes are missing"
        left -= count


def test_a_gibibyte_down_through_one_request_costs_less_than_a_mebibyte(life):
    needs_a_plain_build()

    def answer(peer, message):
        size = 4 * MIB if message.target == "/warm" else BIG_BYTES
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        send_zeros(peer.socket.sendall, size)
    daemon = life.daemon([life.replica(handle=answer)], workers=1)
    with daemon.client(limit=60) as client:
        client.get("/warm")
        before = daemon.rss_bytes()
        client.send(request("GET", "/"))
        head = client.response_head()
        drain(client.socket, int(head.get("Content-Length")) - len(client.stream.ahead))
        assert daemon.rss_bytes("VmHWM") - before < MIB, (before, daemon.rss_bytes("VmHWM"))


def test_a_gibibyte_up_through_one_request_costs_less_than_a_mebibyte(life):
    needs_a_plain_build()
    got = []

    def serve(peer):
        while True:
            size = int(peer.head().get("Content-Length"))
            drain(peer.socket, size - len(peer.stream.ahead))
            peer.stream.ahead = b""
            got.append(size)
            peer.answer(200, b"")
    daemon = life.daemon([life.replica(on_connection=serve)], workers=1)
    with daemon.client(limit=60) as client:
        for size in (4 * MIB, BIG_BYTES):
            before = daemon.rss_bytes()
            client.send(f"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n")
            send_zeros(client.socket.sendall, size)
            assert client.response().status == 200
        assert got == [4 * MIB, BIG_BYTES]
        assert daemon.rss_bytes("VmHWM") - before < MIB, (before, daemon.rss_bytes("VmHWM"))


def test_a_slow_client_stops_the_replica_and_not_the_memory(life):
    needs_a_plain_build()
    sent = [0]

    def answer(peer, _):
        peer.socket.settimeout(None)
        total = 256 * MIB
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n".encode())
        while sent[0] < total:
            peer.socket.sendall(PIECE)
            sent[0] += len(PIECE)
    daemon = life.daemon([life.replica(handle=answer)], workers=1)
    before = daemon.rss_bytes()
    with daemon.client(receive_buffer=64 * 1024) as client:
        client.send(request("GET", "/"))
        client.response_head()
        has_stopped(sent)
        assert sent[0] < 64 * MIB, sent
        assert daemon.rss_bytes() - before < 2 * MIB, (before, daemon.rss_bytes())


def has_stopped(counter):
    """Waits until a counter has not moved for a while."""
    while True:
        seen = counter[0]
        try:
            stays(lambda: counter[0] == seen, "stopped", 0.5)
            return
        except AssertionError:
            pass


def test_a_client_that_pipelines_and_takes_nothing_is_not_read_from_for_ever(life):
    needs_a_plain_build()
    routes = '[[route]]\npath = "/"\nredirect = { to = "https://test.example{path}{path}{path}" }\n'
    daemon = life.daemon([life.replica()], workers=1, routes=routes)
    daemon.once("GET", "/")
    before = daemon.rss_bytes("VmHWM")
    batch = request("HEAD", "/" + "x" * 1500) * 40
    with daemon.client(receive_buffer=4096) as client:
        client.socket.settimeout(seconds(1))
        batches = 0
        try:
            while batches < 300:
                client.send(batch)
                batches += 1
                daemon.once("GET", "/")
        except OSError:
            pass
        assert daemon.rss_bytes("VmHWM") - before < 2 * MIB, (before, daemon.rss_bytes("VmHWM"), batches)


def test_a_client_that_takes_its_answers_later_gets_all_that_it_pipelined(life):
    routes = '[[route]]\npath = "/"\nrespond = { status = 200, body = "%s" }\n' % ("x" * MIB)
    daemon = life.daemon([life.replica()], workers=1, routes=routes)
    with daemon.client(receive_buffer=4096) as client:
        client.send(request("GET", "/") * 20)
        for _ in range(20):
            assert len(client.response().body) == MIB
        assert client.get("/").status == 200


def test_a_slow_replica_stops_the_upload_and_not_the_memory(life):
    needs_a_plain_build()
    go_on, sent = threading.Event(), [0]
    total = 256 * MIB

    def serve(peer):
        peer.head()
        go_on.wait(seconds(60))
    a = life.replica(on_connection=serve, receive_buffer=64 * 1024)
    daemon = life.daemon([a], workers=1)
    before = daemon.rss_bytes()
    client = daemon.client()
    client.send(f"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: {total}\r\n\r\n")

    def upload():
        try:
            while sent[0] < total:
                client.socket.sendall(PIECE)
                sent[0] += len(PIECE)
        except OSError:
            pass
    threading.Thread(target=upload, daemon=True).start()
    a.wait_for_requests(1)
    has_stopped(sent)
    assert sent[0] < 64 * MIB, sent
    assert daemon.rss_bytes() - before < 2 * MIB, (before, daemon.rss_bytes())
    go_on.set()
    client.close()


def test_the_bytes_of_a_body_are_the_same_on_both_sides(life):
    data = os.urandom(3 * MIB + 17)

    def answer(peer, message):
        peer.answer(200, message.body)
    daemon = life.daemon([life.replica(handle=answer)])
    response = daemon.once("POST", "/", body=data)
    assert response.body == data


def test_events_leave_as_they_come(life):
    heard = threading.Event()

    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            event = b"data: %d\n\n" % number
            peer.send(b"%x\r\n%s\r\n" % (len(event), event))
            # The next event is made only when the client has seen this one.
            assert heard.wait(seconds(PATIENCE)), f"event {number} is held back"
            heard.clear()
        peer.send(b"0\r\n\r\n")
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        client.send(request("GET", "/events", [("Accept", "text/event-stream")]))
        head = client.response_head()
        assert head.get("Content-Type") == "text/event-stream"
        for number in range(5):
            size = int(client.stream.line(), 16)
            assert client.stream.exactly(size + 2) == b"data: %d\n\n\r\n" % number
            heard.set()
        assert client.stream.line() == b"0"


def test_the_head_of_a_stream_leaves_before_its_first_event(life):
    heard = threading.Event()

    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        assert heard.wait(seconds(PATIENCE)), "the head is held back"
        peer.send(b"data: x\n\n")
        peer.close()
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        client.send(request("GET", "/events"))
        assert client.response_head().status == 200
        heard.set()


def test_a_stream_that_is_silent_is_not_cut_by_default(life):
    go_on = threading.Event()

    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        assert go_on.wait(seconds(60))
        peer.send(b"data: late\n\n")
        peer.close()
    daemon = life.daemon([life.replica(handle=answer)],
                         timeouts='client_idle = "2s"\nclient_stall = "2s"\nresponse_body = "2s"\n'
                                  'response_head = "2s"')
    with daemon.client() as client:
        client.send(request("GET", "/events"))
        assert client.response_head().status == 200
        with daemon.client() as idle:
            idle.is_closed_by_peer()
        go_on.set()
        size = int(client.stream.line(), 16)
        assert client.stream.exactly(size) == b"data: late\n\n"


def test_stream_idle_cuts_a_stream_that_says_nothing(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        peer.wait_for_end()
    daemon = life.daemon([life.replica(handle=answer)], timeouts='stream_idle = "300ms"')
    with daemon.client() as client:
        client.send(request("GET", "/events"))
        assert client.response_head().status == 200
        try:
            rest = client.stream.rest()
        except ConnectionResetError:
            rest = b""
        assert not rest.endswith(b"0\r\n\r\n"), "a cut stream must not look complete"
    daemon.wait_metric("limpet_timeouts_total", 1, kind="stream_idle")


def test_a_client_that_leaves_a_stream_frees_the_replica(life):
    ended = threading.Event()

    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        peer.wait_for_end()
        ended.set()
    a = life.replica(handle=answer)
    daemon = life.daemon([a])
    client = daemon.client()
    client.send(request("GET", "/events"))
    client.response_head()
    client.close()
    assert ended.wait(seconds(PATIENCE))
    wait_until(lambda: a.open_connections() == 0, "no connection is left")
