# SPDX-License-Identifier: Apache-2.0
"""How an HTTP/2 connection begins (RFC 9113 section 3) and which of the two protocols a connection speaks."""

import threading

from harness import h2_frames as f
from harness.client import Client, request
from harness.deadline import seconds
from harness.h2 import H2Client

UPGRADE_H2C = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
               ("HTTP2-Settings", "AAMAAABkAAQAAP__")]


def test_prior_knowledge_and_http1_share_a_port(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        assert client.get("/by-h2").status == 200
    assert daemon.once("GET", "/by-h1").status == 200
    assert a.targets() == ["/by-h2", "/by-h1"]


def test_the_first_frame_to_the_client_is_settings(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        first = client.pump()
        assert first.type == f.SETTINGS and not first.has(f.ACK), first
        client.wait_settings()


def test_settings_announce_the_limits_of_the_file(life):
    daemon = life.daemon([life.replica()], limits="http2_streams = 7")
    with H2Client(daemon.address) as client:
        said = client.wait_settings()
        assert said[f.MAX_CONCURRENT_STREAMS] == 7, said
        assert said.get(f.ENABLE_CONNECT_PROTOCOL) == 1, f"no WebSocket for this client: {said}"
        assert said.get(f.ENABLE_PUSH, 0) == 0, said


def test_a_preface_in_single_bytes_is_understood(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address, preface=False) as client:
        for byte in f.PREFACE + f.settings():
            client.send(bytes([byte]))
        assert client.get("/").status == 200


def test_requests_right_behind_the_preface_are_served_before_any_settings_were_exchanged(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address, preface=False) as client:
        stream = client.expect_stream()
        head = f.headers(stream.id, f.block(f.request_fields()))
        client.send(f.PREFACE + f.settings() + head)
        assert client.finish(stream).status == 200


def test_another_first_frame_than_settings_is_a_protocol_error(life):
    daemon = life.daemon([life.replica()])
    first_frames = {"PING": f.ping(), "HEADERS": f.headers(1, f.block(f.request_fields())),
                    "WINDOW_UPDATE": f.window_update(0, 1), "an acknowledgement": f.settings(flags=f.ACK)}
    for name, first in first_frames.items():
        with H2Client(daemon.address, preface=False) as client:
            client.send(f.PREFACE + first)
            assert client.connection_error(f.PROTOCOL_ERROR) == f.PROTOCOL_ERROR, name


def test_a_garbled_preface_reaches_nobody_and_ends_the_connection(life):
    a = life.replica()
    daemon = life.daemon([a])
    for text in (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\n\n",
                 b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        with Client(daemon.address) as client:
            client.send(text + f.settings() + f.headers(1, f.block(f.request_fields())))
            try:
                client.stream.rest()
            except ConnectionResetError:
                pass
    assert a.count() == 0, a.targets()


def test_a_method_that_begins_like_the_preface_is_http1(life):
    a = life.replica()
    daemon = life.daemon([a])
    for pieces in ([b"PRINT / HTTP/1.1\r\nHost: x\r\n\r\n"], [b"PRI", b"NT / HTTP/1.1\r\nHost: x\r\n\r\n"]):
        with Client(daemon.address) as client:
            for piece in pieces:
                client.send(piece)
            assert client.response().status == 200, pieces
    assert [r.method for r in a.requests] == ["PRINT", "PRINT"]


def test_half_a_preface_is_given_up_after_the_time_for_a_head(life):
    daemon = life.daemon([life.replica()], timeouts='request_head = "300ms"')
    for sent in (f.PREFACE[:10], f.PREFACE[:20]):
        with Client(daemon.address) as client:
            client.send(sent)
            client.stream.rest()


def test_a_listener_without_http2_takes_the_preface_for_a_bad_request(life):
    a = life.replica()
    daemon = life.daemon([a], listener="http2 = false")
    with Client(daemon.address) as client:
        client.send(f.PREFACE + f.settings())
        assert client.response_head().status in (400, 505)
    assert daemon.once("GET", "/").status == 200


def test_an_upgrade_to_h2c_is_not_taken_up_and_the_request_is_served(life):
    a = life.replica()
    daemon = life.daemon([a])
    with daemon.client() as client:
        response = client.get("/", UPGRADE_H2C)
        assert response.status == 200 and not response.has("Upgrade"), response
        assert client.get("/again").status == 200
    assert not a.requests[0].has("Upgrade") and not a.requests[0].has("HTTP2-Settings"), a.requests[0]


def test_http1_behind_http2_on_one_connection_is_refused(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        assert client.get("/first").status == 200
        client.send(request("GET", "/smuggled"))
        client.connection_error(f.FRAME_SIZE_ERROR, f.PROTOCOL_ERROR)
    assert a.targets() == ["/first"]


def test_connections_are_counted_by_protocol(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        client.get("/")
        daemon.wait_metric("limpet_connections_total", 1, proto="http2")
    daemon.once("GET", "/")
    daemon.wait_metric("limpet_connections_total", 1, proto="http1")


def test_the_access_log_names_the_protocol(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        client.ask("POST", "/logged", body=b"12345")
    entry = daemon.wait_log(lambda e: e["path"] == "/logged")
    assert entry["protocol"] == "HTTP/2.0" and entry["status"] == 200, entry
    assert entry["request_bytes"] == 5 and entry["host"] == "test.example", entry


def test_an_idle_connection_is_ended_with_goaway_after_client_idle(life):
    daemon = life.daemon([life.replica()], timeouts='client_idle = "2s"')
    with H2Client(daemon.address) as client:
        assert client.get("/").status == 200
        client.connection_error(f.NO_ERROR)


def test_a_connection_with_a_running_stream_is_not_idle(life):
    go = threading.Event()

    def slow(peer, _):
        assert go.wait(seconds(60))
        peer.answer(200, b"late")
    daemon = life.daemon([life.replica(handle=slow)], timeouts='client_idle = "2s"')
    with H2Client(daemon.address) as client, H2Client(daemon.address) as idle:
        stream = client.begin()
        idle.connection_error(f.NO_ERROR)  # shows that more than client_idle has passed
        go.set()
        assert client.finish(stream).body == b"late"
