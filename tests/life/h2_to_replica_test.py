# SPDX-License-Identifier: Apache-2.0
"""Replicas that speak HTTP/2: connections shared, limits kept, refusals and ends taken for what they are."""

import select
import threading

from harness import h2_frames as f
from harness.affinity import who
from harness.config import EVENLY
from harness.deadline import seconds, stays, wait_until
from harness.gate import Asking, Gate
from harness.h2 import H2Client, StreamReset
from harness.h2_replica import Served
from harness.message import Closed, Truncated
from harness.replica import say_who

H2 = 'preset = "web"\nprotocol = "http2"'
FREE = "from = []"
PATIENT = 'active = { type = "off" }\ninitial = "up"\npassive = { failures = 1000 }'


def speaking(life, id="a", handle=say_who, **options):
    """A replica of HTTP/2 and what it is."""
    served = Served(handle, **options)
    return life.replica(id, on_connection=served), served


def balancing(life, *replicas, **options):
    options = {"workers": 1, "health": PATIENT, "affinity": FREE, **options}
    return life.daemon(list(replicas), pool_keys=options.pop("pool_keys", H2), **options)


def broken(daemon, path="/"):
    """What an HTTP/1 client has of a response that must not look whole."""
    try:
        response = daemon.once("GET", path)
    except (Truncated, Closed, ConnectionResetError):
        return True
    raise AssertionError(f"a broken answer looks whole: {response}")


def test_an_http1_client_is_served_by_an_http2_replica(life):
    a, _ = speaking(life)
    daemon = balancing(life, a)
    response = daemon.once("POST", "/p?q=1", [("X-Some", "thing")], b"hello")
    assert response.status == 200 and response.get("X-Replica") == "a"
    request = a.requests[0]
    assert request.pseudo == {":method": "POST", ":scheme": "http", ":authority": "test.example", ":path": "/p?q=1"}
    assert request.get("x-some") == "thing" and request.body == b"hello"
    assert a.failures == []


def test_fields_of_the_clients_connection_do_not_reach_the_replica(life):
    a, _ = speaking(life)
    daemon = balancing(life, a)
    daemon.once("GET", "/", [("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"), ("TE", "trailers"),
                             ("Upgrade", "other"), ("Proxy-Connection", "keep-alive"), ("X-Kept", "2")])
    names = {name for name, _ in a.requests[0].fields}
    assert not names & {"connection", "x-hop", "keep-alive", "upgrade", "proxy-connection", "host",
                        "transfer-encoding"}, names
    assert names == {name.lower() for name in names} and "x-kept" in names
    assert a.requests[0].get("te") in (None, "trailers")


def test_a_scheme_is_believed_of_trusted_clients_only(life):
    a, _ = speaking(life)
    for trusted, scheme in (("", "http"), ('trusted = ["127.0.0.0/8"]', "https")):
        daemon = balancing(life, a, listener=trusted)
        with H2Client(daemon.address) as client:
            client.scheme = "https"
            assert client.ask().status == 200
        assert daemon.once("GET", "https://test.example/").status == 200
        assert [request.pseudo[":scheme"] for request in a.requests[-2:]] == [scheme] * 2, (trusted, a.requests)
        assert daemon.stop() == 0


def test_the_replicas_own_name_is_sent_where_that_is_wished(life):
    a, _ = speaking(life)
    daemon = balancing(life, a, pool_keys=H2 + '\nforward_host = "replica"')
    daemon.once("GET", "/")
    assert a.requests[0].authority == a.address


def test_one_connection_carries_many_exchanges_at_once(life):
    gate = threading.Event()

    def slow(peer, message):
        gate.wait(seconds(60))
        say_who(peer, message)
    a, served = speaking(life, handle=slow)
    daemon = balancing(life, a)
    with H2Client(daemon.address) as client:
        streams = [client.begin("GET", f"/{n}") for n in range(50)]
        a.wait_for_requests(50)
        gate.set()
        for stream in streams:
            assert client.finish(stream).status == 200
    assert len(served.connections) == 1, f"{len(served.connections)} connections for 50 exchanges"
    assert a.failures == []


