# SPDX-License-Identifier: Apache-2.0
"""What gRPC puts into HTTP/2: framed messages, status trailers, the health service. Calls by hand."""

import struct

CONTENT = ("content-type", "application/grpc")
CALL = [CONTENT, ("te", "trailers")]
OK, UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, UNAVAILABLE = 0, 2, 4, 12, 14
HEALTH = "/grpc.health.v1.Health/Check"
SERVING, NOT_SERVING = 1, 2


def message(content):
    return struct.pack(">BI", 0, len(content)) + content


def messages(body):
    """The contents of the messages in a body, which has to be whole."""
    found, body = [], bytes(body)
    while body:
        flag, size = struct.unpack(">BI", body[:5])
        assert flag == 0 and len(body) >= 5 + size, f"half a message: {body[:40]!r}"
        found.append(body[5:5 + size])
        body = body[5 + size:]
    return found


def status(stream):
    """grpc-status and grpc-message, of the trailers or of a head without a body."""
    where = stream.trailers if stream.trailers else stream.fields
    fields = dict(where)
    assert "grpc-status" in fields, stream
    return int(fields["grpc-status"]), fields.get("grpc-message", "")


def reply(stream, contents, code=OK, text=""):
    """A replica's whole answer."""
    stream.head(200, [CONTENT])
    for content in contents:
        stream.data(message(content))
    stream.end([("grpc-status", str(code)), *([("grpc-message", text)] if text else [])])


def health_reply(stream, standing):
    reply(stream, [bytes([0x08, standing])])


def service_of(body):
    """The name in a HealthCheckRequest."""
    (content,) = messages(body)
    if not content:
        return ""
    assert content[0] == 0x0a and content[1] == len(content) - 2, content
    return content[2:].decode()


__all__ = ["CALL", "CONTENT", "HEALTH", "health_reply", "message", "messages", "reply", "service_of", "status"]
