# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 frames as bytes: put together by hand, so that they can be wrong. Neighbours: h2.py speaks with them."""

import struct
import sys

try:
    import hpack
except ImportError:  # a Python that does not look where Debian puts its packages; these are of pure Python
    sys.path.append("/usr/lib/python3/dist-packages")
    import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW_BYTES = 65535  # of a connection and of a stream, until somebody says otherwise
FRAME_BYTES = 16384   # the most in a frame, until somebody says otherwise
WINDOW_BYTES_MAX = 2**31 - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
NAMES = ("DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
         "WINDOW_UPDATE", "CONTINUATION")

END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY,
 HTTP_1_1_REQUIRED) = range(14)
ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
          "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
          "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = \
    range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8  # RFC 8441


def error_name(code):
    return ERRORS[code] if code is not None and code < len(ERRORS) else str(code)


class Frame:
    """One frame as it was read."""

    def __init__(self, type, flags, stream, payload):
        self.type, self.flags, self.stream, self.payload = type, flags, stream, payload

    def has(self, flag):
        return bool(self.flags & flag)

    def content(self):
        """The payload without padding and priority."""
        data = self.payload
        if self.type in (DATA, HEADERS, PUSH_PROMISE) and self.has(PADDED):
            data = data[1:len(data) - data[0]]
        if self.type == HEADERS and self.has(WITH_PRIORITY):
            data = data[5:]
        return data

    def number(self, at=0):
        return int.from_bytes(self.payload[at:at + 4], "big")

    def __repr__(self):
        name = NAMES[self.type] if self.type < len(NAMES) else f"type {self.type}"
        more = ""
        if self.type == RST_STREAM:
            more = " " + error_name(self.number())
        elif self.type == GOAWAY:
            more = f" last={self.number()} {error_name(self.number(4))} {self.payload[8:]!r}"
        elif self.type == SETTINGS:
            more = f" {settings_of(self.payload)}"
        return f"<{name} stream={self.stream} flags={self.flags:#x} bytes={len(self.payload)}{more}>"


def frame(type, flags=0, stream=0, payload=b"", length=None):
    """A frame; `length` lies about the payload's."""
    said = len(payload) if length is None else length
    return struct.pack(">BHBBI", said >> 16, said & 0xffff, type, flags, stream) + payload


def settings(values=(), flags=0, stream=0):
    """`values`: a dict or pairs, since the same one may come twice."""
    pairs = values.items() if isinstance(values, dict) else values
    return frame(SETTINGS, flags, stream, b"".join(struct.pack(">HI", id, value) for id, value in pairs))


def settings_of(payload):
    return dict(struct.iter_unpack(">HI", payload[:len(payload) // 6 * 6]))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def rst_stream(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def ping(data=b"12345678", flags=0, stream=0):
    return frame(PING, flags, stream, data)


def goaway(last=0, code=NO_ERROR, debug=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + debug)


def priority(stream, depends_on=0, weight=15):
    return frame(PRIORITY, 0, stream, struct.pack(">IB", depends_on, weight))


def data(stream, content=b"", end=False, padding=None):
    return _padded(DATA, END_STREAM if end else 0, stream, content, padding)


def headers(stream, block, end=True, end_headers=True, padding=None, depends_on=None):
    flags = (END_STREAM if end else 0) | (END_HEADERS if end_headers else 0)
    if depends_on is not None:
        flags |= WITH_PRIORITY
        block = struct.pack(">IB", depends_on, 15) + block
    return _padded(HEADERS, flags, stream, block, padding)


def continuation(stream, block, end_headers=True):
    return frame(CONTINUATION, END_HEADERS if end_headers else 0, stream, block)


def _padded(type, flags, stream, content, padding):
    if padding is None:
        return frame(type, flags, stream, content)
    return frame(type, flags | PADDED, stream, bytes([padding]) + content + bytes(padding))


def as_bytes(text):
    return text if isinstance(text, bytes) else str(text).encode("latin-1")


def literal(name, value):
    """One field without any compression, so that it may hold what an encoder would refuse."""
    return b"\x00" + _string(as_bytes(name)) + _string(as_bytes(value))


def _string(text):
    size = len(text)
    if size < 127:
        return bytes([size]) + text
    out, rest = b"\x7f", size - 127
    while rest >= 128:
        out, rest = out + bytes([rest % 128 + 128]), rest // 128
    return out + bytes([rest]) + text


def block(fields):
    """Fields as literals: a list of pairs. The table of the other side stays as it is."""
    return b"".join(literal(name, value) for name, value in fields)


def request_fields(method="GET", path="/", fields=(), scheme="http", authority="test.example"):
    """The pseudo-fields of a request and behind them `fields`."""
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *fields]


__all__ = [name for name in dir() if not name.startswith("_")]