def opened_too_many(connection, allowed):
    """Whether a stream was begun above the limit after the limit had been acknowledged. (None has ended yet.)"""
    acknowledged, open_streams = False, 0
    for came in list(connection.frames):
        acknowledged = acknowledged or (came.type == f.SETTINGS and came.has(f.ACK))
        open_streams += came.type == f.HEADERS
        if acknowledged and came.type == f.HEADERS and open_streams > allowed:
            return True
    return False


def test_no_more_streams_are_opened_than_the_replica_allows(life):
    gate = threading.Event()

    def slow(peer, message):
        assert gate.wait(seconds(60))
        say_who(peer, message)
    a, served = speaking(life, handle=slow, settings={f.MAX_CONCURRENT_STREAMS: 3})
    daemon = balancing(life, a)
    with H2Client(daemon.address) as client:
        first = client.begin("GET", "/first")
        a.wait_for_requests(1)
        wait_until(lambda: any(c.type == f.SETTINGS and c.has(f.ACK) for c in served.connections[0].frames), "the ACK")
        streams = [client.begin("GET", f"/{n}") for n in range(12)]
        wait_until(lambda: a.count() >= 3, "as many as are allowed")
        stays(lambda: not any(opened_too_many(c, 3) for c in served.connections), "never more on one connection")
        gate.set()
        for stream in [first, *streams]:
            assert client.finish(stream).status == 200


def test_a_replica_that_allows_no_stream_at_all_is_not_dialled_again_and_again(life):
    a, _ = speaking(life, "a", settings={f.MAX_CONCURRENT_STREAMS: 0})
    daemon = balancing(life, a)
    assert daemon.once("GET", "/").status == 502
    assert a.connections == 1, a.connections
    wait_until(lambda: a.open_connections() == 0, "the connection is not kept")


def test_a_request_that_comes_with_the_end_of_another_has_its_stream(life):
    def handle(peer, message):
        if message.target == "/endless":
            peer.wait_reset()
        else:
            say_who(peer, message)
    a, _ = speaking(life, handle=handle, early=True, settings={f.MAX_CONCURRENT_STREAMS: 1})
    daemon = balancing(life, a)
    with H2Client(daemon.address) as client:
        for _ in range(3):
            endless = client.begin("GET", "/endless")
            wait_until(lambda: a.count("/endless") == a.count() - a.count("/"), "it runs")
            client.round_trip()
            stream = client.expect_stream()
            head = f.block(f.request_fields("GET", "/", (), "http", "test.example"))
            client.send(f.rst_stream(endless.id, f.CANCEL) + f.headers(stream.id, head, True))
            assert client.finish(stream).status == 200, stream


def test_a_kept_connection_is_used_again_and_again(life):
    a, served = speaking(life)
    daemon = balancing(life, a)
    for number in range(30):
        assert daemon.once("GET", f"/{number}").status == 200
    assert len(served.connections) == 1


def test_a_connection_that_the_replica_has_ended_costs_nobody_a_request(life):
    a, served = speaking(life)
    daemon = balancing(life, a)
    for number in range(10):
        assert daemon.once("POST", f"/{number}", body=b"x").status == 200
        ended = len(served.connections)
        a.cut()
        wait_until(lambda: a.open_connections() == 0, "it is cut")
        assert ended == len(served.connections)


def test_a_refused_stream_is_tried_on_another_replica(life):
    def refuse(stream, _):
        stream.reset_with(f.REFUSED_STREAM)
    a, _ = speaking(life, "a", refuse, early=True)
    b, _ = speaking(life, "b")
    daemon = balancing(life, a, b, balance='policy = "round-robin"')
    for number in range(6):
        assert who(daemon.once("GET", f"/{number}")) == "b"
        assert who(daemon.once("POST", f"/{number}", body=b"")) == "b"
    daemon.wait_metric("limpet_retries_total", 1, result="success")


