# SPDX-License-Identifier: Apache-2.0
"""Whether a proxy gives 200 to a request: over HTTP/1.1 or hand-made HTTP/2, in clear or in TLS."""

import http.client
import socket
import ssl

SECONDS_MAX = 2
HEADERS, END_HEADERS_AND_STREAM = 1, 5
STATUS_200 = 0x88  # RFC 7541, Appendix A: entry 8 of the static table


def answers(port, protocol, is_tls):
    """Whether 127.0.0.1:port answers GET /128 with 200."""
    try:
        return (http2_answers if protocol == "http2" else http1_answers)(port, is_tls)
    except (OSError, http.client.HTTPException):
        return False


def context(protocol):
    """Any certificate is good: the bench made it."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols([protocol])
    return made


def connect(port, protocol, is_tls):
    connection = socket.create_connection(("127.0.0.1", port), SECONDS_MAX)
    try:
        return context(protocol).wrap_socket(connection) if is_tls else connection
    except OSError:
        connection.close()
        raise


def http1_answers(port, is_tls):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)
    connection.sock = connect(port, "http/1.1", is_tls)
    try:
        connection.request("GET", "/128")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def frame(kind, flags, stream, payload=b""):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") +
            payload)


def http2_answers(port, is_tls):
    host = b"bench.example"
    # :method GET, :scheme, :path and :authority as literals without a place in the table.
    fields = (bytes([0x82, 0x87 if is_tls else 0x86]) + b"\x04\x04/128" +
              bytes([0x01, len(host)]) + host)
    with connect(port, "h2", is_tls) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) +
                           frame(HEADERS, END_HEADERS_AND_STREAM, 1, fields))
        with connection.makefile("rb") as stream:
            while head := stream.read(9):
                payload = stream.read(int.from_bytes(head[:3], "big"))
                if head[3] == HEADERS:
                    return STATUS_200 in payload[:3]  # a change of the table's size may come first
    return False
