# SPDX-License-Identifier: Apache-2.0
"""Any client with any replica: HTTP/1 and HTTP/2, plain and over TLS, sixteen pairs behind one daemon."""

import threading

from harness import h2_frames as f
from harness.client import request
from harness.crossing import Crossing, is_h2, speaks_h2
from harness.deadline import PATIENCE, seconds
from harness.h2 import StreamReset
from harness.message import Closed, Truncated

def statuses(response):
    """Of the 1xx before a response."""
    return [i[0] if isinstance(i, tuple) else i.status for i in response.informational]


def test_a_get_and_a_post_pass_between_all_pairs(life):
    def check(pair, client):
        response = client.get(pair.path + "/x?q=1")
        assert response.status == 200 and f'"{pair.path}/x?q=1"' in response.text(), response
        assert response.get("x-replica") == pair.replica
        response = client.ask("POST", pair.path, body=b"x" * 70000)
        assert '"body_bytes": 70000' in response.text(), response
    Crossing(life).each(check)


def test_a_body_is_the_same_on_both_sides_of_all_pairs(life):
    data = bytes(range(256)) * 4000

    def echo(peer, message):
        peer.answer(200, bytes(message.body))

    def check(pair, client):
        assert client.ask("PUT", pair.path, body=data).body == data
    Crossing(life, echo).each(check)


def test_answers_without_a_body_pass_between_all_pairs(life):
    def answer(peer, message):
        status = int(message.target.rsplit("/", 1)[1])
        peer.answer(status, b"" if status in (204, 304) or message.method == "HEAD" else b"text")

    def check(pair, client):
        for status in (204, 304):
            response = client.get(f"{pair.path}/{status}")
            assert response.status == status and not response.body, response
        response = client.ask("HEAD", f"{pair.path}/200")
        assert response.status == 200 and not response.body, response
        response = client.get(f"{pair.path}/200")
        assert response.body == b"text", response
    Crossing(life, answer).each(check)


def test_trailers_of_the_response_pass_between_all_pairs(life):
    def answer(peer, _):
        if speaks_h2(peer):
            return peer.answer(200, b"body", trailers=[("x-sum", "42")])
        peer.send(b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"4\r\nbody\r\n0\r\nX-Sum: 42\r\n\r\n")

    def check(pair, client):
        response = client.ask("GET", pair.path, [("TE", "trailers")] if not is_h2(client) else [("te", "trailers")])
        assert response.body == b"body" and response.trailer("x-sum") == "42", (response, response.trailers)
    Crossing(life, answer).each(check)


