# SPDX-License-Identifier: Apache-2.0
"""gRPC calls, carried unread: trailers, streaming in both directions, cancelling; and limpet's own answers to them."""

import threading

from harness import grpc
from harness import h2_frames as f
from harness.config import entry
from harness.crossing import Crossing
from harness.deadline import PATIENCE, seconds
from harness.h2 import H2Client
from harness.h2_replica import Served

H2 = 'preset = "web"\nprotocol = "http2"'
METHOD = "/shop.Cart/Add"


def serving(life, handle, early=False, **options):
    a = life.replica(on_connection=Served(handle, early=early))
    return a, life.daemon([a], pool_keys=H2, **options)


def call(client, body=b"", path=METHOD, fields=()):
    return client.ask("POST", path, [*grpc.CALL, *fields], grpc.message(body))


def test_a_unary_call_brings_its_message_and_its_status(life):
    def handle(stream, _):
        (word,) = grpc.messages(stream.body)
        grpc.reply(stream, [word.upper()])
    a, daemon = serving(life, handle)
    with H2Client(daemon.address) as client:
        response = call(client, b"hello")
        assert grpc.messages(response.body) == [b"HELLO"] and grpc.status(response) == (0, "")
        assert response.get("content-type") == "application/grpc"
    seen = a.requests[0]
    assert seen.get("te") == "trailers" and seen.get("content-type") == "application/grpc", seen


def test_calls_pass_over_plain_and_tls_on_both_sides(life):
    def handle(stream, _):
        grpc.reply(stream, grpc.messages(stream.body))
    crossing = Crossing(life, handle)
    for pair in crossing.pairs():
        if pair.client.startswith("h2") and pair.replica.startswith("h2"):
            with pair.open() as client:
                response = call(client, b"x" * 100000, pair.path)
                assert grpc.messages(response.body) == [b"x" * 100000] and grpc.status(response)[0] == 0, pair.name


def test_a_status_of_the_replica_arrives_as_it_was(life):
    def handle(stream, _):
        if stream.target.endswith("Only"):
            return stream.head(200, [grpc.CONTENT, ("grpc-status", "7"), ("grpc-message", "not%20you")], end=True)
        grpc.reply(stream, [b"half"], 13, "broken%21")
    _, daemon = serving(life, handle)
    with H2Client(daemon.address) as client:
        assert grpc.status(call(client)) == (13, "broken%21")
        only = call(client, path="/shop.Cart/Only")
        assert grpc.status(only) == (7, "not%20you") and not only.body


def test_metadata_and_deadlines_reach_the_replica(life):
    a, daemon = serving(life, lambda stream, _: grpc.reply(stream, [b""]))
    with H2Client(daemon.address) as client:
        call(client, fields=[("grpc-timeout", "5S"), ("x-trace-bin", "AAEC"), ("grpc-encoding", "identity")])
    seen = a.requests[0]
    assert (seen.get("grpc-timeout"), seen.get("x-trace-bin")) == ("5S", "AAEC"), seen


def test_messages_of_a_stream_leave_one_by_one_in_both_directions(life):
    def echo(stream, _):
        stream.head(200, [grpc.CONTENT])
        said = 0
        while True:
            stream.endpoint.wait(lambda: len(stream.body) > said or stream.is_over, "a message")
            if len(stream.body) == said:
                break
            news, said = bytes(stream.body[said:]), len(stream.body)
            stream.data(news)
        stream.end([("grpc-status", "0")])
    _, daemon = serving(life, echo, early=True)
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", METHOD, grpc.CALL, end=False)
        client.wait_head(stream)
        for number in range(10):
            client.send_body(stream, grpc.message(b"%d" % number), end=False)
            client.wait(lambda: len(stream.body) == 6 * (number + 1), f"message {number} comes back at once")
        client.send(f.data(stream.id, b"", True))
        client.finish(stream)
        assert grpc.messages(stream.body) == [b"%d" % n for n in range(10)] and grpc.status(stream)[0] == 0


