# SPDX-License-Identifier: Apache-2.0
"""Handshakes with clients: versions, ALPN, limits, and failures that are counted and named."""

import socket
import ssl
import threading
import time

from harness import h2_frames as f
from harness import tls
from harness.client import Client, request
from harness.deadline import PATIENCE, Skip, seconds, stays, wait_until
from harness.h2 import H2Client
from harness.life import shaped
from harness.tls import TlsClient, handshake_fails, s_client

HANDSHAKES = "limpet_tls_handshakes_total"
FAILURES = "limpet_tls_handshake_failures_total"


def secured(life, *pairs, more="", replica=None, **options):
    """An authority and a daemon with a TLS listener of its certificates."""
    ca = tls.Authority(f"{life.dir}/ca")
    pairs = pairs or (ca.issue("test.example"),)
    options = {"workers": 1, **options}
    daemon = life.daemon([replica or life.replica()], listener=tls.listener(*pairs, more=more), **options)
    return ca, daemon


def raw_connection(daemon):
    return socket.create_connection(daemon.address, timeout=seconds(PATIENCE))


def is_closed(sock):
    """The daemon closes; an alert may come before."""
    try:
        while sock.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


def test_both_versions_of_tls_are_spoken(life):
    ca, daemon = secured(life)
    for version, name in (("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")):
        with TlsClient(daemon.address, ca.client(version=version)) as client:
            assert client.socket.version() == name
            assert client.get("/").status == 200
    daemon.wait_metric(HANDSHAKES, 1, listener="web", version="TLSv1.2", resumed="no", result="success")
    daemon.wait_metric(HANDSHAKES, 1, listener="web", version="TLSv1.3", resumed="no", result="success")


def test_older_versions_are_refused(life):
    ca, daemon = secured(life)
    for version in ("1.0", "1.1"):
        context = ca.client(version=version, ciphers="DEFAULT:@SECLEVEL=0")
        handshake_fails(daemon, context)
    daemon.wait_metric(FAILURES, 1, cause="version")


def test_a_minimum_of_1_3_refuses_1_2(life):
    ca, daemon = secured(life, more='min_version = "1.3"')
    handshake_fails(daemon, ca.client(version="1.2"))
    daemon.wait_metric(FAILURES, 1, cause="version")
    with TlsClient(daemon.address, ca.client(version="1.3")) as client:
        assert client.get("/").status == 200


def test_alpn_chooses_the_protocol(life):
    ca, daemon = secured(life)
    for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["h2"], "h2"),
                            (["http/1.1"], "http/1.1"), ([], None), (["spdy/3", "http/1.1"], "http/1.1")):
        sock = ca.client(offered).wrap_socket(raw_connection(daemon), server_hostname="test.example")
        assert sock.selected_alpn_protocol() == chosen, (offered, sock.selected_alpn_protocol())
        sock.close()


def test_without_alpn_http1_is_spoken(life):
    ca, daemon = secured(life)
    with TlsClient(daemon.address, ca.client(alpn=None)) as client:
        assert client.get("/").status == 200


def test_protocols_that_nobody_speaks_are_refused(life):
    ca, daemon = secured(life)
    handshake_fails(daemon, ca.client(["spdy/3"]))
    daemon.wait_metric(HANDSHAKES, 1, result="failure")


def test_a_listener_without_http2_does_not_offer_it(life):
    ca = tls.Authority(f"{life.dir}/ca")
    daemon = life.daemon([life.replica()], listener="http2 = false\n" + tls.listener(ca.issue("test.example")))
    sock = ca.client(["h2", "http/1.1"]).wrap_socket(raw_connection(daemon), server_hostname="test.example")
    assert sock.selected_alpn_protocol() == "http/1.1"
    sock.close()
    with TlsClient(daemon.address, ca.client()) as client:
        assert client.get("/").status == 200


def test_weak_ciphers_are_refused_and_named(life):
    ca, daemon = secured(life)
    try:
        context = ca.client(version="1.2", ciphers="ECDHE-ECDSA-AES128-SHA:AES128-SHA:@SECLEVEL=0")
    except ssl.SSLError:
        raise Skip("this Python's library has no such cipher") from None
    handshake_fails(daemon, context)
    daemon.wait_metric(FAILURES, 1, cause="no-shared-cipher")
    wait_until(lambda: "no-shared-cipher" in daemon.errors(), "a line that names the cause")


def speak_plainly(daemon):
    """A client that does not know of TLS, up to the end of its connection."""
    with Client(daemon.address) as client:
        client.send(request("GET", "/"))
        assert client.is_closed_by_peer()


def test_plain_http_on_the_tls_port_is_named(life):
    _, daemon = secured(life)
    speak_plainly(daemon)
    daemon.wait_metric(FAILURES, 1, listener="web", cause="not-tls")
    wait_until(lambda: "not-tls" in daemon.errors(), "a line that names the cause")