def test_a_stream_that_is_refused_everywhere_is_an_error_and_is_not_tried_for_ever(life):
    def refuse(stream, _):
        stream.reset_with(f.REFUSED_STREAM)
    a, _ = speaking(life, "a", refuse, early=True)
    b, _ = speaking(life, "b", refuse, early=True)
    daemon = balancing(life, a, b)
    assert daemon.once("GET", "/").status in (502, 503)
    assert a.count() + b.count() == 2


def test_a_reset_before_the_answer_is_a_bad_gateway_and_a_post_is_not_tried_again(life):
    def reset(stream, _):
        stream.reset_with(f.INTERNAL_ERROR)
    a, _ = speaking(life, "a", reset)
    b, _ = speaking(life, "b", reset)
    daemon = balancing(life, a, b)
    assert daemon.once("POST", "/", body=b"pay").status == 502
    assert a.count() + b.count() == 1


def test_a_reset_inside_the_answer_never_looks_whole(life):
    def cut(stream, _):
        stream.head(200)
        stream.data(b"half")
        stream.reset_with(f.INTERNAL_ERROR)
    a, _ = speaking(life, handle=cut)
    daemon = balancing(life, a)
    broken(daemon)
    with H2Client(daemon.address) as client:
        try:
            raise AssertionError(f"a broken answer looks whole: {client.get('/')}")
        except StreamReset as reset:
            assert reset.code in (f.INTERNAL_ERROR, f.CANCEL), reset
        client.round_trip()
    assert {e["ending"] for e in daemon.log()} <= {"replica-failed"}


def test_an_answer_followed_by_a_reset_without_an_error_is_whole(life):
    """RFC 9113 section 8.1: a server may answer early and ask the client to stop with NO_ERROR."""
    def early(stream, _):
        stream.answer(413, b"enough")
        stream.reset_with(f.NO_ERROR)
    a, _ = speaking(life, handle=early, early=True)
    daemon = balancing(life, a)
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", "/", end=False)
        client.send(f.data(stream.id, b"some"))
        client.wait_head(stream)
        client.wait(lambda: stream.is_over, "its end")
        assert stream.status == 413 and stream.is_whole and stream.body == b"enough", stream
        client.round_trip()
    response = daemon.once("POST", "/", body=b"x" * 100000)
    assert response.status == 413 and response.body == b"enough", response


def test_streams_behind_the_last_one_of_a_goaway_are_tried_elsewhere(life):
    def go(stream, _):
        stream.endpoint.send(f.goaway(0))
    a, _ = speaking(life, "a", go, early=True)
    b, _ = speaking(life, "b")
    daemon = balancing(life, a, b, balance='policy = "round-robin"')
    for number in range(6):
        assert who(daemon.once("POST", f"/{number}", body=b"")) == "b"


def test_streams_before_the_last_one_of_a_goaway_finish(life):
    gate = threading.Event()

    def slow(stream, message):
        if stream.target == "/slow":
            gate.wait(seconds(60))
        say_who(stream, message)
    a, served = speaking(life, handle=slow)
    daemon = balancing(life, a)
    with H2Client(daemon.address) as client:
        stream = client.begin("GET", "/slow")
        a.wait_for_requests(1)
        served.send_goaway()
        wait_until(lambda: client.get("/other").status == 200 and len(served.connections) == 2, "a new connection")
        gate.set()
        assert client.finish(stream).status == 200
        wait_until(lambda: len(served.live_connections()) == 1, "the old connection is ended")
    assert a.failures == []


