# SPDX-License-Identifier: Apache-2.0
"""What happens between a request and its final answer: 1xx, early answers, halves that close."""

import threading

from harness.client import request
from harness.deadline import PATIENCE, seconds, wait_until
from harness.interim import asking_after
from harness.message import Truncated

EXPECTING = (b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")


def test_expect_100_continue_is_answered_by_the_replica(life):
    seen = threading.Event()

    def serve(peer):
        head = peer.head()
        assert head.get("Expect", "").lower() == "100-continue", head
        seen.set()
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = peer.stream.exactly(5)
        peer.answer(200, body)
    daemon = life.daemon([life.replica(on_connection=serve)])
    with daemon.client() as client:
        client.send(EXPECTING)
        interim = client.response_head()
        assert interim.status == 100 and seen.is_set()
        client.send(b"hello")
        response = client.response()
        assert response.status == 200 and response.body == b"hello"


def test_a_replica_may_think_for_longer_than_client_stall_before_it_asks_for_the_body(life):
    thought = threading.Event()
    a = life.replica(on_connection=asking_after(thought))
    daemon = life.daemon([a], timeouts='client_stall = "300ms"')
    with daemon.client() as client, daemon.client() as lazy:
        for one in (client, lazy):
            one.send(EXPECTING)
        a.wait_for_requests(2)
        with daemon.client() as other:
            other.send(b"POST /stall HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc")
            assert other.response().status == 408, "client_stall is over"
        thought.set()
        for one in (client, lazy):
            assert one.response_head().status == 100
        client.send(b"hello")
        response = client.response()
        assert response.status == 200 and response.body == b"hello"
        assert lazy.response().status == 408, "who is asked and does not send is not waited for"


def test_a_final_answer_instead_of_100_reaches_the_client_and_no_body_is_asked_for(life):
    def serve(peer):
        peer.head()
        peer.answer(417, b"no")
        peer.wait_for_end()
    daemon = life.daemon([life.replica(on_connection=serve)])
    with daemon.client() as client:
        client.send(EXPECTING)
        response = client.response()
        assert response.status == 417 and response.informational == []
        assert client.is_closed_by_peer(), "the body was never sent, so the connection cannot go on"


def test_informational_responses_are_relayed(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        peer.answer(200, b"done")
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        for _ in range(2):
            response = client.get("/")
            assert [i.status for i in response.informational] == [103, 102]
            assert response.informational[0].get("Link") == "</style.css>; rel=preload"
            assert response.body == b"done"


def test_an_http_1_0_client_gets_no_informational_response(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        peer.answer(200, b"done")
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        client.send(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        assert client.response_head().status == 200


def test_the_informational_head_leaves_before_the_final_one_exists(life):
    client_has_it = threading.Event()

    def answer(peer, _):
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        assert client_has_it.wait(seconds(PATIENCE))
        peer.answer(200, b"done")
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        client.send(request("GET", "/"))
        assert client.response_head().status == 103
        client_has_it.set()
        assert client.response().status == 200


def test_an_early_response_reaches_the_client_while_its_body_is_still_arriving(life):
    client_has_it = threading.Event()

    def serve(peer):
        peer.head()
        peer.stream.exactly(3)
        peer.answer(413, b"enough", [("Connection", "close")])
        client_has_it.wait(seconds(PATIENCE))
        peer.wait_for_end()
    daemon = life.daemon([life.replica(on_connection=serve)])
    with daemon.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc")
        response = client.response()
        assert response.status == 413 and response.body == b"enough"
        client_has_it.set()


def test_an_early_complete_response_ends_the_upload_and_the_client_is_told_by_the_end_of_its_connection(life):
    got = []

    def serve(peer):
        head = peer.head()
        peer.answer(200, b"enough")
        try:
            got.append(peer.stream.exactly(int(head.get("Content-Length"))))
        except Truncated as cut:
            got.append(cut.got)
    a = life.replica(on_connection=serve)
    daemon = life.daemon([a])
    with daemon.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        assert client.response().body == b"enough"
        client.send(b"def")
        assert client.is_closed_by_peer()
    wait_until(lambda: got, "the replica is let go")
    assert got[0] in (b"", b"abc"), got


def test_a_client_that_closes_its_half_after_the_request_still_gets_the_answer(life):
    half_closed = threading.Event()

    def answer(peer, message):
        assert half_closed.wait(seconds(PATIENCE))
        peer.answer(200, b"x" * 300000)
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        client.send(request("POST", "/", body=b"all of it"))
        client.half_close()
        half_closed.set()
        response = client.response()
        assert response.status == 200 and len(response.body) == 300000
        assert client.is_closed_by_peer()


def test_a_part_of_a_next_request_behind_which_the_client_has_closed_its_half_is_not_waited_for(life):
    half_closed = threading.Event()

    def answer(peer, _):
        assert half_closed.wait(seconds(PATIENCE))
        peer.answer(200, b"first")
    a = life.replica(handle=answer)
    daemon = life.daemon([a], timeouts='request_head = "60s"\nclient_stall = "60s"')
    for part in (b"GET /second HTT", b"POST /second HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"):
        half_closed.clear()
        with daemon.client() as client:
            client.send(request("GET", "/first") + part)
            client.half_close()
            half_closed.set()
            assert client.response().body == b"first"
            assert client.is_closed_by_peer()


def test_requests_in_a_row_behind_which_the_client_has_closed_its_half_are_all_answered(life):
    a = life.replica()
    daemon = life.daemon([a])
    whole = [request("GET", f"/{number}") for number in range(3)]
    # The end may come in the very turn in which an answer makes room for the next request.
    for _ in range(300):
        with daemon.client() as client:
            client.send(b"".join(whole))
            client.half_close()
            assert [client.response().status for _ in whole] == [200] * 3
            assert client.is_closed_by_peer()


def test_a_client_that_leaves_before_the_answer_ends_the_exchange_at_the_replica(life):
    ended = threading.Event()

    def serve(peer):
        peer.head()
        peer.wait_for_end()
        ended.set()
    a = life.replica(on_connection=serve)
    daemon = life.daemon([a])
    client = daemon.client()
    client.send(request("GET", "/"))
    a.wait_for_requests(1)
    client.reset()
    assert ended.wait(seconds(PATIENCE)), "the replica goes on working for nobody"


def test_a_client_that_breaks_off_its_body_is_not_taken_for_complete(life):
    a = life.replica()
    daemon = life.daemon([a])
    with daemon.client() as client:
        client.send(b"POST /cut HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        client.half_close()
        client.stream.rest()
    with daemon.client() as client:
        client.send(b"POST /cut HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
        client.half_close()
        client.stream.rest()
    assert daemon.once("GET", "/after").status == 200
    assert [r.target for r in a.requests if r.is_whole] == ["/after"]
