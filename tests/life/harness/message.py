# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 messages as bytes: read from a socket, kept exactly as they came."""

import socket


class Closed(Exception):
    """The other side ended between messages."""


class Truncated(Exception):
    """The other side ended inside a message; `got` is what had come of the body."""

    def __init__(self, what, got=b""):
        super().__init__(f"{what}; {len(got)} body bytes had come")
        self.got = got


class Fields:
    """What can be asked of a message: `fields` and `trailers` are lists of pairs, `body` is bytes."""

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def has(self, name):
        return bool(self.all(name))

    def trailer(self, name):
        return next((value for key, value in self.trailers if key.lower() == name.lower()), None)

    def text(self):
        return bytes(self.body).decode("utf-8", "replace")


class Message(Fields):
    """A start line, fields in order, a body, trailers."""

    def __init__(self, raw_head):
        self.raw_head = raw_head
        lines = raw_head.decode("latin-1").split("\r\n")
        self.start_line = lines[0]
        self.fields = [_split_field(line) for line in lines[1:] if line]
        self.body = b""
        self.chunks = []
        self.trailers = []
        parts = self.start_line.split(" ", 2)
        if self.start_line.startswith("HTTP/"):
            self.version, self.status = parts[0], int(parts[1])
            self.reason = parts[2] if len(parts) > 2 else ""
            self.informational = []
        else:
            self.method, self.target = parts[0], parts[1]
            self.version = parts[2] if len(parts) > 2 else ""

    def __repr__(self):
        return f"<{self.start_line!r} {self.fields!r} {self.body[:200]!r}>"


def _split_field(line):
    name, _, value = line.partition(":")
    return name, value.strip(" \t")


class Stream:
    """A socket with what was read ahead of need."""

    def __init__(self, sock):
        self.socket = sock
        self.ahead = b""

    def fill(self):
        """Reads more; False at the end."""
        data = self.socket.recv(65536)
        self.ahead += data
        return bool(data)

    def line(self):
        return self.until(b"\r\n")

    def until(self, mark):
        while mark not in self.ahead:
            if not self.fill():
                raise Truncated(f"no {mark!r} in {self.ahead[:200]!r}")
        found, _, self.ahead = self.ahead.partition(mark)
        return found

    def exactly(self, count):
        pieces, have = [self.ahead[:count]], len(self.ahead[:count])
        self.ahead = self.ahead[count:]
        while have < count:
            data = self.socket.recv(min(262144, count - have))
            if not data:
                raise Truncated(f"{count} bytes were promised", b"".join(pieces))
            pieces.append(data)
            have += len(data)
        return b"".join(pieces)

    def rest(self):
        """Everything until the other side ends."""
        while self.fill():
            pass
        data, self.ahead = self.ahead, b""
        return data

    def head(self):
        """The bytes of one head, its last empty line among them."""
        if not self.ahead and not self.fill():
            raise Closed()
        return self.until(b"\r\n\r\n") + b"\r\n\r\n"

    def chunked(self, message):
        """A chunked body into `message`; what had come is kept when it breaks off."""
        try:
            while True:
                size = int(self.line().split(b";")[0], 16)
                if size == 0:
                    break
                message.chunks.append(self.exactly(size))
                if self.exactly(2) != b"\r\n":
                    raise AssertionError("a chunk does not end where its size says")
        except Truncated as cut:
            raise Truncated("the chunked body has no end", b"".join(message.chunks) + cut.got) from None
        finally:
            message.body = b"".join(message.chunks)
        while line := self.line():
            message.trailers.append(_split_field(line.decode("latin-1")))


def read_body(stream, message):
    """The body of a request."""
    if "chunked" in message.get("Transfer-Encoding", "").lower():
        stream.chunked(message)
    elif message.has("Content-Length"):
        message.body = stream.exactly(int(message.get("Content-Length")))


def read_response_body(stream, response, method):
    """The body of a response to `method`."""
    if method == "HEAD" or response.status in (204, 304) or response.status < 200:
        return
    if "chunked" in response.get("Transfer-Encoding", "").lower():
        stream.chunked(response)
    elif response.has("Content-Length"):
        response.body = stream.exactly(int(response.get("Content-Length")))
    else:
        response.body = stream.rest()


def no_delay(sock):
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
