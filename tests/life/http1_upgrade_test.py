# SPDX-License-Identifier: Apache-2.0
"""Upgrades: after 101 both sides talk bytes through the balancer."""

import socket
import threading

from harness.client import request
from harness.deadline import PATIENCE, seconds, wait_until
from harness.kernel import ROOMY, send_until_full, untaken_bytes

UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
           ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


def echo(peer):
    """Switches, then says everything back until the other half is closed, then says goodbye."""
    head = peer.head()
    assert head.get("Upgrade") == "websocket" and "upgrade" in head.get("Connection").lower(), head
    peer.send(SWITCH)
    while peer.stream.ahead or peer.stream.fill():
        data, peer.stream.ahead = peer.stream.ahead, b""
        peer.send(data)
    peer.send(b"goodbye")


def test_bytes_pass_both_ways_after_an_upgrade(life):
    daemon = life.daemon([life.replica(on_connection=echo)])
    with daemon.client() as client:
        client.send(request("GET", "/chat", UPGRADE))
        head = client.response_head()
        assert head.status == 101 and head.get("Upgrade") == "websocket"
        assert head.get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        for word in (b"one", b"\x00\xff" * 500, b"GET / HTTP/1.1\r\n\r\n"):
            client.send(word)
            assert client.stream.exactly(len(word)) == word


def test_bytes_sent_right_behind_the_upgrade_request_are_not_lost(life):
    daemon = life.daemon([life.replica(on_connection=echo)])
    with daemon.client() as client:
        client.send(request("GET", "/chat", UPGRADE) + b"at once")
        assert client.response_head().status == 101
        assert client.stream.exactly(7) == b"at once"


def test_bytes_sent_right_behind_the_101_are_not_lost(life):
    def serve(peer):
        peer.head()
        peer.send(SWITCH + b"hello first")
        peer.wait_for_end()
    daemon = life.daemon([life.replica(on_connection=serve)])
    with daemon.client() as client:
        client.send(request("GET", "/chat", UPGRADE))
        assert client.response_head().status == 101
        assert client.stream.exactly(11) == b"hello first"


def test_half_of_a_tunnel_may_close_first(life):
    daemon = life.daemon([life.replica(on_connection=echo)])
    with daemon.client() as client:
        client.send(request("GET", "/chat", UPGRADE))
        assert client.response_head().status == 101
        client.send(b"last words")
        client.half_close()
        assert client.stream.rest() == b"last wordsgoodbye"


def test_what_the_client_says_last_reaches_a_replica_that_has_said_all(life):
    peers, came = [], []
    may_read = threading.Event()

    def serve(peer):
        peer.head()
        peer.send(SWITCH)
        peer.socket.shutdown(socket.SHUT_WR)
        peers.append(peer)
        assert may_read.wait(seconds(60))
        came.append(len(peer.stream.rest()))
    a = life.replica(on_connection=serve, receive_buffer=4096)
    daemon = life.daemon([a], workers=1, limits=ROOMY)
    with daemon.client() as client:
        client.send(request("GET", "/chat", UPGRADE))
        assert client.response_head().status == 101
        assert client.stream.rest() == b""
        wait_until(lambda: peers, "the replica has said all")
        from_daemon = peers[0].socket.getpeername()[1]
        sent = send_until_full(client.send, lambda: untaken_bytes(from_daemon, a.port), chunked=False)
        client.half_close()
        daemon.wait_log(lambda e: e["status"] == 101, "the tunnel is over")
        may_read.set()
        wait_until(lambda: came, "the replica has read to the end", 60)
    assert came == [sent]


def test_the_end_of_one_side_ends_the_other(life):
    ended = threading.Event()

    def serve(peer):
        peer.head()
        peer.send(SWITCH)
        peer.wait_for_end()
        ended.set()
    a = life.replica(on_connection=serve)
    daemon = life.daemon([a])
    client = daemon.client()
    client.send(request("GET", "/chat", UPGRADE))
    assert client.response_head().status == 101
    client.reset()
    assert ended.wait(seconds(PATIENCE))
    with daemon.client() as second:
        second.send(request("GET", "/chat", UPGRADE))
        assert second.response_head().status == 101
        a.stop()
        try:
            assert second.stream.rest() == b""
        except ConnectionResetError:
            pass


def test_a_tunnel_carries_a_megabyte_both_ways_at_once(life):
    daemon = life.daemon([life.replica(on_connection=echo)])
    data = bytes(range(256)) * 4096
    with daemon.client() as client:
        client.send(request("GET", "/chat", UPGRADE))
        assert client.response_head().status == 101
        sender = threading.Thread(target=client.send, args=(data,))
        sender.start()
        assert client.stream.exactly(len(data)) == data
        sender.join()


def test_an_upgrade_that_the_replica_ignores_is_an_ordinary_exchange(life):
    a = life.replica()
    daemon = life.daemon([a])
    with daemon.client() as client:
        for _ in range(2):
            response = client.get("/", UPGRADE)
            assert response.status == 200 and not response.has("Upgrade")


def test_an_unasked_101_is_a_bad_gateway(life):
    def answer(peer, _):
        peer.send(SWITCH + b"surprise")
    daemon = life.daemon([life.replica(handle=answer)], retry="attempts = 1")
    with daemon.client() as client:
        response = client.get("/")
        assert response.status == 502, response
        assert b"surprise" not in response.body


def test_a_101_for_another_protocol_is_a_bad_gateway(life):
    def answer(peer, _):
        peer.send(SWITCH.replace(b"websocket", b"smtp"))
    daemon = life.daemon([life.replica(handle=answer)], retry="attempts = 1")
    assert daemon.once("GET", "/", UPGRADE).status == 502


def test_an_idle_tunnel_is_not_cut_by_the_ordinary_timeouts(life):
    daemon = life.daemon([life.replica(on_connection=echo)],
                         timeouts='client_idle = "2s"\nclient_stall = "2s"\nresponse_body = "2s"')
    with daemon.client() as client:
        client.send(request("GET", "/chat", UPGRADE))
        assert client.response_head().status == 101
        # An idle keep-alive connection beside it shows that more than client_idle has passed.
        with daemon.client() as idle:
            idle.is_closed_by_peer()
        client.send(b"still here")
        assert client.stream.exactly(10) == b"still here"


def test_what_goes_through_a_tunnel_is_no_request_body(life):
    daemon = life.daemon([life.replica(on_connection=echo)], limits='request_body_bytes = "1KiB"')
    with daemon.client() as client:
        client.send(request("GET", "/chat", UPGRADE))
        assert client.response_head().status == 101
        for _ in range(4):
            client.send(bytes(1000))
            assert client.stream.exactly(1000) == bytes(1000)


def test_a_tunnel_is_logged_when_it_ends(life):
    daemon = life.daemon([life.replica(on_connection=echo)])
    with daemon.client() as client:
        client.send(request("GET", "/chat", UPGRADE))
        assert client.response_head().status == 101
        client.send(b"x")
        client.stream.exactly(1)
        assert daemon.log() == []
    wait_until(lambda: len(daemon.log()) == 1, "one line for the tunnel")
    assert daemon.log()[0]["status"] == 101
