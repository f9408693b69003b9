# SPDX-License-Identifier: Apache-2.0
"""Requests that are refused: with the right status, a closed connection, and no word to a replica."""

import json

from harness.client import request
from harness.config import entry
from harness.deadline import PATIENCE, seconds
from harness.h2 import H2Client

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"

AMBIGUOUS = {
    "both lengths": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths that differ": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": POST + b"Content-Length: 3, 4\r\n\r\nabcd",
    "a length with a sign": POST + b"Content-Length: +3\r\n\r\nabc",
    "a length in hexadecimal": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "a length that overflows": POST + b"Content-Length: 18446744073709551616\r\n\r\n",
    "an empty length": POST + b"Content-Length: \r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "two fields of transfer coding": POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a coding that is nearly chunked": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a transfer coding in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": GET + b"X-A: b\r\n c\r\n\r\n",
    "a space before the colon": GET + b"Content-Length : 3\r\n\r\n",
    "a field without a name": GET + b": x\r\n\r\n",
    "a name that is no token": GET + b"X(A): b\r\n\r\n",
    "a line without a colon": GET + b"nonsense\r\n\r\n",
    "a bare LF": b"GET / HTTP/1.1\nHost: x\n\n",
    "a bare LF between fields": GET + b"X-A: b\nX-B: c\r\n\r\n",
    "a bare CR in a value": GET + b"X-A: b\rX-B: c\r\n\r\n",
    "a NUL in a value": GET + b"X-A: b\0c\r\n\r\n",
    "a control character in a value": GET + b"X-A: b\x01c\r\n\r\n",
    "a NUL in the target": b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: y\r\n\r\n",
    "a Host with a path": b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "a Host with a user": b"GET / HTTP/1.1\r\nHost: u@x\r\n\r\n",
    "a Host with a bad port": b"GET / HTTP/1.1\r\nHost: x:99999\r\n\r\n",
    "two spaces in the request line": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab in the request line": b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /\r\nHost: x\r\n\r\n",
    "a target without a slash": b"GET path HTTP/1.1\r\nHost: x\r\n\r\n",
    "a fragment in the target": b"GET /#x HTTP/1.1\r\nHost: x\r\n\r\n",
    "a star for GET": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method that is no token": b"G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "something that is not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a bad version": b"GET / HTTP/1.x\r\nHost: x\r\n\r\n",
}

BAD_CHUNKS = {
    "a chunk size that is no number": b"z\r\nhello\r\n0\r\n\r\n",
    "a chunk size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with a prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a chunk size that overflows": b"fffffffffffffffff\r\nhello",
    "a chunk that is longer than it says": b"3\r\nhello\r\n0\r\n\r\n",
    "a chunk line that ends in LF": b"5\nhello\r\n0\r\n\r\n",
    "a chunk line that never ends": b"5;" + b"x" * 20000 + b"\r\nhello\r\n0\r\n\r\n",
    "a trailer that is no field": b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n",
}


def nobody_at_home(life):
    """A daemon whose only replica takes nothing, by the operator's wish."""
    return life.daemon([entry(life.replica(), state="down")])


def sound_refusal(client, status, name):
    """Reads the refusal, which has to be a whole and correct response, and the end behind it."""
    response = client.response()
    assert response.status == status, (name, response)
    assert response.has("Content-Type") and response.has("Content-Length"), (name, response)
    assert response.get("Connection", "").lower() == "close", (name, response)
    assert response.body, (name, response)
    assert client.is_closed_by_peer(), name
    return response


def test_every_ambiguous_request_is_refused_with_400_and_reaches_nobody(life):
    a = life.replica()
    daemon = life.daemon([a])
    for name, data in AMBIGUOUS.items():
        with daemon.client() as client:
            client.send(data)
            sound_refusal(client, 400, name)
    assert a.count() == 0, a.targets()
    assert a.connections == 0, "bytes of a refused request reached a replica"
    daemon.wait_metric("limpet_bad_requests_total", len(AMBIGUOUS))


