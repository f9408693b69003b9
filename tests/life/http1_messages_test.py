# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 messages through the daemon: framing, keep-alive, pipelining, forms of the target."""

from harness.client import Client, request
from harness.deadline import PATIENCE, seconds, stays
from harness.message import Truncated


def test_requests_of_one_connection_are_answered_one_after_another(life):
    a = life.replica()
    daemon = life.daemon([a])
    with daemon.client() as client:
        for number in range(5):
            assert client.get(f"/{number}").status == 200
    assert a.targets() == ["/0", "/1", "/2", "/3", "/4"]


def test_the_replica_connection_is_used_again_by_other_clients(life):
    a = life.replica()
    daemon = life.daemon([a], workers=1)
    for _ in range(10):
        assert daemon.once("GET", "/").status == 200
    assert a.connections == 1, a.connections


def test_pipelined_requests_are_answered_in_order(life):
    daemon = life.daemon([life.replica()])
    with daemon.client() as client:
        client.send(b"".join(request("GET", f"/{number}") for number in range(20)))
        for number in range(20):
            assert f'"target": "/{number}"' in client.response().text()


def served_at_last(replica):
    """How many requests have come when no more come."""
    while True:
        served = replica.count()
        assert served < 1000, "the answers to whatever is pipelined are kept"
        try:
            stays(lambda: replica.count() == served, "so many", during=0.5)
            return served
        except AssertionError:
            pass


def test_a_client_that_takes_no_answers_is_asked_for_no_more_requests(life):
    a = life.replica(handle=lambda peer, _: peer.answer(200, bytes(30000)))
    daemon = life.daemon([a], workers=1)
    with daemon.client(receive_buffer=4096) as client:
        client.socket.settimeout(0.3)
        try:
            for _ in range(100):
                client.send(request("GET", "/") * 100)
        except TimeoutError:
            pass  # they are not read any more
        a.wait_for_requests(1)
        served = served_at_last(a)
        client.socket.settimeout(seconds(PATIENCE))
        for _ in range(served + 1):
            assert len(client.response().body) == 30000


def test_a_request_that_arrives_byte_by_byte_is_understood(life):
    daemon = life.daemon([life.replica()])
    with daemon.client() as client:
        for byte in request("POST", "/slow", body=b"abc"):
            client.send(bytes([byte]))
        assert '"body_bytes": 3' in client.response().text()


def test_connection_close_of_the_client_is_obeyed(life):
    daemon = life.daemon([life.replica()])
    with daemon.client() as client:
        response = client.get("/", [("Connection", "close")])
        assert response.get("Connection", "").lower() == "close"
        assert client.is_closed_by_peer()


def test_a_chunked_request_reaches_the_replica_whole(life):
    a = life.replica()
    daemon = life.daemon([a])
    with daemon.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"5;note=1\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n")
        assert client.response().status == 200
    assert a.requests[0].body == b"hello world"
    assert a.requests[0].get("Transfer-Encoding").lower() == "chunked"
    assert not a.requests[0].has("Content-Length")


def test_a_known_length_stays_known_both_ways(life):
    def answer(peer, message):
        peer.answer(200, b"x" * 1000)
    a = life.replica(handle=answer)
    daemon = life.daemon([a])
    response = daemon.once("POST", "/", body=b"y" * 2000)
    assert response.get("Content-Length") == "1000" and response.body == b"x" * 1000
    assert a.requests[0].get("Content-Length") == "2000" and a.requests[0].body == b"y" * 2000