def test_a_goaway_moves_connections_and_never_sessions(life):
    pairs = [speaking(life, id) for id in "abc"]
    daemon = balancing(life, *[replica for replica, _ in pairs], affinity="show = true", balance=EVENLY)
    jars = [daemon.jar() for _ in range(12)]
    homes = [who(jar.get()) for jar in jars]
    assert set(homes) == {"a", "b", "c"}
    for _, served in pairs:
        served.send_goaway()
    assert [who(jar.get()) for jar in jars] == homes


def test_a_refusal_by_the_owner_does_not_lose_the_session_for_good(life):
    moods = {"refuse": True}

    def moody(stream, message):
        if moods["refuse"] and stream.target == "/refused":
            return stream.reset_with(f.REFUSED_STREAM)
        say_who(stream, message)
    a, _ = speaking(life, "a", moody)
    daemon = balancing(life, a, affinity="show = true")
    jar = daemon.jar()
    assert who(jar.get()) == "a"
    assert jar.get("/refused").status in (502, 503)
    moods["refuse"] = False
    assert who(jar.get()) == "a"


BAD_HEADS = {
    "no status": [("content-type", "text/plain")],
    "a status of two digits": [(":status", "20")],
    "a status that is no number": [(":status", "abc")],
    "two statuses": [(":status", "200"), (":status", "200")],
    "a pseudo-field of a request": [(":status", "200"), (":path", "/")],
    "a pseudo-field behind a field": [("x-a", "b"), (":status", "200")],
    "an upper-case name": [(":status", "200"), ("X-Upper", "a")],
    "connection": [(":status", "200"), ("connection", "close")],
    "transfer-encoding": [(":status", "200"), ("transfer-encoding", "chunked")],
    "a line end in a value": [(":status", "200"), ("x-a", "b\r\nset-cookie: stolen=1")],
    "a NUL in a value": [(":status", "200"), ("x-a", "b\0c")],
    "two lengths that differ": [(":status", "200"), ("content-length", "1"), ("content-length", "2")],
    "status 101": [(":status", "101")],
}


def test_every_malformed_answer_is_a_bad_gateway(life):
    blocks = {f"/{n}": f.block(fields) for n, fields in enumerate(BAD_HEADS.values())}

    def answer(stream, _):
        if stream.target in blocks:
            stream.endpoint.send(f.headers(stream.id, blocks[stream.target]))
        else:
            say_who(stream, stream)
    a, _ = speaking(life, handle=answer)
    daemon = balancing(life, a, retry="attempts = 1")
    for number, name in enumerate(BAD_HEADS):
        response = daemon.once("GET", f"/{number}")
        assert response.status == 502 and response.body, (name, response)
        assert b"stolen" not in response.raw_head, (name, response)
    assert daemon.once("GET", "/after").status == 200


def test_a_body_of_another_length_than_said_never_looks_whole(life):
    def answer(stream, _):
        stream.head(200, [("content-length", "10")])
        stream.data(b"short" if stream.target == "/short" else b"much too long", end=True)
    a, _ = speaking(life, handle=answer)
    daemon = balancing(life, a)
    broken(daemon, "/short")
    broken(daemon, "/long")


def test_a_breach_of_the_framing_ends_the_connection_and_the_next_request_has_another(life):
    def answer(stream, message):
        if stream.target == "/bad":
            return stream.endpoint.send(f.frame(f.SETTINGS, 0, 0, bytes(5)))
        say_who(stream, message)
    a, served = speaking(life, handle=answer)
    daemon = balancing(life, a, retry="attempts = 1")
    assert daemon.once("GET", "/bad").status == 502
    assert daemon.once("GET", "/good").status == 200
    assert len(served.connections) == 2
    wait_until(lambda: served.connections[0].ended, "the first is ended")
    assert served.connections[0].goaways[-1][1] == f.FRAME_SIZE_ERROR, served.connections[0].goaways


def test_a_replica_that_does_not_speak_http2_is_a_bad_gateway(life):
    def http1(peer):
        peer.stream.fill()
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        peer.wait_for_end()
    a = life.replica(on_connection=http1)
    daemon = balancing(life, a, retry="attempts = 1")
    assert daemon.once("GET", "/").status == 502