def test_trailers_of_the_request_pass_between_all_pairs(life):
    seen = {}

    def answer(peer, message):
        seen[message.target] = {name.lower(): value for name, value in message.trailers}
        peer.answer(200, b"")

    def check(pair, client):
        path = f"{pair.path}/{pair.client}"
        if is_h2(client):
            client.ask("POST", path, body=b"body", trailers=[("x-sum", "42")])
        else:
            client.send(request("POST", path, [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")])
                        + b"4\r\nbody\r\n0\r\nX-Sum: 42\r\n\r\n")
            assert client.response().status == 200
        assert seen[path] == {"x-sum": "42"}, seen[path]
    Crossing(life, answer).each(check)


def test_informational_responses_pass_between_all_pairs(life):
    def answer(peer, _):
        if speaks_h2(peer):
            peer.head(103, [("link", "</style.css>; rel=preload")])
        else:
            peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        peer.answer(200, b"done")

    def check(pair, client):
        response = client.get(pair.path)
        assert statuses(response) == [103] and response.body == b"done", (statuses(response), response)
    Crossing(life, answer).each(check)


def test_expect_100_continue_passes_between_all_pairs(life):
    def answer(peer, message):
        if speaks_h2(peer):
            assert peer.get("expect") == "100-continue", peer
            peer.head(100)
            peer.answer(200, bytes(peer.wait_whole().body))
        else:
            peer.answer(200, message.body)

    def http1(peer):
        message = peer.head()
        assert message.get("Expect", "").lower() == "100-continue", message
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.answer(200, peer.stream.exactly(int(message.get("Content-Length"))))

    def check(pair, client):
        fields = [("expect", "100-continue"), ("content-length", "5")]
        if is_h2(client):
            stream = client.begin("POST", pair.path, fields, end=False)
            client.wait(lambda: stream.informational, "100")
            assert statuses(stream) == [100]
            client.send_body(stream, b"hello")
            assert client.finish(stream).body == b"hello"
        else:
            client.send(request("POST", pair.path, fields))
            assert client.response_head().status == 100
            client.send(b"hello")
            assert client.response().body == b"hello"
    crossing = Crossing(life, answer, early=True)
    crossing.replicas["h1"].on_connection = http1
    secured = crossing.replicas["h1-tls"].on_connection
    secured._serve_http1 = http1
    crossing.each(check)


def test_an_early_response_reaches_the_client_while_its_body_is_still_arriving_on_all_pairs(life):
    def answer(peer, _):
        peer.wait_bytes(3)
        peer.answer(413, b"enough")
        peer.reset_with(f.NO_ERROR)

    def http1(peer):
        peer.head()
        peer.stream.exactly(3)
        peer.answer(413, b"enough", [("Connection", "close")])
        peer.wait_for_end()

    def check(pair, client):
        if is_h2(client):
            stream = client.begin("POST", pair.path, [("content-length", "1000000")], end=False)
            client.send(f.data(stream.id, b"abc"))
            client.wait(lambda: stream.is_over, "the response")
            assert stream.is_whole and stream.status == 413 and stream.body == b"enough", stream
        else:
            client.send(request("POST", pair.path, [("Content-Length", "1000000")]) + b"abc")
            response = client.response()
            assert response.status == 413 and response.body == b"enough", response
    crossing = Crossing(life, answer, early=True)
    crossing.replicas["h1"].on_connection = http1
    crossing.replicas["h1-tls"].on_connection._serve_http1 = http1
    crossing.each(check)


def never_whole(client, path):
    try:
        response = client.get(path)
    except (Truncated, Closed, ConnectionResetError):
        return
    except StreamReset as reset:
        assert reset.code != f.NO_ERROR, reset
        client.round_trip()  # only the stream is lost, not the connection
        return
    raise AssertionError(f"a truncated response looks whole: {response}")


KNOWN = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"
UNKNOWN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n"


def breaks_off(life, by_h2, by_h1, said=UNKNOWN, fields=()):
    """On all pairs a replica says a part of its answer; then `by_h2(stream)` or `by_h1(peer)` breaks it off."""
    def answer(peer, _):
        if speaks_h2(peer):
            peer.head(200, fields)
            peer.data(b"only this")
            return by_h2(peer)
        peer.send(said)
        by_h1(peer)
    Crossing(life, answer).each(lambda pair, client: never_whole(client, pair.path))


def test_a_truncated_response_of_known_length_never_looks_whole_on_any_pair(life):
    breaks_off(life, lambda stream: stream.reset_with(f.INTERNAL_ERROR), lambda peer: peer.close(),
               said=KNOWN, fields=[("content-length", "100")])


def test_a_truncated_response_of_unknown_length_never_looks_whole_on_any_pair(life):
    breaks_off(life, lambda stream: stream.reset_with(f.CANCEL), lambda peer: peer.close())


def test_a_connection_that_is_cut_in_mid_body_never_looks_whole_on_any_pair(life):
    breaks_off(life, lambda stream: stream.endpoint.close(), lambda peer: peer.reset())


def test_a_request_that_is_broken_off_never_looks_whole_to_a_replica_on_any_pair(life):
    whole = []

    def answer(peer, message):
        whole.append(message.target)
        peer.answer(200, b"")

    def check(pair, client):
        path = f"{pair.path}/{pair.client}-cut"
        if is_h2(client):
            stream = client.begin("POST", path, end=False)
            client.send(f.data(stream.id, b"half"))
            client.round_trip()
            client.send(f.rst_stream(stream.id))
            client.round_trip()
        else:
            client.send(request("POST", path, [("Transfer-Encoding", "chunked")]) + b"4\r\nhalf\r\n")
            client.socket.close()
        with pair.open() as other:
            assert other.get(pair.path).status == 200
    Crossing(life, answer).each(check)
    assert not [target for target in whole if target.endswith("-cut")], whole


def test_a_client_that_leaves_ends_the_exchange_at_the_replica_on_all_pairs(life):
    left, come = threading.Semaphore(0), threading.Semaphore(0)

    def answer(peer, _):
        come.release()
        if speaks_h2(peer):
            peer.wait_reset()
        else:
            peer.wait_for_end()
        left.release()

    def check(pair, client):
        if is_h2(client):
            client.begin("GET", pair.path)
        else:
            client.send(request("GET", pair.path))
        assert come.acquire(timeout=seconds(PATIENCE)), "it never came"
        if is_h2(client):
            client.socket.close()
        else:
            client.reset()  # a plain end would be taken for that of the request alone
        assert left.acquire(timeout=seconds(PATIENCE)), "the replica goes on working for nobody"
    Crossing(life, answer).each(check)


def test_events_leave_as_they_come_on_all_pairs(life):
    heard = threading.Semaphore(0)

    def answer(peer, _):
        if speaks_h2(peer):
            peer.head(200, [("content-type", "text/event-stream")])
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            text = f"data: {number}\n\n".encode()
            if speaks_h2(peer):
                peer.data(text)
            else:
                peer.send(b"%x\r\n%s\r\n" % (len(text), text))
            assert heard.acquire(timeout=seconds(PATIENCE)), f"event {number} did not arrive"
        if speaks_h2(peer):
            peer.end()
        else:
            peer.send(b"0\r\n\r\n")

    def check(pair, client):
        if is_h2(client):
            stream = client.begin("GET", pair.path)
            for number in range(3):
                client.wait(lambda: stream.body.endswith(f"data: {number}\n\n".encode()), f"event {number}")
                heard.release()
            client.finish(stream)
        else:
            client.send(request("GET", pair.path))
            assert client.response_head().status == 200
            for number in range(3):
                client.stream.until(f"data: {number}\n\n".encode())
                heard.release()
            client.stream.until(b"0\r\n\r\n")
    Crossing(life, answer).each(check)


def test_replicas_are_told_the_clients_scheme_on_all_pairs(life):
    seen = {}

    def answer(peer, message):
        seen[message.target] = (message.get("x-forwarded-proto"), message.get("x-forwarded-for"))
        peer.answer(200, b"")

    def check(pair, client):
        path = f"{pair.path}/{pair.client}"
        assert client.get(path).status == 200
        assert seen[path] == ("https" if "tls" in pair.client else "http", "127.0.0.1"), seen[path]
    Crossing(life, answer).each(check)
