# SPDX-License-Identifier: Apache-2.0
"""Flow control (RFC 9113 sections 5.2 and 6.9): windows are kept to the byte, and they are the back-pressure."""

import threading

from harness import h2_frames as f
from harness.client import request
from harness.deadline import PATIENCE, SLOW, Skip, seconds, stays
from harness.h2 import H2Client

MIB = 1 << 20
PIECE = bytes(1 << 18)


def sending(total, sent=None):
    """A handler that answers /big… with so many bytes and counts what it could write."""
    def answer(peer, message):
        if not message.target.startswith("/big"):
            return peer.answer(200, b"small")
        peer.socket.settimeout(None)
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n".encode())
        left = total
        while left:
            size = min(left, len(PIECE))
            peer.socket.sendall(PIECE[:size])
            left -= size
            if sent is not None:
                sent[0] += size
    return answer


def has_stopped(counter):
    """Waits until a counter has not moved for a while."""
    while True:
        seen = counter[0]
        try:
            stays(lambda: counter[0] == seen, "stopped", 0.5)
            return
        except AssertionError:
            pass


def needs_a_plain_build():
    if SLOW > 1:
        raise Skip("memory says nothing in an instrumented build")


def test_no_byte_more_than_the_streams_window_is_sent(life):
    daemon = life.daemon([life.replica(handle=sending(100000))])
    with H2Client(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 100}, credit=False) as client:
        stream = client.begin("GET", "/big")
        client.wait(lambda: len(stream.body) == 100, "as much as the window takes")
        client.round_trip()
        assert len(stream.body) == 100
        client.send(f.window_update(stream.id, 1))
        client.wait(lambda: len(stream.body) == 101, "one more")
        client.round_trip()
        assert len(stream.body) == 101
        client.send(f.window_update(stream.id, 50000) + f.window_update(stream.id, 49899))
        client.wait(lambda: len(stream.body) == 65535, "the connection's window")
        client.send(f.window_update(0, 100000))
        assert len(client.finish(stream).body) == 100000


def test_the_window_of_the_connection_is_shared_by_its_streams(life):
    daemon = life.daemon([life.replica(handle=sending(60000))])
    with H2Client(daemon.address, credit=False) as client:
        streams = [client.begin("GET", f"/big{n}") for n in range(3)]
        client.wait(lambda: sum(len(s.body) for s in streams) == 65535, "one window in all")
        client.round_trip()
        assert sum(len(s.body) for s in streams) == 65535
        client.send(f.window_update(0, 200000))
        for stream in streams:
            assert len(client.finish(stream).body) == 60000


def test_a_window_that_becomes_negative_is_waited_out(life):
    daemon = life.daemon([life.replica(handle=sending(3000))])
    with H2Client(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 1000}, credit=False) as client:
        stream = client.begin("GET", "/big")
        client.wait(lambda: len(stream.body) == 1000, "the first window")
        client.send(f.settings({f.INITIAL_WINDOW_SIZE: 200}))   # the window is now -800
        client.send(f.window_update(stream.id, 801))
        client.wait(lambda: len(stream.body) == 1001, "one byte of room")
        client.round_trip()
        assert len(stream.body) == 1001
        client.send(f.settings({f.INITIAL_WINDOW_SIZE: 4000}))
        assert len(client.finish(stream).body) == 3000


def test_an_answer_without_a_body_needs_no_window(life):
    daemon = life.daemon([life.replica(handle=lambda peer, _: peer.answer(204))])
    with H2Client(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 0}, credit=False) as client:
        assert client.get("/").status == 204


def test_frames_are_never_longer_than_the_client_allows_and_may_be_as_long(life):
    daemon = life.daemon([life.replica(handle=sending(300000))])
    with H2Client(daemon.address) as client:
        stream = client.ask("GET", "/big")
        assert len(stream.body) == 300000 and max(stream.pieces) <= 16384


def test_a_stalled_stream_does_not_hold_back_the_others(life):
    daemon = life.daemon([life.replica(handle=sending(10 * MIB))])
    with H2Client(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 1000}, credit=False) as client:
        client.send(f.window_update(0, 100 * MIB))
        stalled = [client.begin("GET", f"/big{n}") for n in range(10)]
        client.wait(lambda: all(len(s.body) == 1000 for s in stalled), "all of them stall")
        for _ in range(20):
            assert client.get("/small").body == b"small"
        assert all(len(s.body) == 1000 for s in stalled)