def test_pushes_are_forbidden_and_one_that_comes_is_an_error(life):
    def push(stream, _):
        promised = f.block(f.request_fields("GET", "/pushed"))
        stream.endpoint.send(f.frame(f.PUSH_PROMISE, f.END_HEADERS, stream.id, b"\0\0\0\x02" + promised))
        stream.answer(200, b"ok")
    a, served = speaking(life, handle=push)
    daemon = balancing(life, a, retry="attempts = 1")
    assert daemon.once("GET", "/").status in (200, 502)
    assert served.connections[0].peer_settings.get(f.ENABLE_PUSH) == 0, served.connections[0].peer_settings
    wait_until(lambda: served.connections[0].ended, "the connection is ended")
    assert served.connections[0].goaways[-1][1] == f.PROTOCOL_ERROR


def test_a_slow_client_stops_an_http2_replica_by_its_window(life):
    sent = [0]

    def endless(stream, _):
        stream.head(200)
        while sent[0] < 64 << 20:
            stream.data(bytes(16384))
            sent[0] += 16384
    a, _ = speaking(life, handle=endless)
    daemon = balancing(life, a)
    with H2Client(daemon.address, credit=False) as client:
        stream = client.begin()
        client.wait(lambda: len(stream.body) == 65535, "the client's window is full")
        while True:
            seen = sent[0]
            try:
                stays(lambda: sent[0] == seen, "stopped", 0.5)
                break
            except AssertionError:
                pass
        assert sent[0] < 4 << 20, f"{sent[0]} bytes were taken from the replica"


def test_a_slow_client_does_not_hold_back_others_on_the_same_replica_connection(life):
    def answer(stream, message):
        if stream.target == "/big":
            return stream.answer(200, bytes(8 << 20))
        say_who(stream, message)
    a, served = speaking(life, handle=answer)
    daemon = balancing(life, a)
    with H2Client(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 100}, credit=False) as slow, \
            H2Client(daemon.address) as quick:
        stalled = [slow.begin("GET", "/big") for _ in range(10)]
        slow.wait(lambda: all(len(s.body) == 100 for s in stalled), "they stall")
        for _ in range(10):
            assert quick.get("/small").status == 200
        assert len(quick.get("/big").body) == 8 << 20


def test_a_slow_replica_holds_back_the_client_by_its_window(life):
    go_on, got = threading.Event(), []

    def slow(stream, message):
        go_on.wait(seconds(60))
        stream.endpoint.credit = True
        stream.endpoint.send(f.window_update(0, 1 << 30) + f.window_update(stream.id, 1 << 30))
        got.append(len(stream.wait_whole(20).body))
        say_who(stream, message)
    a, _ = speaking(life, handle=slow, early=True, credit=False)
    daemon = balancing(life, a)
    total = 8 << 20
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", end=False)
        a.wait_for_requests(1)
        client.round_trip()
        sent = 0
        try:
            while sent < total:
                client.wait(lambda: client.room > 0 and stream.room > 0, "credit", 1)
                size = min(client.room, stream.room, 16384, total - sent)
                client.room, stream.room, sent = client.room - size, stream.room - size, sent + size
                client.send(f.data(stream.id, bytes(size)))
        except AssertionError:
            pass
        assert sent < total, "the client is never held back"
        go_on.set()
        client.send_body(stream, bytes(total - sent))
        assert client.finish(stream).status == 200
    assert got == [total]


def test_a_request_that_takes_longer_than_response_head_to_come_is_not_the_replicas_silence(life):
    a, _ = speaking(life)
    daemon = balancing(life, a, pool_timeouts='response_head = "2s"')
    with daemon.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 3000\r\n\r\n")
        for _ in range(30):
            stays(lambda: not select.select([client.socket], [], [], 0)[0], "no answer yet", during=0.1)
            client.send(bytes(100))
        assert client.response().status == 200


