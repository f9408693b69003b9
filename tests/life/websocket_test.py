# SPDX-License-Identifier: Apache-2.0
"""WebSocket between any client and any replica: by upgrade in HTTP/1, by extended CONNECT in HTTP/2."""

import os
import signal
import threading

from harness import h2_frames as f
from harness import websocket as ws
from harness.affinity import SHOW
from harness.client import request
from harness.crossing import Crossing, is_h2
from harness.deadline import PATIENCE, seconds, wait_until
from harness.h2 import H2Client, StreamReset
from harness.h2_replica import Served
from harness.message import Closed, Truncated

EXTENDED = {f.ENABLE_CONNECT_PROTOCOL: 1}
H2 = 'preset = "web"\nprotocol = "http2"'


def tunnel(client, path="/chat", fields=()):
    made = (ws.Http2Tunnel if is_h2(client) else ws.Http1Tunnel)(client, path, fields)
    assert made.is_open, made.head
    return made


def crossing(life, handle=ws.echo):
    """All sixteen pairs, with replicas that switch over."""
    made = Crossing(life, handle, early=True, settings=EXTENDED)
    made.replicas["h1"].on_connection = handle
    made.replicas["h1-tls"].on_connection._serve_http1 = handle
    return made


def to_h1(life, handle=ws.echo, **options):
    a = life.replica(on_connection=handle)
    return a, life.daemon([a], **options)


def to_h2(life, handle=ws.echo, settings=EXTENDED, **options):
    a = life.replica(on_connection=Served(handle, early=True, settings=settings))
    return a, life.daemon([a], pool_keys=H2, **options)


def test_frames_pass_both_ways_on_all_pairs(life):
    def check(pair, client):
        chat = tunnel(client, pair.path)
        for payload in (b"hello", b"\0\xff" * 60, b""):
            sent = ws.frame(payload)
            chat.send(sent)
            assert chat.exactly(len(sent)) == sent
    crossing(life).each(check)


def test_half_a_tunnel_may_close_first_on_all_pairs(life):
    def check(pair, client):
        chat = tunnel(client, pair.path)
        chat.send(b"last words")
        if "tls" in pair.client and not is_h2(client):
            return  # TLS of Python closes both halves
        chat.half_close()
        assert chat.rest() in (b"last wordsgoodbye", b"last words"), "what was said before the close is lost"
    crossing(life).each(check)


def test_a_megabyte_passes_both_ways_at_once_on_all_pairs(life):
    data = os.urandom(1 << 20)

    def check(pair, client):
        chat = tunnel(client, pair.path)
        if is_h2(client):
            chat.send(data)  # what comes back is read meanwhile
            assert chat.exactly(len(data)) == data
            return
        for at in range(0, len(data), 1 << 14):  # a TLS socket of Python is for one thread only
            chat.send(data[at:at + (1 << 14)])
            assert chat.exactly(len(data[at:at + (1 << 14)])) == data[at:at + (1 << 14)]
    crossing(life).each(check)


def test_bytes_right_behind_the_opening_are_not_lost(life):
    for make in (to_h1, to_h2):
        _, daemon = make(life)
        with daemon.client() as client:
            client.send(request("GET", "/chat", ws.opening()) + b"at once")
            assert client.response_head().status == 101
            assert client.stream.exactly(7) == b"at once"
        with H2Client(daemon.address) as client:
            client.wait_settings()
            stream = client.begin("CONNECT", "/chat", [("sec-websocket-version", "13")], end=False,
                                  more_pseudo=ws.PROTOCOL)
            client.send_body(stream, b"at once", end=False)
            client.wait(lambda: stream.body == b"at once" or stream.is_over, "the echo")
            assert stream.status == 200 and stream.body == b"at once", stream


def test_an_http1_replica_sees_a_full_opening_of_an_http2_client(life):
    a, daemon = to_h1(life)
    with H2Client(daemon.address) as client:
        tunnel(client, "/chat?room=1", [("sec-websocket-protocol", "chat, superchat"), ("origin", "http://x.example"),
                                        ("sec-websocket-extensions", "permessage-deflate")])
    seen = a.requests[0]
    assert (seen.method, seen.target, seen.version) == ("GET", "/chat?room=1", "HTTP/1.1"), seen
    assert seen.get("Upgrade") == "websocket" and "upgrade" in seen.get("Connection").lower(), seen
    assert seen.get("Sec-WebSocket-Version") == "13" and seen.get("Sec-WebSocket-Protocol") == "chat, superchat"
    assert seen.get("Sec-WebSocket-Extensions") == "permessage-deflate" and seen.get("Origin") == "http://x.example"
    assert len(seen.get("Sec-WebSocket-Key")) == 24 and seen.get("Host") == "test.example", seen
    assert not seen.has("Content-Length") and not seen.has("Transfer-Encoding"), seen


def test_each_opening_for_an_http1_replica_has_a_key_of_its_own(life):
    a, daemon = to_h1(life)
    with H2Client(daemon.address) as client:
        for _ in range(5):
            tunnel(client)
    keys = [r.get("Sec-WebSocket-Key") for r in a.requests]
    assert len(set(keys)) == 5, keys


