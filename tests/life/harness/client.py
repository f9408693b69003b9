# SPDX-License-Identifier: Apache-2.0
"""A raw HTTP/1 client: sends exactly the bytes it is given and shows exactly what comes back."""

import socket
import struct

from harness.deadline import seconds
from harness.message import Closed, Message, Stream, no_delay, read_response_body


class Client:
    """One connection."""

    def __init__(self, address, limit=20.0, receive_buffer=None):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(seconds(limit))
        sock.connect(address)
        self.socket = no_delay(sock)
        self.stream = Stream(sock)
        self.port = sock.getsockname()[1] if family == socket.AF_INET else 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def response_head(self):
        return Message(self.stream.head())

    def response(self, method="GET"):
        """One whole response; those of 1xx before it are in `informational`."""
        informational = []
        while True:
            response = self.response_head()
            if response.status >= 200 or response.status == 101:
                break
            informational.append(response)
        response.informational = informational
        read_response_body(self.stream, response, method)
        return response

    def ask(self, method, target, fields=(), body=None, host="test.example"):
        """Sends one request and reads its response."""
        self.send(request(method, target, fields, body, host))
        return self.response(method)

    def get(self, target, fields=()):
        return self.ask("GET", target, fields)

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def is_closed_by_peer(self):
        """Waits for the end of the connection; fails if bytes come instead."""
        try:
            extra = self.stream.rest()
        except ConnectionResetError:
            return True
        assert extra == b"", f"bytes instead of the end: {extra[:200]!r}"
        return True

    def reset(self):
        """Ends with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


def request(method, target, fields=(), body=None, host="test.example"):
    """The bytes of a request; `fields` is a list of pairs or a dict."""
    pairs = list(fields.items()) if isinstance(fields, dict) else list(fields)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in pairs]
    if body is not None and not any(name.lower() == "transfer-encoding" for name, _ in pairs):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def once(address, method="GET", target="/", fields=(), body=None, host="test.example"):
    """One request over a connection of its own."""
    with Client(address) as client:
        return client.ask(method, target, fields, body, host)


class Jar:
    """The cookies of one user, as a browser would keep them; paths and domains aside."""

    def __init__(self, address):
        self.address = address
        self.cookies = {}

    def ask(self, method="GET", target="/", fields=(), body=None):
        fields = list(fields)
        if self.cookies:
            pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            fields.append(("Cookie", pairs))
        response = once(self.address, method, target, fields, body)
        self.keep(response)
        return response

    def keep(self, response):
        """Takes over what the response sets and deletes."""
        for value in response.all("Set-Cookie"):
            name, _, rest = value.partition("=")
            if "; Max-Age=0" in rest:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = rest.split(";")[0]

    def get(self, target="/", fields=()):
        return self.ask("GET", target, fields)


__all__ = ["Client", "Closed", "Jar", "once", "request"]