def test_a_client_that_stalls_in_its_upload_is_not_the_replicas_silence(life):
    a, _ = speaking(life)
    daemon = balancing(life, a, pool_timeouts='response_head = "300ms"', timeouts='client_stall = "900ms"')
    with daemon.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 3000\r\n\r\na")
        assert client.response().status == 408
    assert daemon.metrics().sum("limpet_timeouts_total", kind="response_head") == 0


def test_a_replica_that_is_slow_but_takes_something_is_not_a_stall(life):
    def handle(stream, _):
        while len(stream.body) < 400000:
            got = len(stream.body)
            stream.endpoint.send(f.window_update(stream.id, 4000) + f.window_update(0, 4000))
            stream.wait_bytes(got + 1)
            stays(lambda: stream.reset is None, "not taken back", during=0.05)
        stream.wait_whole()
        say_who(stream, stream)
    a, _ = speaking(life, handle=handle, early=True, credit=False, settings={f.INITIAL_WINDOW_SIZE: 4000})
    daemon = balancing(life, a, pool_timeouts='response_head = "2s"\nresponse_body = "2s"')
    with daemon.client(limit=30) as client:
        assert client.ask("POST", "/", body=bytes(400000)).status == 200


def test_trailers_of_the_replica_arrive(life):
    def answer(stream, _):
        stream.answer(200, b"body", trailers=[("x-sum", "42")])
    a, _ = speaking(life, handle=answer)
    daemon = balancing(life, a)
    with H2Client(daemon.address) as client:
        response = client.get("/")
        assert response.body == b"body" and response.trailer("x-sum") == "42"


def test_a_connection_that_has_died_without_a_word_is_found_out_by_ping(life):
    a, served = speaking(life, answers_pings=False)
    daemon = balancing(life, a)
    assert daemon.once("GET", "/").status == 200
    first = served.connections[0]
    wait_until(lambda: any(c.type == f.PING for c in first.frames), "a PING on the idle connection", 60)
    wait_until(lambda: first.ended, "the connection is given up", 60)
    served.answers_pings = True
    assert daemon.once("GET", "/").status == 200


def test_pings_and_settings_of_the_replica_are_answered(life):
    a, served = speaking(life)
    daemon = balancing(life, a)
    daemon.once("GET", "/")
    connection = served.connections[0]
    connection.send(f.ping(b"8 octets") + f.settings({f.INITIAL_WINDOW_SIZE: 70000}))
    connection.wait(lambda: any(c.type == f.PING and c.has(f.ACK) and c.payload == b"8 octets"
                                for c in connection.frames), "the answer to PING")
    connection.wait(lambda: sum(c.type == f.SETTINGS and c.has(f.ACK) for c in connection.frames) >= 2, "two ACKs")


def test_an_upload_that_had_to_wait_for_a_replica_is_given_up_when_its_client_stalls(life):
    def a_refuses(stream, request):
        if request.target == "/up":
            return stream.reset_with(f.REFUSED_STREAM)
        if request.target == "/stall":
            return stream.wait_whole()
        say_who(stream, request)
    gate = Gate("/hold")
    a, _ = speaking(life, "a", a_refuses, early=True)
    b, _ = speaking(life, "b", gate)
    daemon = balancing(life, a, b, balance=f'{EVENLY}\nmax_requests = 1\nqueue_timeout = "60s"',
                       timeouts='client_stall = "300ms"')
    while gate.running == 0:
        held = Asking(lambda: daemon.once("GET", "/hold"))
        wait_until(lambda: gate.running or not held.is_alive(), "b is at work, or a has answered")
    with daemon.client() as client, daemon.client() as other:
        client.send(b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        daemon.wait_metric("limpet_pool_queue", 1)
        other.send(b"POST /stall HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        assert other.response().status == 408, "client_stall is over"
        gate.open.set()
        b.wait_for_requests(2)
        assert client.response().status == 408