def test_a_call_that_is_cancelled_is_cancelled_at_the_replica(life):
    cancelled = threading.Event()

    def handle(stream, _):
        stream.head(200, [grpc.CONTENT])
        stream.wait_reset()
        cancelled.set()
    a, daemon = serving(life, handle, early=True)
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", METHOD, grpc.CALL, end=False)
        client.wait_head(stream)
        client.send(f.rst_stream(stream.id, f.CANCEL))
        assert cancelled.wait(seconds(PATIENCE)), "the replica goes on working for nobody"
        client.round_trip()
        assert not client.goaways


def test_a_refused_call_is_made_elsewhere(life):
    def refuse(stream, _):
        stream.reset_with(f.REFUSED_STREAM)
    a = life.replica("a", on_connection=Served(refuse, early=True))
    b = life.replica("b", on_connection=Served(lambda stream, _: grpc.reply(stream, [b"b"])))
    daemon = life.daemon([a, b], pool_keys=H2, affinity="from = []", balance='policy = "round-robin"',
                         health='active = { type = "off" }\ninitial = "up"\npassive = { failures = 1000 }')
    with H2Client(daemon.address) as client:
        for _ in range(6):
            stream = client.begin("POST", METHOD, grpc.CALL, end=True)
            assert grpc.messages(client.finish(stream).body) == [b"b"]


def own_answer(response, code):
    """An error that limpet gives itself, in the shape that gRPC clients read."""
    assert response.status == 200 and response.get("content-type", "").startswith("application/grpc"), response
    assert not response.body and not response.trailers, response
    assert grpc.status(response)[0] == code, response
    assert grpc.status(response)[1], "no word about the cause"


def test_no_replica_is_unavailable(life):
    a = life.replica()
    daemon = life.daemon([entry(a, state="down")], pool_keys=H2)
    with H2Client(daemon.address) as client:
        own_answer(call(client), grpc.UNAVAILABLE)


def test_an_unreachable_replica_is_unavailable(life):
    a = life.replica()
    daemon = life.daemon([a], pool_keys=H2)
    a.stop()
    with H2Client(daemon.address) as client:
        own_answer(call(client), grpc.UNAVAILABLE)


def test_a_path_without_a_route_is_unimplemented(life):
    daemon = life.daemon([life.replica()], routes='[[route]]\npath = "/only"\npool = "web"\n')
    with H2Client(daemon.address) as client:
        own_answer(call(client), grpc.UNIMPLEMENTED)


def test_a_silent_replica_is_a_deadline_exceeded(life):
    hold = threading.Event()
    _, daemon = serving(life, lambda stream, _: hold.wait(seconds(60)), timeouts='response_head = "300ms"')
    with H2Client(daemon.address) as client:
        own_answer(call(client), grpc.DEADLINE_EXCEEDED)
    hold.set()


def test_all_kinds_of_grpc_content_get_that_shape_and_others_do_not(life):
    daemon = life.daemon([life.replica()], routes='[[route]]\npath = "/only"\npool = "web"\n')
    with H2Client(daemon.address) as client:
        for kind in ("application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"):
            response = client.ask("POST", METHOD, [("content-type", kind), ("te", "trailers")], grpc.message(b""))
            own_answer(response, grpc.UNIMPLEMENTED)
        for kind in ("application/grpc-web", "application/json", "application/grpcx"):
            response = client.ask("POST", METHOD, [("content-type", kind)], b"{}")
            assert response.status == 404 and not response.has("grpc-status"), (kind, response)


def test_a_call_that_breaks_off_in_the_middle_is_a_reset_and_never_a_status_of_limpets_own(life):
    def cut(stream, _):
        stream.head(200, [grpc.CONTENT])
        stream.data(grpc.message(b"first"))
        stream.endpoint.close()
    _, daemon = serving(life, cut)
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", METHOD, grpc.CALL)
        client.wait(lambda: stream.is_over, "its end")
        assert not stream.is_whole and stream.reset is not None, stream
        assert not stream.trailers


def test_the_log_shows_calls(life):
    _, daemon = serving(life, lambda stream, _: grpc.reply(stream, [b""]))
    with H2Client(daemon.address) as client:
        call(client)
    entry_of = daemon.wait_log(lambda e: e["path"] == METHOD)
    assert entry_of["status"] == 200 and entry_of["method"] == "POST", entry_of