def test_a_client_that_hangs_up_is_counted_as_closed(life):
    _, daemon = secured(life)
    sock = raw_connection(daemon)
    sock.send(b"\x16\x03\x01")
    sock.close()
    daemon.wait_metric(FAILURES, 1, cause="closed")


def test_a_client_that_does_not_trust_the_certificate_is_counted(life):
    _, daemon = secured(life)
    stranger = tls.Authority(f"{life.dir}/stranger", "Somebody else")
    assert "certificate" in handshake_fails(daemon, stranger.client()).lower()
    daemon.wait_metric(FAILURES, 1, cause="bad-certificate")
    wait_until(lambda: "bad-certificate" in daemon.errors(), "a line that names the cause")


def test_garbage_inside_a_record_is_a_failure_and_nothing_else(life):
    ca, daemon = secured(life)
    for garbage in (b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x03\xff\xff" + bytes(300), b"\x15\x03\x01\x00\x02\x02\x28",
                    b"\x16\x03\x01\x00\x04\x01\xff\xff\xff"):
        sock = raw_connection(daemon)
        sock.send(garbage)
        sock.shutdown(socket.SHUT_WR)
        assert is_closed(sock)
    daemon.wait_metric(HANDSHAKES, 4, result="failure")
    with TlsClient(daemon.address, ca.client()) as client:
        assert client.get("/").status == 200


def test_a_handshake_that_takes_too_long_is_ended_and_named(life):
    _, daemon = secured(life, more='handshake_timeout = "300ms"')
    for sent in (b"", b"\x16\x03\x01\x02"):
        sock = raw_connection(daemon)
        sock.sendall(sent)
        assert is_closed(sock)
    daemon.wait_metric(FAILURES, 2, cause="timeout")
    wait_until(lambda: "timeout" in daemon.errors(), "a line that names the cause")


def test_a_slow_handshake_within_its_time_succeeds(life):
    ca, daemon = secured(life)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    machine = ca.client().wrap_bio(incoming, outgoing, server_hostname="test.example")
    sock = raw_connection(daemon)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        try:
            machine.do_handshake()
            break
        except ssl.SSLWantReadError:
            for byte in outgoing.read():
                sock.send(bytes([byte]))
            incoming.write(sock.recv(65536))
    for byte in outgoing.read():
        sock.send(bytes([byte]))
    machine.write(request("GET", "/slowly"))
    sock.sendall(outgoing.read())
    answer = b""
    while b"\r\n\r\n" not in answer:
        incoming.write(sock.recv(65536))
        try:
            answer += machine.read(65536)
        except ssl.SSLWantReadError:
            pass
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    sock.close()


def test_no_more_handshakes_are_under_way_than_allowed(life):
    ca, daemon = secured(life, more="handshakes_max = 2")
    with TlsClient(daemon.address, ca.client()) as kept:
        held = [raw_connection(daemon) for _ in range(2)]
        third = raw_connection(daemon)
        assert is_closed(third), "one more is let in"
        daemon.wait_metric("limpet_limits_total", 1, kind="handshakes")
        assert kept.get("/").status == 200, "those who are in do not count"
        held.pop().close()

        def succeeds():
            try:
                with TlsClient(daemon.address, ca.client()) as client:
                    return client.get("/").status == 200
            except OSError:
                return False
        wait_until(succeeds, "there is room again")
        for sock in held:
            sock.close()


def test_failures_of_one_cause_are_all_counted_and_logged_once_a_second(life):
    _, daemon = secured(life)
    began = time.monotonic()
    for _ in range(50):
        speak_plainly(daemon)
    daemon.wait_metric(FAILURES, 50, cause="not-tls")
    lines = [line for line in daemon.errors().splitlines() if "not-tls" in line]
    took = time.monotonic() - began
    assert 1 <= len(lines) <= took + 2, f"{len(lines)} lines for 50 failures in {took:.1f} seconds"
    assert daemon.metrics().sum(HANDSHAKES, result="failure") == 50


def test_a_line_about_a_failure_says_who_and_where(life):
    _, daemon = secured(life)
    speak_plainly(daemon)
    line = wait_until(lambda: next((text for text in daemon.errors().splitlines() if "not-tls" in text), None),
                      "a line")
    assert "listener=web" in line and "client=127.0.0.1" in line and "reason=" in line, line


def test_renegotiation_by_the_client_is_refused(life):
    _, daemon = secured(life)
    said = s_client(daemon, "-tls1_2", stdin=b"R\n")
    assert "no renegotiation" in said.split("RENEGOTIATING")[1], said


def test_a_clean_end_is_announced_with_close_notify(life):
    ca, daemon = secured(life)
    context = ca.client()
    sock = context.wrap_socket(raw_connection(daemon), server_hostname="test.example", suppress_ragged_eofs=False)
    sock.sendall(request("GET", "/", [("Connection", "close")]))
    while sock.recv(65536):  # an SSLEOFError here is an end without close_notify
        pass
    sock.close()