def test_what_follows_an_ambiguous_request_is_never_read(life):
    a = life.replica()
    daemon = life.daemon([a])
    with daemon.client() as client:
        client.send(request("GET", "/good") + AMBIGUOUS["both lengths"] + request("GET", "/smuggled"))
        assert client.response().status == 200
        sound_refusal(client, 400, "the second of three")
    assert a.targets() == ["/good"]


def test_a_malformed_chunk_ends_the_connection_and_the_replica_never_sees_a_whole_body(life):
    a = life.replica()
    daemon = life.daemon([a])
    for name, chunks in BAD_CHUNKS.items():
        with daemon.client() as client:
            client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
            sound_refusal(client, 400, name)
    assert not any(r.is_whole for r in a.requests), a.requests
    assert daemon.once("GET", "/after").status == 200


def test_a_target_that_is_too_long_gets_414(life):
    a = life.replica()
    daemon = life.daemon([a], limits='request_line_bytes = "1KiB"')
    with daemon.client() as client:
        client.send(b"GET /" + b"x" * 2000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        sound_refusal(client, 414, "long target")
    assert a.count() == 0
    assert daemon.once("GET", "/" + "x" * 900).status == 200


def test_too_many_bytes_of_fields_get_431(life):
    a = life.replica()
    daemon = life.daemon([a], limits='header_bytes = "2KiB"')
    with daemon.client() as client:
        client.send(GET + b"X-A: " + b"x" * 3000 + b"\r\n\r\n")
        sound_refusal(client, 431, "long field")
    assert a.count() == 0


def test_too_many_fields_get_431(life):
    a = life.replica()
    daemon = life.daemon([a], limits="header_fields = 20")
    with daemon.client() as client:
        client.send(GET + b"".join(b"X-%d: y\r\n" % n for n in range(30)) + b"\r\n")
        sound_refusal(client, 431, "many fields")
    assert a.count() == 0


def test_an_endless_head_is_refused_before_it_ends(life):
    daemon = life.daemon([life.replica()])
    with daemon.client() as client:
        client.send(GET + b"X-A: " + b"x" * 100000)
        assert client.response().status == 431


def test_an_unknown_transfer_coding_gets_501(life):
    a = life.replica()
    daemon = life.daemon([a])
    with daemon.client() as client:
        client.send(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
        sound_refusal(client, 501, "gzip")
    assert a.count() == 0


def test_connect_is_not_served(life):
    a = life.replica()
    daemon = life.daemon([a])
    with daemon.client() as client:
        client.send(b"CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n")
        response = client.response()
        assert response.status in (400, 405, 501), response
    assert a.count() == 0


def test_an_unknown_version_gets_505(life):
    a = life.replica()
    daemon = life.daemon([a])
    with daemon.client() as client:
        client.send(b"GET / HTTP/2.7\r\nHost: x\r\n\r\n")
        sound_refusal(client, 505, "version")
    assert a.count() == 0


def test_a_head_that_does_not_come_gets_408(life):
    daemon = life.daemon([life.replica()], timeouts='request_head = "2s"')
    with daemon.client() as client:
        client.send(GET)
        sound_refusal(client, 408, "half a head")
    daemon.wait_metric("limpet_timeouts_total", 1, kind="request_head")


def test_a_body_that_does_not_come_gets_408(life):
    daemon = life.daemon([life.replica()], timeouts='client_stall = "300ms"')
    with daemon.client() as client:
        client.send(POST + b"Content-Length: 10\r\n\r\nabc")
        sound_refusal(client, 408, "half a body")
    daemon.wait_metric("limpet_timeouts_total", 1, kind="client_stall")


def test_no_replica_at_all_gets_503(life):
    daemon = nobody_at_home(life)
    response = daemon.once("GET", "/")
    assert response.status == 503 and response.has("Content-Length"), response


def test_a_replica_that_refuses_connections_gets_502_or_503(life):
    a = life.replica()
    daemon = life.daemon([a])
    a.stop()
    response = daemon.once("GET", "/")
    assert response.status in (502, 503), response
    daemon.wait_metric("limpet_requests_total", 1, code_class="5xx")


def test_a_path_without_a_route_gets_404(life):
    daemon = life.daemon([life.replica()], routes='[[route]]\npath = "/only"\npool = "web"\n')
    assert daemon.once("GET", "/elsewhere").status == 404


def test_errors_are_readable_and_carry_the_request_id(life):
    daemon = nobody_at_home(life)
    response = daemon.once("GET", "/")
    id = response.get("X-Request-Id")
    assert id and id in response.text(), response
    assert response.get("Content-Type").startswith(("text/plain", "text/html")), response
    assert "503" in response.text()


def test_errors_are_json_for_a_client_that_accepts_json(life):
    daemon = nobody_at_home(life)
    response = daemon.once("GET", "/", [("Accept", "application/json")])
    assert response.get("Content-Type").startswith("application/json"), response
    said = json.loads(response.text())
    assert 503 in said.values() or "503" in json.dumps(said), said
    assert response.get("X-Request-Id") in json.dumps(said), said


def test_a_head_that_is_refused_is_answered_in_json_where_it_accepts_json(life):
    daemon = life.daemon([life.replica()])
    accept = b"Accept: application/json\r\n"
    for head, status in ((b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400),
                         (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: tea\r\n", 417),
                         (b"GET / HTTP/1.1\r\nHost: a b\r\n", 400)):
        for fields, type in ((accept, "application/json"), (b"", "text/plain")):
            with daemon.client() as client:
                client.send(head + fields + b"\r\n")
                response = client.response()
                assert response.status == status and response.get("Content-Type").startswith(type), response
                assert response.get("X-Request-Id") in response.text()
    with H2Client(daemon.address) as client:
        for fields, type in (([("accept", "application/json")], "application/json"), ([], "text/plain")):
            stream = client.begin("POST", "/", [("expect", "tea"), *fields])
            client.wait(lambda: stream.is_over, "the refusal")
            assert stream.status == 417 and stream.get("content-type").startswith(type), stream


def test_an_error_for_head_has_a_length_and_no_body(life):
    daemon = nobody_at_home(life)
    with daemon.client() as client:
        for _ in range(2):
            response = client.ask("HEAD", "/")
            assert response.status == 503 and int(response.get("Content-Length")) > 0


def test_refusals_of_whole_requests_keep_the_connection(life):
    daemon = life.daemon([life.replica()], routes='[[route]]\npath = "/only"\npool = "web"\n')
    with daemon.client() as client:
        assert client.get("/elsewhere").status == 404
        assert client.ask("POST", "/elsewhere", body=b"x" * 1000).status == 404
        assert client.get("/only").status == 200


def test_a_client_that_keeps_sending_still_reads_its_refusal(life):
    daemon = life.daemon([life.replica()])
    with daemon.client() as client:
        client.send(AMBIGUOUS["both lengths"])
        try:
            for _ in range(20):
                client.send(b"x" * 10000)
        except OSError:
            pass
        client.socket.settimeout(seconds(PATIENCE))
        assert client.response().status == 400, "the refusal was lost to a reset"


def test_a_body_above_the_limit_gets_413_over_both_versions(life):
    a = life.replica()
    daemon = life.daemon([a], limits='request_body_bytes = "1KiB"')
    assert daemon.once("POST", "/", body=bytes(1024)).status == 200
    assert daemon.once("POST", "/", body=bytes(1025)).status == 413
    with daemon.client() as client:
        client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n400\r\n" + bytes(1024) + b"\r\n1\r\nx\r\n0\r\n\r\n")
        assert client.response().status == 413
    with H2Client(daemon.address) as client:
        for length in ([], [("content-length", "1025")]):
            assert client.ask("POST", "/", length, body=bytes(1025)).status == 413
        assert client.ask("POST", "/", body=bytes(1024)).status == 200
    assert all(len(request.body) <= 1024 for request in a.requests)
    assert daemon.metrics().sum("limpet_limits_total", kind="request_body_bytes") == 4