def test_an_http2_replica_sees_an_extended_connect_of_an_http1_client(life):
    a, daemon = to_h2(life)
    with daemon.client() as client:
        chat = tunnel(client, "/chat?room=1", [("Sec-WebSocket-Protocol", "chat")])
        assert chat.head.get("Sec-WebSocket-Accept") == ws.accept_of(ws.KEY), chat.head
        assert chat.head.get("Upgrade", "").lower() == "websocket" and not chat.head.has("Content-Length")
    seen = a.requests[0]
    assert seen.pseudo[":method"] == "CONNECT" and seen.pseudo[":protocol"] == "websocket", seen
    assert (seen.pseudo[":path"], seen.pseudo[":scheme"], seen.authority) == ("/chat?room=1", "http", "test.example")
    assert seen.get("sec-websocket-protocol") == "chat" and seen.get("sec-websocket-version") == "13"
    assert a.failures == []


def test_the_chosen_protocol_reaches_the_client(life):
    def choose(peer):
        head = peer.head()
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  f"Sec-WebSocket-Accept: {ws.accept_of(head.get('Sec-WebSocket-Key'))}\r\n"
                  "Sec-WebSocket-Protocol: chat\r\n\r\n")
        peer.wait_for_end()
    _, daemon = to_h1(life, choose)
    with H2Client(daemon.address) as client:
        chat = tunnel(client, fields=[("sec-websocket-protocol", "chat, other")])
        assert chat.head.get("sec-websocket-protocol") == "chat"
        assert not chat.head.has("upgrade") and not chat.head.has("connection"), chat.head


WRONG_ACCEPTS = {"of another key": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "of nothing": "", "missing": None}


def test_a_wrong_accept_of_the_replica_is_a_bad_gateway_for_an_http2_client(life):
    for name, accept in WRONG_ACCEPTS.items():
        def lie(peer, accept=accept):
            peer.head()
            line = "" if accept is None else f"Sec-WebSocket-Accept: {accept}\r\n"
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                      f"{line}\r\nsecret")
            peer.wait_for_end()
        _, daemon = to_h1(life, lie, retry="attempts = 1")
        with H2Client(daemon.address) as client:
            made = ws.Http2Tunnel(client)
            assert made.head.status == 502, (name, made.head)
            client.finish(made.stream)
            assert b"secret" not in made.stream.body
            client.round_trip()


def test_a_switch_to_another_protocol_is_a_bad_gateway_for_an_http2_client(life):
    def other(peer):
        head = peer.head()
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: smtp\r\n"
                  f"Sec-WebSocket-Accept: {ws.accept_of(head.get('Sec-WebSocket-Key'))}\r\n\r\n")
        peer.wait_for_end()
    _, daemon = to_h1(life, other, retry="attempts = 1")
    with H2Client(daemon.address) as client:
        assert ws.Http2Tunnel(client).head.status == 502


def test_a_refusal_of_the_replica_reaches_every_client(life):
    def refuse(peer, _):
        peer.answer(403, b"not you", [("X-Why", "because")])

    def check(pair, client):
        made = (ws.Http2Tunnel if is_h2(client) else ws.Http1Tunnel)(client, pair.path)
        assert made.head.status == 403 and made.head.get("x-why") == "because", made.head
        assert made.refusal() == b"not you"
    made = Crossing(life, refuse, early=True, settings=EXTENDED)
    made.each(check)


def test_a_200_for_an_upgrade_is_an_ordinary_answer_for_an_http2_client_too(life):
    """An HTTP/1 replica that does not know the protocol answers 200 with a page: that opens no tunnel."""
    daemon = life.daemon([life.replica()], retry="attempts = 1")
    with H2Client(daemon.address) as client:
        client.wait_settings()
        stream = client.begin("CONNECT", "/chat", [("sec-websocket-version", "13")], end=False,
                              more_pseudo=ws.PROTOCOL)
        client.wait_head(stream)
        assert stream.status != 200, f"a page is taken for a tunnel: {stream}"


def test_a_replica_that_does_not_announce_the_protocol_is_not_asked_for_it(life):
    a, daemon = to_h2(life, settings=())
    with daemon.client() as client:
        assert ws.Http1Tunnel(client).head.status in (501, 502, 503)
    with H2Client(daemon.address) as client:
        assert ws.Http2Tunnel(client).head.status in (501, 502, 503)
    assert not any(r.method == "CONNECT" for r in a.requests), a.requests


def test_an_unknown_protocol_of_an_extended_connect_is_not_implemented(life):
    a, daemon = to_h1(life)
    with H2Client(daemon.address) as client:
        client.wait_settings()
        stream = client.begin("CONNECT", "/chat", end=False, more_pseudo=[(":protocol", "connect-udp")])
        client.wait(lambda: stream.has_head or stream.is_over, "a refusal")
        assert not stream.has_head or stream.status in (400, 405, 501), stream
        client.round_trip()
    assert a.count() == 0


