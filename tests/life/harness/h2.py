# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 as a test wants it: Endpoint keeps the books of a connection, H2Client is the client's end of one.
What is written may be anything (h2_frames.py); what is read is kept frame by frame and stream by stream."""

import socket
import threading
import time

from harness import h2_frames as f
from harness.deadline import seconds
from harness.h2_frames import hpack
from harness.message import Fields, no_delay


class StreamReset(Exception):
    """The other side took the stream back."""

    def __init__(self, stream):
        super().__init__(f"stream {stream.id} was reset: {f.error_name(stream.reset)}; {len(stream.body)} body bytes")
        self.code = stream.reset
        self.got = bytes(stream.body)


class H2Stream(Fields):
    """One message that comes (and the id of the one that goes). Reads like a Message of message.py."""

    def __init__(self, endpoint, id):
        self.endpoint = endpoint
        self.id = id
        self.informational = []
        self.pseudo = {}
        self.fields = []
        self.body = bytearray()
        self.pieces = []       # sizes of the DATA frames
        self.trailers = []
        self.has_head = False
        self.is_whole = False  # END_STREAM has come
        self.reset = None      # the code of RST_STREAM
        self.room = endpoint.stream_window  # what may be sent

    @property
    def status(self):
        return int(self.pseudo[":status"])

    @property
    def method(self):
        return self.pseudo.get(":method")

    @property
    def target(self):
        return self.pseudo.get(":path")

    @property
    def is_over(self):
        return self.is_whole or self.reset is not None

    def take_head(self, fields):
        pseudo = {name: value for name, value in fields if name.startswith(":")}
        rest = [(name, value) for name, value in fields if not name.startswith(":")]
        if self.has_head:
            self.trailers = rest
        elif pseudo.get(":status", "200").startswith("1"):
            self.informational.append((int(pseudo[":status"]), dict(rest)))
        else:
            self.pseudo, self.fields, self.has_head = pseudo, rest, True

    def __repr__(self):
        end = "whole" if self.is_whole else f"reset {f.error_name(self.reset)}" if self.reset is not None else "open"
        return f"<stream {self.id} {end} {self.pseudo} {self.fields} {bytes(self.body[:200])!r} {self.trailers}>"


class Endpoint:
    """Either end of a connection. One thread reads (pump()); any may write."""

    def __init__(self, sock, credit=True):
        self.socket = sock
        self.credit = credit       # gives back window as data comes
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder(max_header_list_size=1 << 22)
        self.streams = {}
        self.frames = []           # all that came
        self.goaways = []
        self.peer_settings = {}
        self.room = f.WINDOW_BYTES
        self.stream_window = f.WINDOW_BYTES
        self.frame_bytes = f.FRAME_BYTES
        self.ended = False         # the other side has closed
        self.was_cut = False       # and not gently
        self.changed = threading.Condition()
        self.is_acking_settings = True
        self.is_acking_pings = True
        self._writing = threading.Lock()
        self._ahead = b""
        self._block = None         # a head that is not complete: stream, flags, bytes

    # -- writing

    def send(self, data):
        with self._writing:
            self.socket.sendall(data)

    def send_head(self, stream, fields, end=True):
        """HEADERS and, where they are long, CONTINUATION; compressed."""
        with self._writing:
            block = self.encoder.encode([(f.as_bytes(n), f.as_bytes(v)) for n, v in fields])
            pieces = [block[at:at + self.frame_bytes] for at in range(0, len(block), self.frame_bytes)] or [b""]
            out = f.headers(stream, pieces[0], end, len(pieces) == 1)
            for number, piece in enumerate(pieces[1:], 2):
                out += f.continuation(stream, piece, number == len(pieces))
            self.socket.sendall(out)

    def send_body(self, stream, content, end=True, piece_bytes=None, limit=20.0):
        """DATA as the windows of the other side allow."""
        content = memoryview(bytes(content))
        most = min(piece_bytes or self.frame_bytes, self.frame_bytes)
        while content:
            self.wait(lambda: stream.reset is not None or (self.room > 0 and stream.room > 0),
                      f"window on stream {stream.id}", limit)
            if stream.reset is not None:
                raise StreamReset(stream)
            with self.changed:
                size = min(len(content), most, self.room, stream.room)
                if size <= 0:
                    continue
                self.room -= size
                stream.room -= size
            self.send(f.data(stream.id, bytes(content[:size]), end and size == len(content)))
            content = content[size:]
            if not content:
                return
        if end:
            self.send(f.data(stream.id, b"", True))

    # -- reading

    def _fill(self):
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            self.was_cut = True
            data = b""
        if not data:
            with self.changed:
                self.ended = True
                self.changed.notify_all()
        self._ahead += data
        return bool(data)

    def read_exactly(self, count):
        while len(self._ahead) < count:
            if not self._fill():
                return None
        taken, self._ahead = self._ahead[:count], self._ahead[count:]
        return taken

    def read_frame(self):
        """The next frame, or None at the end."""
        head = self.read_exactly(9)
        if head is None:
            return None
        payload = self.read_exactly(int.from_bytes(head[:3], "big"))
        if payload is None:
            return None
        stream = int.from_bytes(head[5:], "big")
        assert stream < 1 << 31, "the reserved bit of a frame is set"
        return f.Frame(head[3], head[4], stream, payload)

    def pump(self):
        """Reads one frame and keeps the books; None at the end."""
        came = self.read_frame()
        if came is None:
            return None
        assert len(came.payload) <= f.FRAME_BYTES, f"longer than this side allows: {came}"
        assert self._block is None or (came.type == f.CONTINUATION and came.stream == self._block[0]), \
            f"{came} inside a field block"
        with self.changed:
            self.frames.append(came)
            self._take(came)
            self.changed.notify_all()
        return came

    def _reply(self, data):
        try:
            self.send(data)
        except OSError:
            pass  # the end of the connection is seen by whoever reads

    def _take(self, came):
        handler = {f.DATA: self._take_data, f.HEADERS: self._take_headers, f.CONTINUATION: self._take_continuation,
                   f.RST_STREAM: self._take_reset, f.SETTINGS: self._take_settings, f.PING: self._take_ping,
                   f.GOAWAY: self._take_goaway, f.WINDOW_UPDATE: self._take_credit}.get(came.type)
        if handler:
            handler(came)

    def _take_data(self, came):
        stream = self.streams[came.stream]
        assert not stream.is_whole, f"{came} behind END_STREAM"
        stream.body += came.content()
        stream.pieces.append(len(came.content()))
        if self.credit and came.payload:
            self._reply(f.window_update(0, len(came.payload)))
            if not came.has(f.END_STREAM):
                self._reply(f.window_update(came.stream, len(came.payload)))
        if came.has(f.END_STREAM):
            stream.is_whole = True

    def _take_headers(self, came):
        self._block = [came.stream, came.flags, came.content()]
        self._take_block(came)

    def _take_continuation(self, came):
        self._block[2] += came.payload
        self._take_block(came)

    def _take_block(self, came):
        if not came.has(f.END_HEADERS):
            return
        id, flags, block = self._block
        self._block = None
        fields = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in self.decoder.decode(block, raw=True)]
        stream = self.stream_for(id)
        assert not stream.is_whole, f"{came} behind END_STREAM"
        stream.take_head(fields)
        stream.is_whole = bool(flags & f.END_STREAM)
        self.on_head(stream)

    def stream_for(self, id):
        return self.streams[id]

    def on_head(self, stream):
        """For the end that serves."""

    def _take_reset(self, came):
        if came.stream in self.streams:
            self.streams[came.stream].reset = came.number()

    def _take_settings(self, came):
        if came.has(f.ACK):
            return
        values = f.settings_of(came.payload)
        self.peer_settings.update(values)
        self.frame_bytes = values.get(f.MAX_FRAME_SIZE, self.frame_bytes)
        if f.INITIAL_WINDOW_SIZE in values:
            for stream in self.streams.values():
                stream.room += values[f.INITIAL_WINDOW_SIZE] - self.stream_window
            self.stream_window = values[f.INITIAL_WINDOW_SIZE]
        if f.HEADER_TABLE_SIZE in values:
            self.encoder.header_table_size = min(4096, values[f.HEADER_TABLE_SIZE])
        if self.is_acking_settings:
            self._reply(f.settings(flags=f.ACK))

    def _take_ping(self, came):
        if not came.has(f.ACK) and self.is_acking_pings:
            self._reply(f.ping(came.payload, f.ACK))

    def _take_goaway(self, came):
        self.goaways.append((came.number(), came.number(4)))

    def _take_credit(self, came):
        if came.stream == 0:
            self.room += came.number()
        elif came.stream in self.streams:
            self.streams[came.stream].room += came.number()

    def wait(self, condition, what, limit=20.0):
        """Until `condition()`, while another thread pumps."""
        with self.changed:
            happened = self.changed.wait_for(lambda: condition() or self.ended, seconds(limit))
            if not happened or not condition():
                raise ConnectionError(f"never: {what}")

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class H2Client(Endpoint):
    """One connection to the balancer: prior knowledge, or TLS with `tls`, an ssl.SSLContext."""

    def __init__(self, address, *, tls=None, server_name="test.example", settings=(), preface=True, credit=True,
                 receive_buffer=None, limit=20.0):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(seconds(limit))
        sock.connect(address)
        no_delay(sock)
        self.scheme = "https" if tls else "http"
        self.port = sock.getsockname()[1]
        if tls:
            sock = tls.wrap_socket(sock, server_hostname=server_name)
            assert sock.selected_alpn_protocol() == "h2", sock.selected_alpn_protocol()
        super().__init__(sock, credit)
        self.limit = limit
        self.next_id = 1
        if preface:
            self.send(f.PREFACE + f.settings(settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # -- asking

    def new_id(self):
        self.next_id += 2
        return self.next_id - 2

    def expect_stream(self, id=None):
        """A stream whose request is written by hand."""
        id = id or self.new_id()
        self.next_id = max(self.next_id, id + 2)
        self.streams[id] = H2Stream(self, id)
        return self.streams[id]

    def begin(self, method="GET", path="/", fields=(), end=True, authority="test.example", more_pseudo=()):
        """Sends a head; returns the stream."""
        stream = self.expect_stream()
        pseudo = f.request_fields(method, path, (), self.scheme, authority)
        self.send_head(stream.id, [*pseudo, *more_pseudo, *fields], end)
        return stream

    def raw(self, fields, end=True):
        """Sends a head of just these fields, uncompressed; returns the stream."""
        stream = self.expect_stream()
        self.send(f.headers(stream.id, f.block(fields), end))
        return stream

    def ask(self, method="GET", path="/", fields=(), body=None, trailers=None, **more):
        """One whole exchange."""
        stream = self.begin(method, path, fields, body is None and trailers is None, **more)
        try:
            if body is not None:
                self.send_body(stream, body, end=trailers is None)
            if trailers is not None:
                self.send_head(stream.id, trailers, True)
        except StreamReset:
            pass  # finish() says whether the response was whole before
        return self.finish(stream)

    def get(self, path="/", fields=()):
        return self.ask("GET", path, fields)

    # -- waiting; this thread pumps

    def wait(self, condition, what, limit=None):
        end = time.monotonic() + seconds(limit or self.limit)
        while not condition():
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                came = self.pump()
            except TimeoutError:
                raise AssertionError(f"never: {what}; came: {self.frames[-12:]}") from None
            if came is None:
                assert condition(), f"the connection ended before: {what}; came: {self.frames[-12:]}"

    def finish(self, stream):
        """The whole response; StreamReset where it is none."""
        self.wait(lambda: stream.is_over, f"the end of stream {stream.id}")
        if stream.reset is not None and not stream.is_whole:
            raise StreamReset(stream)
        return stream

    def wait_head(self, stream):
        self.wait(lambda: stream.has_head or stream.is_over, f"the head of stream {stream.id}")
        if not stream.has_head:
            raise StreamReset(stream)
        return stream

    def wait_reset(self, stream, *codes):
        """The stream is reset with one of these codes, and the connection lives."""
        self.wait(lambda: stream.reset is not None or stream.is_whole, f"RST_STREAM on {stream.id}")
        assert stream.reset is not None, f"no reset but {stream}"
        assert not codes or stream.reset in codes, f"{f.error_name(stream.reset)}"
        return stream.reset

    def wait_settings(self):
        """The balancer's own SETTINGS and its acknowledgement of ours have come."""
        self.wait(lambda: self.count(f.SETTINGS, f.ACK) and self.count(f.SETTINGS) > self.count(f.SETTINGS, f.ACK),
                  "SETTINGS and their ACK")
        return self.peer_settings

    def round_trip(self, token=b"roundtrp"):
        """What was sent before has been read by the balancer: PING and its answer."""
        before = len(self.frames)
        self.send(f.ping(token))
        self.wait(lambda: any(c.type == f.PING and c.has(f.ACK) and c.payload == token
                              for c in self.frames[before:]), "the answer to PING")

    def lives(self):
        """The connection still serves."""
        assert self.get("/alive").status == 200
        assert not self.goaways, self.goaways
        return True

    def count(self, type, flags=0):
        return sum(1 for c in self.frames if c.type == type and c.flags & flags == flags)

    def wait_end(self):
        """Pumps until the balancer has closed."""
        while self.pump() is not None:
            pass

    def connection_error(self, *codes):
        """GOAWAY with one of these codes, and the end behind it; returns the code."""
        try:
            self.wait_end()
        except TimeoutError:
            raise AssertionError(f"the connection is not ended; came: {self.frames[-8:]}") from None
        assert self.goaways, f"closed without GOAWAY; came: {self.frames[-8:]}"
        code = self.goaways[-1][1]
        assert code in codes, f"GOAWAY {f.error_name(code)} instead of {[f.error_name(c) for c in codes]}"
        return code

    def refused(self, stream, *codes):
        """The stream ends with RST_STREAM or the connection with GOAWAY, with one of these codes; no response."""
        self.wait(lambda: stream.is_over or self.goaways or self.ended, "a refusal")
        assert not stream.has_head, f"an answer instead of a refusal: {stream}"
        assert stream.reset is not None or self.goaways, f"closed without a word; came: {self.frames[-8:]}"
        code = stream.reset if stream.reset is not None else self.goaways[-1][1]
        assert code in codes, f"{f.error_name(code)} instead of {[f.error_name(c) for c in codes]}"
        return code


__all__ = ["Endpoint", "H2Client", "H2Stream", "StreamReset"]
