# SPDX-License-Identifier: Apache-2.0
"""The states of streams, their numbers and how many there may be (RFC 9113 sections 5.1 and 8.1)."""

import contextlib
import signal
import threading
import time

from harness import h2_frames as f
from harness.deadline import PATIENCE, SLOW, Skip, seconds, wait_until
from harness.gate import Gate, slow_stream
from harness.h2 import H2Client

BLOCK = f.block(f.request_fields())
CLOSED = (f.STREAM_CLOSED, f.PROTOCOL_ERROR)


def test_data_on_an_idle_stream_is_a_protocol_error(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        client.send(f.data(1, b"x"))
        client.connection_error(f.PROTOCOL_ERROR)


def test_a_stream_with_an_even_number_is_a_protocol_error(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        client.send(f.headers(2, BLOCK))
        client.connection_error(f.PROTOCOL_ERROR)


def test_a_number_lower_than_the_last_is_never_a_new_stream(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        client.expect_stream(5)
        client.send(f.headers(5, f.block(f.request_fields("GET", "/five"))))
        client.finish(client.streams[5])
        client.expect_stream(3)
        client.send(f.headers(3, f.block(f.request_fields("GET", "/three"))))
        client.refused(client.streams[3], *CLOSED)
    assert a.targets() == ["/five"]


def test_data_behind_end_stream_ends_the_stream_with_stream_closed(life):
    gate = Gate()
    daemon = life.daemon([life.replica(handle=gate)])
    with H2Client(daemon.address) as client:
        stream = client.begin("GET", "/slow")
        client.send(f.data(stream.id, b"more", True))
        client.refused(stream, f.STREAM_CLOSED)
    gate.open.set()


def test_headers_behind_end_stream_end_the_stream_with_stream_closed(life):
    gate = Gate()
    daemon = life.daemon([life.replica(handle=gate)])
    with H2Client(daemon.address) as client:
        stream = client.begin("GET", "/slow")
        client.send(f.headers(stream.id, BLOCK))
        client.refused(stream, f.STREAM_CLOSED)
    gate.open.set()


def test_a_request_on_a_stream_that_is_over_is_refused(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        client.ask("GET", "/once")
        stream = client.expect_stream(1)
        client.send(f.headers(1, f.block(f.request_fields("GET", "/twice"))))
        client.refused(stream, *CLOSED)
    assert a.targets() == ["/once"]


def test_a_request_on_a_stream_that_the_client_took_back_is_refused(life):
    with slow_stream(life) as slow:
        client, stream = slow.client, slow.stream
        client.send(f.rst_stream(stream.id))
        client.send(f.headers(stream.id, f.block(f.request_fields("GET", "/twice"))))
        client.wait(lambda: client.goaways or stream.reset is not None, "a refusal")
        assert (client.goaways[-1][1] if client.goaways else stream.reset) in CLOSED
    assert slow.replica.targets() == ["/slow"]


def test_frames_that_crossed_the_end_of_a_stream_disturb_nobody(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        stream = client.ask("GET", "/")
        client.send(f.window_update(stream.id, 100) + f.rst_stream(stream.id) + f.priority(stream.id))
        client.lives()


def test_data_that_crossed_the_balancers_reset_disturbs_nobody_and_is_credited(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        before = client.room
        for _ in range(20):  # 320,000 bytes: more than the connection's window if they were lost from it
            client.wait(lambda: client.room >= 16384, "credit of the connection")
            stream = client.begin("POST", "/", end=False)
            client.send(f.window_update(stream.id, f.WINDOW_BYTES_MAX))  # provokes the reset
            client.room -= 16384
            client.send(f.data(stream.id, bytes(16384)))
            client.wait_reset(stream)
        client.lives()
        assert client.room > before - 16384 * 20, "nothing was credited"


def test_more_streams_than_announced_are_refused_and_the_others_served(life):
    gate = Gate()
    a = life.replica(handle=gate)
    daemon = life.daemon([a], limits="http2_streams = 4")
    with H2Client(daemon.address) as client:
        assert client.wait_settings()[f.MAX_CONCURRENT_STREAMS] == 4
        client.round_trip()
        streams = [client.begin("GET", f"/slow{n}") for n in range(4)]
        a.wait_for_requests(4)
        client.refused(client.begin("GET", "/slow-too-many"), f.REFUSED_STREAM, f.PROTOCOL_ERROR)
        gate.open.set()
        if not client.goaways:
            for stream in streams:
                assert client.finish(stream).status == 200
            client.lives()
    assert "/slow-too-many" not in a.targets()


def test_room_for_a_stream_comes_back_when_one_ends(life):
    daemon = life.daemon([life.replica()], limits="http2_streams = 1")
    with H2Client(daemon.address) as client:
        client.wait_settings()
        for number in range(50):
            assert client.get(f"/{number}").status == 200


def test_a_hundred_streams_run_at_once(life):
    gate = Gate()
    a = life.replica(handle=gate)
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        client.wait_settings()
        streams = [client.begin("GET", f"/slow{n}") for n in range(100)]
        a.wait_for_requests(100)
        assert gate.most == 100
        gate.open.set()
        for number, stream in enumerate(streams):
            assert f'"/slow{number}"' in client.finish(stream).text()


def test_a_slow_answer_does_not_hold_back_a_quick_one(life):
    gate = Gate()
    daemon = life.daemon([life.replica(handle=gate)])
    with H2Client(daemon.address) as client:
        slow = client.begin("GET", "/slow")
        for _ in range(10):
            assert client.get("/quick").status == 200
        assert not slow.has_head
        gate.open.set()
        assert client.finish(slow).status == 200


def test_bodies_of_many_streams_interleave_and_arrive_whole(life):
    def echo(peer, message):
        peer.answer(200, message.body)
    daemon = life.daemon([life.replica(handle=echo)])
    with H2Client(daemon.address) as client:
        bodies = [bytes([n]) * (30000 + n) for n in range(20)]
        streams = [client.begin("POST", f"/{n}", end=False) for n in range(20)]
        for at in range(0, 30020, 5000):
            for stream, body in zip(streams, bodies):
                piece = body[at:at + 5000]
                if piece or at < len(body):
                    client.send_body(stream, piece, end=at + 5000 >= len(body))
        for stream, body in zip(streams, bodies):
            assert client.finish(stream).body == body


def test_a_client_that_takes_a_stream_back_ends_the_exchange_at_the_replica(life):
    ended = threading.Event()

    def serve(peer):
        peer.head()
        peer.wait_for_end()
        ended.set()
    a = life.replica(on_connection=serve)
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        stream = client.begin("GET", "/abandoned")
        a.wait_for_requests(1)
        client.send(f.rst_stream(stream.id))
        assert ended.wait(seconds(PATIENCE)), "the replica goes on working for nobody"
        assert not client.goaways
    entry = daemon.wait_log(lambda e: e["path"] == "/abandoned")
    assert "client" in entry["ending"], entry


def test_a_client_that_leaves_ends_all_its_exchanges(life):
    ended = []

    def serve(peer):
        peer.head()
        peer.wait_for_end()
        ended.append(1)
    a = life.replica(on_connection=serve)
    daemon = life.daemon([a])
    client = H2Client(daemon.address)
    for number in range(10):
        client.begin("GET", f"/{number}")
    a.wait_for_requests(10)
    client.close()
    wait_until(lambda: len(ended) == 10, "all are ended")


def test_a_body_that_is_broken_off_never_looks_whole_to_the_replica(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", "/cut", end=False)
        client.send(f.data(stream.id, b"half"))
        client.send(f.rst_stream(stream.id))
        client.lives()
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", "/cut-too", end=False)
        client.send(f.data(stream.id, b"half"))
        client.round_trip()
    assert daemon.once("GET", "/after").status == 200
    assert "/cut" not in [r.target for r in a.requests if r.is_whole]
    assert "/cut-too" not in [r.target for r in a.requests if r.is_whole]


def test_goaway_of_the_client_lets_running_streams_finish_and_ends_the_connection(life):
    with slow_stream(life) as slow:
        slow.client.send(f.goaway())
        slow.client.round_trip()
        slow.gate.open.set()
        assert slow.client.finish(slow.stream).status == 200
        slow.client.wait_end()


def test_nothing_is_ever_pushed(life):
    def answer(peer, _):
        peer.answer(200, b"page", [("Link", "</style.css>; rel=preload; as=style")])
    daemon = life.daemon([life.replica(handle=answer)])
    with H2Client(daemon.address, settings={f.ENABLE_PUSH: 1}) as client:
        assert client.get("/").has("link")
        client.round_trip()
        assert client.count(f.PUSH_PROMISE) == 0


def test_quiet_connections_hold_less_memory_and_go_on_where_they_were(life):
    if SLOW > 1:
        raise Skip("memory says nothing in an instrumented build")
    page = 4096

    def held():
        try:
            with open(f"/proc/{daemon.pid}/smaps_rollup", encoding="ascii") as file:
                return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:")) * 1024
        except (OSError, StopIteration):
            raise Skip("this system does not tell what memory of a process is its own") from None

    def held_while_all_are_busy():
        for _ in range(5):
            began = time.monotonic()
            for client in clients:
                assert client.get("/before").status == 200
            found = held()
            if time.monotonic() - began < 0.4:  # a connection rests after half a second
                return found
        raise Skip("this machine is too slow to have all of them busy at once")

    daemon = life.daemon([life.replica()])
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(H2Client(daemon.address)) for _ in range(100)]
        most = held_while_all_are_busy()
        wait_until(lambda: held() < most - len(clients) * page, "their memory is given back", 20.0)
        for client in clients[:50]:
            assert client.lives()
        for client in clients[50:]:
            client.round_trip()
        daemon.signal(signal.SIGTERM)
        for client in clients:
            client.wait_end()
            assert client.goaways[0][1] == f.NO_ERROR, client.goaways
    assert daemon.wait() == 0