def test_a_stalled_stream_stops_the_replica_and_not_the_memory(life):
    needs_a_plain_build()
    sent = [0]
    daemon = life.daemon([life.replica(handle=sending(256 * MIB, sent))], workers=1)
    with H2Client(daemon.address, credit=False) as client:
        client.get("/small")
        before = daemon.rss_bytes()
        stream = client.begin("GET", "/big")
        client.wait(lambda: len(stream.body) == 65535 - len(b"small"), "the window is full")
        has_stopped(sent)
        assert sent[0] < 64 * MIB, sent
        assert daemon.rss_bytes() - before < 2 * MIB, (before, daemon.rss_bytes())


def test_many_stalled_streams_hold_no_more_than_their_buffers(life):
    needs_a_plain_build()
    daemon = life.daemon([life.replica(handle=sending(16 * MIB))], workers=1, limits='buffer_bytes = "64KiB"')
    with H2Client(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 10}, credit=False) as client:
        client.get("/small")
        before = daemon.rss_bytes()
        streams = [client.begin("GET", f"/big{n}") for n in range(100)]
        client.wait(lambda: client.goaways or all(len(s.body) == 10 for s in streams), "all of them stall")
        stays(lambda: daemon.rss_bytes() - before < 12 * MIB, "100 streams of 64 KiB and what belongs to them", 0.5)


def test_credit_comes_only_as_the_replica_takes(life):
    needs_a_plain_build()
    go_on = threading.Event()

    def serve(peer):
        if peer.head().target == "/stalled":
            go_on.wait(seconds(60))
        else:
            peer.stream.exactly(5)
            peer.answer(200, b"quick")
            peer.wait_for_end()
    daemon = life.daemon([life.replica(on_connection=serve, receive_buffer=16 * 1024)], workers=1)
    before = daemon.rss_bytes()
    with H2Client(daemon.address) as client:
        client.wait_settings()
        stalled = client.begin("POST", "/stalled", end=False)
        sent = [0]

        def upload():
            try:
                while sent[0] < 256 * MIB:
                    client.wait(lambda: client.room > 0 and stalled.room > 0, "credit", 1.5)
                    size = min(client.room, stalled.room, 16384)
                    client.room, stalled.room = client.room - size, stalled.room - size
                    client.send(f.data(stalled.id, PIECE[:size]))
                    sent[0] += size
            except AssertionError:
                return  # no credit any more
        upload()
        assert sent[0] < 64 * MIB, "the upload is never held back"
        assert daemon.rss_bytes() - before < 2 * MIB, (before, daemon.rss_bytes())
        other = client.begin("POST", "/quick", [("content-length", "5")], end=False)
        client.wait(lambda: client.room >= 5, "room beside the stalled upload in the window of the connection")
        client.send_body(other, b"12345")
        assert client.finish(other).body == b"quick"
    go_on.set()


def test_an_upload_of_any_size_passes(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        assert b'"body_bytes": 20000000' in client.ask("PUT", "/", body=bytes(20000000)).body


def test_a_large_answer_to_a_client_with_huge_windows_passes(life):
    daemon = life.daemon([life.replica(handle=sending(4 * MIB))])
    with H2Client(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 1 << 30}, credit=False) as client:
        client.send(f.window_update(0, 1 << 30))
        for _ in range(3):
            assert len(client.ask("GET", "/big").body) == 4 * MIB


def test_a_download_of_any_size_passes(life):
    daemon = life.daemon([life.replica(handle=sending(64 * MIB))])
    with H2Client(daemon.address, limit=30) as client:
        assert len(client.ask("GET", "/big").body) == 64 * MIB


def test_a_stream_that_takes_nothing_while_bytes_wait_is_reset_after_client_stall(life):
    daemon = life.daemon([life.replica(handle=sending(MIB))], timeouts='client_stall = "300ms"')
    with H2Client(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 100}, credit=False) as client:
        stream = client.begin("GET", "/big")
        client.wait_reset(stream, f.CANCEL)
        assert len(stream.body) == 100
        client.lives()
    daemon.wait_metric("limpet_timeouts_total", 1, kind="client_stall")
    assert daemon.wait_log(lambda e: e["path"] == "/big")["ending"] == "client-slow"


