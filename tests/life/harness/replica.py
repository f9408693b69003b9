# SPDX-License-Identifier: Apache-2.0
"""A replica whose behaviour a test writes: a raw server with a thread for each connection."""

import json
import socket
import struct
import threading

from harness.deadline import PATIENCE, seconds, wait_until
from harness.message import Closed, Message, Stream, Truncated, no_delay, read_body


class Peer:
    """One connection from the balancer, seen by the replica."""

    def __init__(self, replica, sock, number):
        self.replica = replica
        self.socket = no_delay(sock)
        self.socket.settimeout(seconds(60))  # longer than anybody waits for what the balancer does
        self.stream = Stream(sock)
        self.number = number  # the how manieth connection of its replica
        self.served = 0

    def head(self):
        """The next request's head, recorded."""
        request = Message(self.stream.head())
        request.connection = self.number
        self.replica.record(request)
        return request

    def request(self):
        """The next request with its body."""
        request = self.head()
        read_body(self.stream, request)
        request.is_whole = True
        return request

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def answer(self, status=200, body=b"", fields=(), reason="Thing"):
        if isinstance(body, str):
            body = body.encode()
        pairs = list(fields.items()) if isinstance(fields, dict) else list(fields)
        lines = [f"HTTP/1.1 {status} {reason}"] + [f"{name}: {value}" for name, value in pairs]
        if status >= 200 and status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}")
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def wait_for_end(self):
        """Returns when the balancer has ended this connection."""
        try:
            while self.stream.fill():
                pass
        except OSError:
            pass


def say_who(peer, request):
    """The usual behaviour: 200 and who it was."""
    seen = {"replica": peer.replica.id, "method": request.method, "target": request.target,
            "body_bytes": len(request.body)}
    fields = [("Content-Type", "application/json"), ("X-Replica", peer.replica.id)]
    peer.answer(200, json.dumps(seen).encode() if request.method != "HEAD" else b"", fields)


class Replica:
    """Listens on 127.0.0.1. `handle(peer, request)` answers each request; `on_connection(peer)`, if
    given, has the whole connection to itself instead."""

    def __init__(self, id, handle=say_who, on_connection=None, receive_buffer=None):
        self.id = id
        self.handle = handle
        self.on_connection = on_connection
        self.receive_buffer = receive_buffer
        self.port = 0
        self.requests = []
        self.connections = 0
        self.failures = []
        self._peers = set()
        self._lock = threading.Lock()
        self._listening = None
        self._reserved = None  # holds the port while nobody listens there
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        """Begins to listen; again on the same port after stop()."""
        sock, self._reserved = self._reserved or self._bound(), None
        sock.listen(512)
        self.port = sock.getsockname()[1]
        self._listening = sock
        threading.Thread(target=self._accept, args=(sock,), daemon=True).start()
        return self

    def _bound(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        sock.bind(("127.0.0.1", self.port))
        return sock

    def stop(self):
        """Ends like a killed process: connections are cut, new ones refused. Nobody else gets its port meanwhile."""
        listening, self._listening = self._listening, None
        if listening:
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()
            self._reserved = self._bound()
        self.cut()

    def close(self):
        """Stops for good."""
        self.stop()
        if self._reserved:
            self._reserved.close()

    def cut(self):
        """Ends all connections and stays."""
        with self._lock:
            peers = list(self._peers)
        for peer in peers:
            peer.close()

    def record(self, request):
        request.is_whole = False
        with self._lock:
            self.requests.append(request)

    def open_connections(self):
        with self._lock:
            return len(self._peers)

    def targets(self):
        with self._lock:
            return [request.target for request in self.requests]

    def count(self, target=None):
        with self._lock:
            return len([r for r in self.requests if target is None or r.target == target])

    def wait_for_requests(self, count, limit=PATIENCE):
        return wait_until(lambda: len(self.requests) >= count and self.requests,
                          f"{count} requests at replica {self.id}; {len(self.requests)} came", limit)

    def _accept(self, listening):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                peer = Peer(self, sock, self.connections)
                self._peers.add(peer)
            if self._listening is not listening:
                peer.close()
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        try:
            if self.on_connection:
                self.on_connection(peer)
            else:
                while True:
                    request = peer.request()
                    self.handle(peer, request)
                    peer.served += 1
        except (Closed, Truncated, OSError, ValueError):
            pass
        except Exception as fault:  # a test's own mistake: shown with the test
            self.failures.append(repr(fault))
        finally:
            peer.close()
            with self._lock:
                self._peers.discard(peer)
