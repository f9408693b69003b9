# SPDX-License-Identifier: Apache-2.0
"""Replicas that speak HTTP/2, and either protocol over TLS: Served has a whole connection of a Replica.

    life.replica(on_connection=Served(handle))                  HTTP/2 by prior knowledge
    life.replica(on_connection=Served(handle, tls=context))     what ALPN chooses
    life.replica(on_connection=Served(handle, h2=False, ...))   HTTP/1, over TLS

`handle(peer, request)` is the same as for HTTP/1: peer.answer(status, body, fields). In HTTP/2 peer and request are
both the stream, which can do more. With `early` it is called when the head is there, else when the body is too."""

import ssl
import threading

from harness import h2_frames as f
from harness.h2 import Endpoint, H2Stream, StreamReset
from harness.message import Closed, Stream, Truncated
from harness.replica import say_who
from harness.tls import Guarded


class ServedStream(H2Stream):
    """A request, and the way to answer it."""

    def __init__(self, endpoint, id):
        super().__init__(endpoint, id)
        self.replica = endpoint.replica
        self.connection = endpoint.number
        self.is_known = False

    @property
    def authority(self):
        return self.pseudo.get(":authority")

    def head(self, status=200, fields=(), end=False):
        pairs = fields.items() if isinstance(fields, dict) else fields
        lowered = [(f.as_bytes(name).lower(), value) for name, value in pairs]
        self.endpoint.send_head(self.id, [(":status", str(status)), *lowered], end)

    def data(self, content, end=False):
        self.endpoint.send_body(self, content, end, limit=30)

    def end(self, trailers=()):
        if trailers:
            self.endpoint.send_head(self.id, list(trailers), True)
        else:
            self.endpoint.send(f.data(self.id, b"", True))

    def answer(self, status=200, body=b"", fields=(), trailers=()):
        body = body.encode() if isinstance(body, str) else body
        self.head(status, fields, end=not body and not trailers)
        if body:
            self.data(body, end=not trailers)
        if trailers:
            self.end(trailers)

    def reset_with(self, code):
        self.endpoint.send(f.rst_stream(self.id, code))

    def wait_whole(self, limit=20.0):
        """The end of the request; StreamReset where it is taken back."""
        self.endpoint.wait(lambda: self.is_over, f"the end of request {self.target}", limit)
        if not self.is_whole:
            raise StreamReset(self)
        return self

    def wait_bytes(self, count, limit=20.0):
        self.endpoint.wait(lambda: len(self.body) >= count or self.is_over, f"{count} body bytes", limit)
        return bytes(self.body)

    def wait_reset(self, limit=20.0):
        """The balancer takes the stream back, or the connection is over."""
        try:
            self.endpoint.wait(lambda: self.reset is not None, "a reset", limit)
        except ConnectionError:
            if not self.endpoint.ended:
                raise
        return self.reset


class ServedConnection(Endpoint):
    """The replica's end of a connection."""

    def __init__(self, peer, served):
        super().__init__(peer.socket, served.credit)
        self.replica, self.number, self.served = peer.replica, peer.number, served
        self.peer = peer
        self.is_acking_pings = served.answers_pings

    def run(self):
        preface = self.read_exactly(len(f.PREFACE))
        assert preface in (f.PREFACE, None), f"no preface but {preface!r}"
        self.send(f.settings(self.served.settings))
        while preface and self.pump() is not None:
            pass

    def stream_for(self, id):
        if id not in self.streams:
            assert id % 2 == 1 and id > max(self.streams, default=0), f"stream {id} behind {max(self.streams)}"
            self.streams[id] = ServedStream(self, id)
        return self.streams[id]

    def on_head(self, stream):
        if stream.is_known:
            return  # trailers
        stream.is_known, whole = True, stream.is_whole
        self.replica.record(stream)
        stream.is_whole = whole
        threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream):
        try:
            if not self.served.early:
                stream.wait_whole()
            self.served.handle(stream, stream)
        except (StreamReset, ConnectionError, OSError):
            pass
        except Exception as fault:  # a test's own mistake: shown with the test
            self.replica.failures.append(repr(fault))


class Served:
    """The behaviour of a replica; see above. What its connections were is in `connections` (HTTP/2) and
    `handshakes` (TLS)."""

    def __init__(self, handle=say_who, *, h2=True, tls=None, settings=(), early=False, credit=True, answers_pings=True,
                 greeting=None):
        self.handle, self.h2, self.tls = handle, h2, tls
        self.settings, self.early, self.credit = settings, early, credit
        self.answers_pings = answers_pings
        self.greeting = greeting  # greeting(peer): before anything else, such as a PROXY header that is read
        self.connections = []
        self.handshakes = []
        self.failed_handshakes = []
        self.names = []           # of SNI, as they came
        if tls:
            tls.sni_callback = lambda _sock, name, _context: self.names.append(name)

    def __call__(self, peer):
        if self.greeting:
            self.greeting(peer)
        speaks_h2 = self.h2
        if self.tls:
            speaks_h2 = self._shake_hands(peer)
        if speaks_h2:
            connection = ServedConnection(peer, self)
            self.connections.append(connection)
            connection.run()
        else:
            self._serve_http1(peer)

    def _shake_hands(self, peer):
        try:
            sock = self.tls.wrap_socket(peer.socket, server_side=True)
        except (ssl.SSLError, OSError) as fault:
            self.failed_handshakes.append(str(fault))
            raise
        self.handshakes.append({"alpn": sock.selected_alpn_protocol(), "version": sock.version(),
                                "resumed": sock.session_reused, "certificate": sock.getpeercert()})
        peer.socket = Guarded(sock)
        peer.stream = Stream(peer.socket)
        return sock.selected_alpn_protocol() == "h2"

    def _serve_http1(self, peer):
        try:
            while True:
                self.handle(peer, peer.request())
        except (Closed, Truncated):
            pass

    def live_connections(self):
        return [connection for connection in self.connections if not connection.ended]

    def send_goaway(self, last=None, code=f.NO_ERROR):
        """On all connections; `last` as far as streams have come where nothing is said."""
        for connection in self.live_connections():
            seen = max(connection.streams, default=0)
            connection.send(f.goaway(seen if last is None else last, code))


__all__ = ["Served", "ServedConnection", "ServedStream"]