def test_a_stream_that_takes_nothing_is_reset_though_its_replica_goes_on_talking(life):
    is_over = threading.Event()

    def talk(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not is_over.wait(0.1):
            peer.send(b"1\r\nx\r\n")
    daemon = life.daemon([life.replica(handle=talk)], timeouts='client_stall = "600ms"')
    with H2Client(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 0}) as client:
        try:
            client.wait_reset(client.begin("GET", "/"), f.CANCEL)
        finally:
            is_over.set()


def test_the_window_of_the_connection_at_zero_is_a_stall_too(life):
    daemon = life.daemon([life.replica(handle=sending(MIB))], timeouts='client_stall = "300ms"')
    with H2Client(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 4 * MIB}, credit=False) as client:
        stream = client.begin("GET", "/big")
        client.wait(lambda: stream.reset is not None or client.goaways, "a reset")
        assert len(stream.body) == 65535
        assert client.goaways or stream.reset == f.CANCEL, stream
    daemon.wait_metric("limpet_timeouts_total", 1, kind="client_stall")


def test_a_stream_that_is_slow_but_takes_something_is_not_a_stall(life):
    daemon = life.daemon([life.replica(handle=sending(1000000))], timeouts='client_stall = "2s"')
    with H2Client(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 100}, credit=False) as client:
        stream, other = client.begin("GET", "/big"), client.begin("GET", "/big2")
        # The other one, which takes nothing, shows that more than client_stall has passed.
        while other.reset is None:
            seen = len(stream.body)
            client.send(f.window_update(stream.id, 1))
            client.wait(lambda: len(stream.body) > seen or other.reset is not None, "some bytes")
        assert stream.reset is None, "reset although it took bytes"
        client.send(f.window_update(stream.id, 1000000) + f.window_update(0, 1000000))
        assert len(client.finish(stream).body) == 1000000


def test_events_leave_as_they_come(life):
    heard = threading.Event()

    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            text = f"data: {number}\n\n".encode()
            peer.send(b"%x\r\n%s\r\n" % (len(text), text))
            assert heard.wait(seconds(PATIENCE)), f"event {number} did not arrive"
            heard.clear()
        peer.send(b"0\r\n\r\n")
    daemon = life.daemon([life.replica(handle=answer)])
    with H2Client(daemon.address) as client:
        stream = client.begin("GET", "/events")
        for number in range(5):
            client.wait(lambda: stream.body.endswith(f"data: {number}\n\n".encode()), f"event {number}")
            heard.set()
        client.finish(stream)


def test_an_urgent_stream_goes_first_when_both_wait(life):
    """RFC 9218: two answers wait for the connection's window; the one that is more urgent gets it."""
    daemon = life.daemon([life.replica(handle=sending(30000))], workers=1)
    with H2Client(daemon.address, credit=False) as client:
        filler = client.begin("GET", "/big", [("x-first", "1")])
        client.wait(lambda: filler.is_whole, "the first")
        second = client.begin("GET", "/big-second")
        client.wait(lambda: second.is_whole, "the second")      # 5,535 bytes of the window are left
        lazy = client.begin("GET", "/big-lazy", [("priority", "u=7")])
        client.wait(lambda: len(lazy.body) == 5535, "the window is empty")
        urgent = client.begin("GET", "/big-urgent", [("priority", "u=0")])
        client.wait_head(urgent)
        client.round_trip()
        client.send(f.window_update(0, 20000))
        client.wait(lambda: len(urgent.body) + len(lazy.body) == 25535, "the window is used")
        assert len(urgent.body) >= 16384, (len(urgent.body), len(lazy.body))
        client.send(f.window_update(0, 100000))
        assert len(client.finish(lazy).body) == len(client.finish(urgent).body) == 30000


def test_an_http1_client_beside_a_stalled_http2_client_notices_nothing(life):
    daemon = life.daemon([life.replica(handle=sending(16 * MIB))], workers=1)
    with H2Client(daemon.address, credit=False) as stalled:
        streams = [stalled.begin("GET", f"/big{n}") for n in range(20)]
        stalled.wait(lambda: sum(len(s.body) for s in streams) == 65535, "it stalls")
        with daemon.client() as client:
            for _ in range(20):
                client.send(request("GET", "/small"))
                assert client.response().body == b"small"
