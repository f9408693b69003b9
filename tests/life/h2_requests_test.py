# SPDX-License-Identifier: Apache-2.0
"""What a request has to be in HTTP/2 (RFC 9113 section 8), and that none turns into another one in HTTP/1."""

import threading

from harness import h2_frames as f
from harness.h2 import H2Client
from harness.interim import asking_after

METHOD, SCHEME, AUTHORITY, PATH = f.request_fields()
PSEUDO = [METHOD, SCHEME, AUTHORITY, PATH]

MALFORMED = {
    "8.2.1 an upper-case name": [*PSEUDO, ("X-Test", "a")],
    "8.2.1 an empty name": [*PSEUDO, ("", "a")],
    "8.2.1 a space in a name": [*PSEUDO, ("x test", "a")],
    "8.2.1 a colon in a name": [*PSEUDO, ("x:y", "a")],
    "8.2.1 a line end in a name": [*PSEUDO, ("x\r\ny", "a")],
    "8.2.1 a NUL in a name": [*PSEUDO, ("x\0y", "a")],
    "8.2.1 a DEL in a name": [*PSEUDO, ("x\x7fy", "a")],
    "8.2.1 a byte above ASCII in a name": [*PSEUDO, ("x\xe4", "a")],
    "8.2.1 a NUL in a value": [*PSEUDO, ("x-a", "b\0c")],
    "8.2.1 a line feed in a value": [*PSEUDO, ("x-a", "b\nc")],
    "8.2.1 a carriage return in a value": [*PSEUDO, ("x-a", "b\rc")],
    "8.2.1 a whole field in a value": [*PSEUDO, ("x-a", "b\r\ntransfer-encoding: chunked")],
    "8.2.1 a whole request in a value": [*PSEUDO, ("x-a", "b\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n")],
    "8.2.1 a space before a value": [*PSEUDO, ("x-a", " b")],
    "8.2.1 a tab behind a value": [*PSEUDO, ("x-a", "b\t")],
    "8.2.2 connection": [*PSEUDO, ("connection", "close")],
    "8.2.2 keep-alive": [*PSEUDO, ("keep-alive", "timeout=5")],
    "8.2.2 proxy-connection": [*PSEUDO, ("proxy-connection", "keep-alive")],
    "8.2.2 transfer-encoding": [*PSEUDO, ("transfer-encoding", "chunked")],
    "8.2.2 upgrade": [*PSEUDO, ("upgrade", "websocket")],
    "8.2.2 te with anything but trailers": [*PSEUDO, ("te", "gzip")],
    "8.3 an unknown pseudo-field": [*PSEUDO, (":test", "a")],
    "8.3 the pseudo-field of a response": [*PSEUDO, (":status", "200")],
    "8.3 a pseudo-field behind a field": [METHOD, SCHEME, AUTHORITY, ("x-a", "b"), PATH],
    "8.3 two methods": [METHOD, *PSEUDO],
    "8.3 two schemes": [SCHEME, *PSEUDO],
    "8.3 two authorities": [AUTHORITY, *PSEUDO],
    "8.3 two paths": [PATH, *PSEUDO],
    "8.3.1 no method": [SCHEME, AUTHORITY, PATH],
    "8.3.1 no scheme": [METHOD, AUTHORITY, PATH],
    "8.3.1 no path": [METHOD, SCHEME, AUTHORITY],
    "8.3.1 an empty path": [METHOD, SCHEME, AUTHORITY, (":path", "")],
    "8.3.1 an empty method": [(":method", ""), SCHEME, AUTHORITY, PATH],
    "8.3.1 a path without a slash": [METHOD, SCHEME, AUTHORITY, (":path", "path")],
    "8.3.1 a star for GET": [METHOD, SCHEME, AUTHORITY, (":path", "*")],
    "8.3.1 a whole URL as path": [METHOD, SCHEME, AUTHORITY, (":path", "http://other.example/")],
    "8.3.1 neither authority nor host": [METHOD, SCHEME, PATH],
    "8.3.1 an empty authority": [METHOD, SCHEME, (":authority", ""), PATH],
    "8.3.1 an authority with a user": [METHOD, SCHEME, (":authority", "u@test.example"), PATH],
    "8.3.1 a host that is not the authority": [*PSEUDO, ("host", "other.example")],
    "8.3.1 two hosts": [METHOD, SCHEME, PATH, ("host", "test.example"), ("host", "test.example")],
    "8.5 CONNECT with a path": [(":method", "CONNECT"), AUTHORITY, PATH],
    "8.5 CONNECT with a scheme": [(":method", "CONNECT"), AUTHORITY, SCHEME],
    "8.5 CONNECT without an authority": [(":method", "CONNECT")],
    "8441 a protocol for GET": [*PSEUDO, (":protocol", "websocket")],
    "8.3.1 a space in the method": [(":method", "GET /smuggled HTTP/1.1\r\nx: y"), SCHEME, AUTHORITY, PATH],
    "8.3.1 a space in the path": [METHOD, SCHEME, AUTHORITY, (":path", "/a HTTP/1.1")],
    "8.3.1 a line end in the path": [METHOD, SCHEME, AUTHORITY, (":path", "/ HTTP/1.1\r\nx: y\r\n\r\nGET /smuggled")],
    "8.3.1 a NUL in the path": [METHOD, SCHEME, AUTHORITY, (":path", "/\0")],
    "8.3.1 a fragment in the path": [METHOD, SCHEME, AUTHORITY, (":path", "/#x")],
    "8.3.1 a line end in the authority": [METHOD, SCHEME, (":authority", "x\r\ny: z"), PATH],
    "8.3.1 a path in the authority": [METHOD, SCHEME, (":authority", "x/y"), PATH],
    "8.3.1 an unknown scheme with a line end": [METHOD, (":scheme", "http\r\nx: y"), AUTHORITY, PATH],
    "8.1.1 two lengths that differ": [*PSEUDO, ("content-length", "0"), ("content-length", "1")],
    "8.1.1 a list of lengths": [*PSEUDO, ("content-length", "0, 0, 1")],
    "8.1.1 a length that is no number": [*PSEUDO, ("content-length", "0x0")],
    "8.1.1 a length with a sign": [*PSEUDO, ("content-length", "+0")],
    "8.1.1 a length of something without a body": [*PSEUDO, ("content-length", "5")],
}