def test_other_streams_of_the_connection_go_on_beside_a_tunnel(life):
    def serve(peer):
        while True:
            message = peer.head()
            if message.has("Upgrade"):
                return ws.echo(peer, message)
            peer.answer(200, b"page")
    _, daemon = to_h1(life, serve)
    with H2Client(daemon.address) as client:
        chats = [tunnel(client) for _ in range(5)]
        for _ in range(5):
            assert client.get("/page").body == b"page"
            for number, chat in enumerate(chats):
                word = f"chat {number}".encode()
                chat.send(word)
                assert chat.exactly(len(word)) == word


def test_a_client_that_breaks_off_ends_the_replicas_side_on_all_pairs(life):
    left = threading.Semaphore(0)

    def serve(peer, message=None):
        try:
            ws.echo(peer, message)
        finally:
            left.release()

    def check(pair, client):
        chat = tunnel(client, pair.path)
        chat.send(b"x")
        chat.exactly(1)
        if is_h2(client):
            chat.abort()
        else:
            client.socket.close()
        assert left.acquire(timeout=seconds(PATIENCE)), "the replica still talks to nobody"
    crossing(life, serve).each(check)


def test_a_replica_that_breaks_off_ends_the_clients_side_on_all_pairs(life):
    def serve(peer, message=None):
        if hasattr(peer, "endpoint"):
            peer.head(200)
            peer.data(b"x")
            return peer.reset_with(f.INTERNAL_ERROR)
        head = message or peer.head()
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  f"Sec-WebSocket-Accept: {ws.accept_of(head.get('Sec-WebSocket-Key'))}\r\n\r\nx")
        peer.reset()

    def check(pair, client):
        try:
            tunnel(client, pair.path).rest()
        except (StreamReset, ConnectionResetError, Truncated, Closed):
            pass
    crossing(life, serve).each(check)


def test_an_idle_tunnel_is_not_cut_by_the_ordinary_timeouts(life):
    for make in (to_h1, to_h2):
        _, daemon = make(life, timeouts='client_idle = "2s"\nclient_stall = "2s"\nresponse_body = "2s"')
        with H2Client(daemon.address) as client, H2Client(daemon.address) as idle:
            chat = tunnel(client)
            idle.connection_error(f.NO_ERROR)  # shows that more than client_idle has passed
            chat.send(b"still here")
            assert chat.exactly(10) == b"still here"


def test_an_idle_tunnel_is_cut_after_stream_idle_where_that_is_set(life):
    for make in (to_h1, to_h2):
        _, daemon = make(life, timeouts='stream_idle = "300ms"')
        with H2Client(daemon.address) as client:
            chat = tunnel(client)
            client.wait(lambda: chat.stream.is_over, "the end of the tunnel")
            client.round_trip()


def test_a_session_holds_over_tunnels_of_both_versions(life):
    def serve(peer):
        while True:
            message = peer.head()
            if message.has("Upgrade"):
                return ws.echo(peer, message)
            peer.answer(200, b"", [("X-Replica", peer.replica.id)])
    replicas = [life.replica(id, on_connection=serve) for id in "abc"]
    daemon = life.daemon(replicas, affinity=SHOW)
    for _ in range(6):
        with H2Client(daemon.address) as client, daemon.client() as by_h1:
            begun = client.get("/")
            cookie = begun.all("set-cookie")[0].split(";")[0]
            assert tunnel(client, fields=[("cookie", cookie)]).head.get("x-replica") == begun.get("x-replica")
            assert tunnel(by_h1, fields=[("Cookie", cookie)]).head.get("X-Replica") == begun.get("x-replica")


def test_a_tunnel_can_begin_a_session(life):
    _, daemon = to_h1(life)
    with H2Client(daemon.address) as client:
        assert tunnel(client).head.all("set-cookie")[0].startswith("limpet=")


def test_a_tunnel_is_logged_when_it_ends(life):
    _, daemon = to_h1(life)
    with H2Client(daemon.address) as client:
        chat = tunnel(client)
        chat.send(b"12345")
        chat.exactly(5)
        assert daemon.log() == []
        chat.half_close()
        chat.rest()
    wait_until(lambda: len(daemon.log()) == 1, "one line for the tunnel")
    entry = daemon.log()[0]
    assert entry["status"] in (101, 200) and entry["protocol"] == "HTTP/2.0", entry
    assert entry["request_bytes"] == 5 and entry["response_bytes"] >= 5, entry


def test_a_drain_cuts_tunnels_only_at_its_timeout(life):
    _, daemon = to_h1(life, daemon='drain_timeout = "3s"')
    with H2Client(daemon.address) as client:
        chat = tunnel(client)
        daemon.signal(signal.SIGTERM)
        client.wait(lambda: client.goaways, "GOAWAY")
        chat.send(b"still")
        assert chat.exactly(5) == b"still"
        client.wait_end()
    assert daemon.wait() == 0