def test_a_chunked_response_reaches_the_client_whole(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n")
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        assert client.get("/").body == b"abc0123456789"
        assert client.get("/").body == b"abc0123456789"


def test_a_response_that_ends_with_its_connection_reaches_the_client_whole(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end")
        peer.close()
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        for _ in range(2):
            response = client.get("/")
            assert response.body == b"until the end"
            assert response.get("Transfer-Encoding") == "chunked"


def test_trailers_of_a_request_reach_the_replica(life):
    a = life.replica()
    daemon = life.daemon([a])
    with daemon.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                    b"2\r\nhi\r\n0\r\nX-Sum: 42\r\n\r\n")
        assert client.response().status == 200
    assert a.requests[0].trailer("X-Sum") == "42", a.requests[0].trailers


def test_trailers_of_a_response_reach_a_client_that_takes_them(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                  b"2\r\nhi\r\n0\r\nX-Sum: 42\r\n\r\n")
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        response = client.get("/", [("TE", "trailers"), ("Connection", "TE")])
        assert response.trailer("X-Sum") == "42", response.trailers


def test_head_gets_the_length_and_no_body(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n")
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        for _ in range(3):
            response = client.ask("HEAD", "/")
            assert response.status == 200 and response.get("Content-Length") == "12345"


def test_204_and_304_have_no_body_and_the_connection_goes_on(life):
    def answer(peer, message):
        if message.target == "/204":
            peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        else:
            peer.send(b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 99\r\n\r\n")
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        for _ in range(2):
            response = client.get("/204")
            assert response.status == 204 and not response.has("Transfer-Encoding")
            assert not response.has("Content-Length")
            response = client.get("/304")
            assert response.status == 304 and response.get("ETag") == '"x"'


def test_an_absolute_target_becomes_a_path_and_its_host_wins(life):
    a = life.replica()
    daemon = life.daemon([a])
    response = daemon.once("GET", "http://right.example:8080/path?q=1", host="wrong.example")
    assert response.status == 200
    assert a.requests[0].target == "/path?q=1"
    assert a.requests[0].all("Host") == ["right.example:8080"]


def test_options_star_reaches_the_replica_as_it_is(life):
    a = life.replica()
    daemon = life.daemon([a])
    assert daemon.once("OPTIONS", "*").status == 200
    assert a.requests[0].start_line.startswith("OPTIONS * ")


def test_target_and_host_pass_octet_for_octet(life):
    a = life.replica()
    daemon = life.daemon([a])
    target = "/a%2Fb/../c//d;x=1?q=%20&empty=&q=2"
    assert daemon.once("GET", target, host="Some.Example:81").status == 200
    assert a.requests[0].target == target
    assert a.requests[0].get("Host") == "Some.Example:81"


def test_unknown_methods_and_fields_pass(life):
    a = life.replica()
    daemon = life.daemon([a])
    assert daemon.once("BREW", "/pot", [("X-Thing", "a, b"), ("X-Thing", "c"), ("X-Empty", "")]).status == 200
    assert a.requests[0].method == "BREW"
    assert a.requests[0].all("X-Thing") == ["a, b", "c"]
    assert a.requests[0].get("X-Empty") == ""


def test_an_http_1_0_client_gets_an_answer_that_ends_with_the_connection(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        client.send(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        response = client.response()
        assert response.body == b"hello" and not response.has("Transfer-Encoding"), response


def test_an_http_1_0_client_that_asks_for_keep_alive_gets_it(life):
    daemon = life.daemon([life.replica()])
    with daemon.client() as client:
        for _ in range(2):
            client.send(b"GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
            response = client.response()
            assert response.status == 200
            assert response.get("Connection", "").lower() == "keep-alive", response


def test_an_http_1_0_client_does_not_see_a_cut_body_as_a_clean_end(life):
    def answer(peer, _):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        peer.close()
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        client.send(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        try:
            response = client.response()
        except (Truncated, ConnectionResetError):
            return
        assert response.status == 502, response


def test_an_http_1_0_replica_is_understood(life):
    def answer(peer, message):
        peer.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold but " + message.target.encode())
        peer.close()
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        assert client.get("/gold").body == b"old but /gold"
        assert client.get("/good").body == b"old but /good"


def test_two_workers_and_many_clients_do_not_mix_answers(life):
    replicas = life.some("a", "b", "c")
    daemon = life.daemon(replicas, workers=2)
    clients = [Client(daemon.address) for _ in range(30)]
    for turn in range(5):
        for number, client in enumerate(clients):
            client.send(request("GET", f"/{turn}/{number}"))
        for number, client in enumerate(clients):
            assert f'"target": "/{turn}/{number}"' in client.response().text()
    for client in clients:
        client.close()