def test_a_body_of_any_size_passes_over_tls(life):
    data = bytes(range(256)) * 40000

    def echo(peer, message):
        peer.answer(200, message.body)
    ca, daemon = secured(life, replica=life.replica(handle=echo))
    with TlsClient(daemon.address, ca.client()) as client:
        for _ in range(2):
            assert client.ask("POST", "/", body=data).body == data


def test_a_slow_client_over_tls_stops_the_replica(life):
    sent, total = [0], 256 << 20

    def endless(peer, _):
        peer.socket.settimeout(None)
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n".encode())
        while sent[0] < total:
            peer.socket.sendall(bytes(1 << 18))
            sent[0] += 1 << 18
    ca, daemon = secured(life, replica=life.replica(handle=endless))
    with TlsClient(daemon.address, ca.client()) as client:
        client.send(request("GET", "/"))
        client.response_head()
        while True:
            seen = sent[0]
            try:
                stays(lambda: sent[0] == seen, "stopped", 0.5)
                break
            except AssertionError:
                pass
        assert sent[0] < 64 << 20, sent


def test_replicas_are_told_https_and_the_cookie_is_secure(life):
    a = life.replica()
    ca, daemon = secured(life, replica=a)
    with TlsClient(daemon.address, ca.client()) as client:
        cookie = client.get("/").get("Set-Cookie")
    assert "; Secure" in cookie, cookie
    assert a.requests[0].get("X-Forwarded-Proto") == "https", a.requests[0]


def test_http2_over_tls_is_as_over_plain(life):
    a = life.replica()
    ca, daemon = secured(life, replica=a)
    with H2Client(daemon.address, tls=ca.client(["h2"])) as client:
        assert "; Secure" in client.get("/").get("set-cookie")
        assert b'"body_bytes": 100000' in client.ask("POST", "/", body=bytes(100000)).body
        client.send(f.window_update(0, 0))
        client.connection_error(f.PROTOCOL_ERROR)
    assert a.requests[0].get("X-Forwarded-Proto") == "https"


def test_plain_and_tls_listeners_stand_side_by_side_and_plain_is_redirected(life):
    """The usual pair: the plain listener's host is sent to https, the other one is served."""
    ca = tls.Authority(f"{life.dir}/ca")
    redirect = '[[route]]\nhost = "*"\npath = "/"\nredirect = { to = "https://{host}{path}{query}", status = 308 }\n'
    daemon = life.daemon([life.replica()], routes=redirect + '[[route]]\nhost = "served.example"\npool = "web"\n',
                         listener=tls.listener(ca.issue("served.example", "*.example")))
    plain = life.daemon([life.replica("b")], routes=redirect)
    response = plain.once("GET", "/a/b?c=d", host="served.example")
    assert response.status == 308 and response.get("Location") == "https://served.example/a/b?c=d", response
    with H2Client(plain.address) as client:
        response = client.ask("GET", "/a/b?c=d", authority="served.example")
        assert response.status == 308 and response.get("location") == "https://served.example/a/b?c=d", response
    with TlsClient(daemon.address, ca.client(), "served.example") as client:
        assert client.ask("GET", "/a/b?c=d", host="served.example").status == 200


def test_many_handshakes_at_once_all_succeed(life):
    ca, daemon = secured(life, workers=2)
    context, failures = ca.client(), []

    def shake():
        try:
            for _ in range(10):
                with TlsClient(daemon.address, context) as client:
                    assert client.get("/").status == 200
        except Exception as fault:
            failures.append(repr(fault))
    threads = [threading.Thread(target=shake) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    assert daemon.metrics().sum(HANDSHAKES, result="failure") == 0


def test_kernel_tls_where_it_is_allowed_serves_the_same(life):
    """Where kernel or cipher do not allow it, it is ordinary TLS."""
    data = bytes(1 << 20)
    echo = life.replica(handle=lambda peer, message: peer.answer(200, message.body))
    ca, daemon = secured(life, more="ktls = true", replica=echo)
    with TlsClient(daemon.address, ca.client()) as client:
        assert client.ask("POST", "/", body=data).body == data
    with H2Client(daemon.address, tls=ca.client(["h2"])) as client:
        assert client.ask("POST", "/", body=data).body == data


def test_a_handshake_that_fails_after_its_listener_became_a_plain_one_harms_nobody(life):
    a = life.replica()
    _, daemon = secured(life, replica=a)
    sock = raw_connection(daemon)
    daemon.wait_metric("limpet_connections", 1, listener="web")
    daemon.reload(shaped([a], workers=1))
    sock.sendall(b"no handshake at all")
    assert is_closed(sock)
    assert daemon.once("GET", "/").status == 200