def is_refused(client, stream):
    """RST_STREAM or GOAWAY with PROTOCOL_ERROR, or 400: each is a way to treat a malformed request (8.1.1)."""
    client.wait(lambda: stream.is_over or client.goaways or client.ended, "a refusal")
    if stream.has_head:
        assert 400 <= stream.status < 500, stream
    else:
        assert stream.reset is not None or client.goaways, "closed without a word"
        code = stream.reset if stream.reset is not None else client.goaways[-1][1]
        assert code == f.PROTOCOL_ERROR, f.error_name(code)


def test_each_malformed_request_is_refused_and_reaches_nobody(life):
    a = life.replica()
    daemon = life.daemon([a])
    wrong = []
    for name, fields in MALFORMED.items():
        with H2Client(daemon.address) as client:
            try:
                is_refused(client, client.raw(fields))
            except (AssertionError, OSError) as fault:
                wrong.append(f"{name}: {fault}")
    assert not wrong, "\n".join(wrong)
    assert a.count() == 0, a.targets()


def test_a_malformed_request_costs_its_neighbours_nothing(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        for fields in ([*PSEUDO, ("X-Test", "a")], [METHOD, SCHEME, AUTHORITY], [*PSEUDO, ("connection", "x")]):
            is_refused(client, client.raw(fields))
            client.lives()


def test_malformed_requests_are_counted(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        for _ in range(3):
            is_refused(client, client.raw([*PSEUDO, ("X-Test", "a")]))
    daemon.wait_metric("limpet_bad_requests_total", 3)


def test_fields_that_look_odd_and_are_not_are_passed_on(life):
    a = life.replica()
    daemon = life.daemon([a])
    fields = [("x-empty", ""), ("x-inner", "a \t b"), ("x-above-ascii", "\xe4\xf6"), ("te", "trailers"),
              ("!#$%&'*+-.^_`|~09az", "a token"), ("x-colon", "a:b"), ("x-long", "y" * 8000)]
    with H2Client(daemon.address) as client:
        assert client.raw([*PSEUDO, *fields]) and client.finish(client.streams[1]).status == 200
    for name, value in fields:
        if name != "te":
            assert a.requests[0].get(name) == value, (name, a.requests[0])


def test_host_instead_of_authority_is_enough(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        assert client.finish(client.raw([METHOD, SCHEME, PATH, ("host", "by.host")])).status == 200
        assert client.finish(client.raw([*PSEUDO, ("host", "test.example")])).status == 200
    assert [r.all("Host") for r in a.requests] == [["by.host"], ["test.example"]]


def test_options_with_a_star_is_served(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        assert client.ask("OPTIONS", "*").status == 200
    assert a.requests[0].target == "*" and a.requests[0].method == "OPTIONS"


def test_a_body_must_be_as_long_as_it_was_said(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        for said, sent in ((5, b"1234"), (5, b"123456"), (5, b"")):
            stream = client.expect_stream()
            fields = [*f.request_fields("POST"), ("content-length", str(said))]
            client.send(f.headers(stream.id, f.block(fields), end=False) + f.data(stream.id, sent, True))
            is_refused(client, stream)
        client.lives()
    assert [r.target for r in a.requests if r.is_whole] == ["/alive"], a.requests


def test_a_body_without_a_length_is_framed_for_an_http1_replica(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        assert b'"body_bytes": 11' in client.ask("POST", "/", body=b"0\r\n\r\nGET / ").body
    assert a.count() == 1
    assert a.requests[0].get("Transfer-Encoding") == "chunked" and not a.requests[0].has("Content-Length")


def test_a_body_with_a_length_keeps_it(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        client.ask("POST", "/", [("content-length", "3")], body=b"abc")
    assert a.requests[0].get("Content-Length") == "3" and not a.requests[0].has("Transfer-Encoding")
    assert a.requests[0].body == b"abc"


def test_trailers_with_a_pseudo_field_are_malformed(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", "/cut", end=False)
        client.send(f.data(stream.id, b"body"))
        client.send(f.headers(stream.id, f.block([(":method", "GET"), ("x-sum", "1")])))
        is_refused(client, stream)
    assert not any(r.is_whole for r in a.requests)


def test_trailers_with_forbidden_fields_are_malformed(life):
    a = life.replica()
    daemon = life.daemon([a])
    for bad in (("X-Upper", "1"), ("connection", "close"), ("transfer-encoding", "chunked"), ("x-a", "b\r\nc: d")):
        with H2Client(daemon.address) as client:
            stream = client.begin("POST", "/cut", end=False)
            client.send(f.data(stream.id, b"body"))
            client.send(f.headers(stream.id, f.block([bad])))
            is_refused(client, stream)
    assert not any(r.is_whole for r in a.requests)


def test_trailers_that_frame_the_message_never_reach_an_http1_replica(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", "/", end=False)
        client.send(f.data(stream.id, b"body"))
        client.send(f.headers(stream.id, f.block([("content-length", "99"), ("host", "other"), ("x-sum", "1")])))
        client.wait(lambda: stream.is_over or client.goaways, "an answer or a refusal")
    for message in a.requests:
        assert not {"content-length", "host"} & {name.lower() for name, _ in message.trailers}, message.trailers


def test_a_second_head_without_the_end_is_malformed(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", "/cut", end=False)
        client.send(f.headers(stream.id, f.block([("x-sum", "1")]), end=False))
        is_refused(client, stream)
    assert not any(r.is_whole for r in a.requests)


def test_cookie_crumbs_become_one_cookie_field(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        crumbs = [("cookie", "a=1"), ("x-between", "y"), ("cookie", "b=2; c=3"), ("cookie", "d=4")]
        assert client.finish(client.raw([*PSEUDO, *crumbs])).status == 200
    assert a.requests[0].all("Cookie") == ["a=1; b=2; c=3; d=4"], a.requests[0]


def test_plain_connect_is_not_served(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        stream = client.raw([(":method", "CONNECT"), (":authority", "other.example:443")], end=False)
        client.wait(lambda: stream.has_head or stream.is_over, "a refusal")
        assert not stream.has_head or stream.status in (400, 405, 501), stream
        client.lives()
    assert a.targets() == ["/alive"]


def test_a_path_that_is_too_long_gets_414(life):
    a = life.replica()
    daemon = life.daemon([a], limits='request_line_bytes = "1KiB"')
    with H2Client(daemon.address) as client:
        assert client.get("/" + "x" * 2000).status == 414
        assert client.get("/" + "x" * 900).status == 200
    assert a.count() == 1


def test_too_many_bytes_of_fields_get_431(life):
    a = life.replica()
    daemon = life.daemon([a], limits='header_bytes = "2KiB"')
    with H2Client(daemon.address) as client:
        assert client.get("/", [("x-long", "y" * 3000)]).status == 431
        client.lives()
    assert a.targets() == ["/alive"]


def test_too_many_fields_get_431(life):
    a = life.replica()
    daemon = life.daemon([a], limits="header_fields = 20")
    with H2Client(daemon.address) as client:
        assert client.get("/", [(f"x-{n}", "y") for n in range(30)]).status == 431
        client.lives()
    assert a.targets() == ["/alive"]


def test_a_few_bytes_that_refer_to_a_large_field_many_times_get_431(life):
    """CVE-2016-1544, CVE-2026-49975: the count is of what the references stand for."""
    a = life.replica()
    daemon = life.daemon([a], limits="header_fields = 1024")
    kept = b"\x40" + f.literal("x-large", "y" * 3000)[1:]
    with H2Client(daemon.address) as client:
        client.wait_settings()
        stream = client.expect_stream()
        client.send(f.headers(stream.id, f.block(PSEUDO) + kept + b"\xbe" * 5000))
        client.wait(lambda: stream.is_over or client.goaways, "a refusal")
        assert stream.reset is not None or client.goaways or stream.status == 431, stream
    assert a.count() == 0


def test_each_crumb_of_a_cookie_counts_as_a_field_of_32_bytes_more(life):
    a = life.replica()
    daemon = life.daemon([a], limits='header_bytes = "8KiB"\nheader_fields = 1024')
    with H2Client(daemon.address) as client:
        few = client.raw([*PSEUDO, *[("cookie", "a=b")] * 100])      # 41 octets each
        assert client.finish(few).status == 200
        many = client.raw([*PSEUDO, *[("cookie", "a=b")] * 300])
        client.wait(lambda: many.is_over or client.goaways, "a refusal")
        assert many.reset is not None or client.goaways or many.status == 431, many
    assert a.count() == 1


def test_a_head_that_does_not_come_ends_after_request_head(life):
    daemon = life.daemon([life.replica()], timeouts='request_head = "300ms"')
    with H2Client(daemon.address) as client:
        client.wait_settings()
        client.expect_stream(1)
        client.send(f.headers(1, f.block(PSEUDO)[:10], end_headers=False))
        client.wait_end()
    daemon.wait_metric("limpet_timeouts_total", 1, kind="request_head")


def test_a_body_that_does_not_come_ends_its_stream_after_client_stall_and_no_other(life):
    daemon = life.daemon([life.replica()], timeouts='client_stall = "300ms"')
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", "/", [("content-length", "10")], end=False)
        client.send(f.data(stream.id, b"abc"))
        client.wait(lambda: stream.is_over, "the end of the stream")
        assert stream.reset is not None or stream.status == 408, stream
        client.lives()
    daemon.wait_metric("limpet_timeouts_total", 1, kind="client_stall")


def test_a_replica_may_think_for_longer_than_client_stall_before_it_asks_for_the_body(life):
    thought = threading.Event()
    a = life.replica(on_connection=asking_after(thought))
    daemon = life.daemon([a], timeouts='client_stall = "300ms"')
    with H2Client(daemon.address) as client:
        asking = [client.begin("POST", "/", [("content-length", "5"), ("expect", "100-continue")], end=False)
                  for _ in range(2)]
        a.wait_for_requests(2)
        other = client.begin("POST", "/stall", [("content-length", "5")], end=False)
        client.wait(lambda: other.is_over, "client_stall is over")
        thought.set()
        client.wait(lambda: all(stream.informational for stream in asking), "both are asked")
        client.send(f.data(asking[0].id, b"hello", True))
        client.wait(lambda: asking[0].is_over, "the answer")
        assert asking[0].status == 200 and asking[0].body == b"hello", asking[0]
        client.wait(lambda: asking[1].is_over, "who is asked and does not send is not waited for")
        assert asking[1].reset is not None or asking[1].status == 408, asking[1]


def test_errors_of_limpet_are_whole_responses_on_the_stream(life):
    daemon = life.daemon([life.replica()], routes='[[route]]\npath = "/only"\npool = "web"\n')
    with H2Client(daemon.address) as client:
        response = client.get("/elsewhere")
        assert response.status == 404 and response.body and response.has("content-type"), response
        assert int(response.get("content-length")) == len(response.body)
        response = client.ask("HEAD", "/elsewhere")
        assert response.status == 404 and not response.body
        assert client.ask("POST", "/elsewhere", body=b"x" * 100000).status == 404
        assert client.get("/only").status == 200


def test_the_field_names_of_responses_are_in_lower_case_and_of_no_connection(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
                  b"Proxy-Connection: x\r\nTransfer-Encoding: chunked\r\nX-Mixed-Case: Yes\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    daemon = life.daemon([life.replica(handle=answer)])
    with H2Client(daemon.address) as client:
        response = client.get("/")
    names = [name for name, _ in response.fields]
    assert names == [name.lower() for name in names], names
    assert not {"connection", "x-hop", "keep-alive", "proxy-connection", "transfer-encoding"} & set(names), names
    assert response.get("x-mixed-case") == "Yes" and response.body == b"ok"
