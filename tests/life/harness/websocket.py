# SPDX-License-Identifier: Apache-2.0
"""WebSocket openings from both sides, over HTTP/1 (RFC 6455) and HTTP/2 (RFC 8441), and the bytes behind them."""

import base64
import hashlib

from harness import h2_frames as f
from harness.client import request
from harness.message import read_response_body

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PROTOCOL = [(":protocol", "websocket")]


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def opening(fields=(), key=KEY):
    """The fields of an HTTP/1 opening."""
    return [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key), *fields]


def frame(payload, opcode=1, masked=True):
    """One WebSocket frame of at most 125 bytes."""
    if not masked:
        return bytes([0x80 | opcode, len(payload)]) + payload
    mask = b"\x11\x22\x33\x44"
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + bytes(b ^ mask[n % 4] for n, b in enumerate(payload))


class Http1Tunnel:
    """The client's end, opened by an upgrade. `head` is the answer; only 101 makes it a tunnel."""

    def __init__(self, client, path="/chat", fields=(), key=KEY):
        self.client = client
        client.send(request("GET", path, opening(fields, key)))
        self.head = client.response_head()
        self.is_open = self.head.status == 101

    def refusal(self):
        """The body of an answer that is no 101."""
        read_response_body(self.client.stream, self.head, "GET")
        return self.head.body

    def send(self, data):
        self.client.send(data)

    def exactly(self, count):
        return self.client.stream.exactly(count)

    def half_close(self):
        self.client.half_close()

    def rest(self):
        return self.client.stream.rest()

    def abort(self):
        self.client.reset()


class Http2Tunnel:
    """The same by extended CONNECT on an H2Client."""

    def __init__(self, client, path="/chat", fields=()):
        self.client = client
        client.wait_settings()
        assert client.peer_settings.get(f.ENABLE_CONNECT_PROTOCOL) == 1, client.peer_settings
        self.stream = client.begin("CONNECT", path, [("sec-websocket-version", "13"), *fields], end=False,
                                   more_pseudo=PROTOCOL)
        self.head = client.wait_head(self.stream)
        self.is_open = self.head.status == 200 and not self.stream.is_over
        self.taken = 0

    def refusal(self):
        return bytes(self.client.finish(self.stream).body)

    def send(self, data):
        self.client.send_body(self.stream, data, end=False)

    def exactly(self, count):
        self.client.wait(lambda: len(self.stream.body) - self.taken >= count or self.stream.is_over, f"{count} bytes")
        data = bytes(self.stream.body[self.taken:self.taken + count])
        assert len(data) == count, f"{self.stream} ended"
        self.taken += count
        return data

    def half_close(self):
        self.client.send(f.data(self.stream.id, b"", True))

    def rest(self):
        self.client.finish(self.stream)
        data, self.taken = bytes(self.stream.body[self.taken:]), len(self.stream.body)
        return data

    def abort(self):
        self.client.send(f.rst_stream(self.stream.id))


def echo(peer, message=None):
    """A replica's end: opens, says everything back until the other half is closed, then says goodbye."""
    if hasattr(peer, "endpoint"):
        return _echo_stream(peer)
    head = message or peer.head()
    assert head.method == "GET" and head.get("Upgrade", "").lower() == "websocket", head
    assert "upgrade" in head.get("Connection", "").lower(), head
    peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              f"X-Replica: {peer.replica.id}\r\n"
              f"Sec-WebSocket-Accept: {accept_of(head.get('Sec-WebSocket-Key'))}\r\n\r\n")
    while peer.stream.ahead or peer.stream.fill():
        data, peer.stream.ahead = peer.stream.ahead, b""
        peer.send(data)
    peer.send(b"goodbye")
    peer.close()


def _echo_stream(stream):
    assert stream.method == "CONNECT" and stream.pseudo.get(":protocol") == "websocket", stream
    assert not stream.has("upgrade") and not stream.has("connection"), stream
    stream.head(200, [("x-replica", stream.replica.id)])
    said = 0
    while not stream.is_over or len(stream.body) > said:
        stream.endpoint.wait(lambda: len(stream.body) > said or stream.is_over, "more", 60)
        data = bytes(stream.body[said:])
        said += len(data)
        if data:
            stream.data(data)
    if stream.is_whole:
        stream.data(b"goodbye", end=True)


__all__ = ["Http1Tunnel", "Http2Tunnel", "accept_of", "echo", "frame", "opening"]
