# SPDX-License-Identifier: Apache-2.0
"""Ends of HTTP/2 connections that limpet wishes itself: GOAWAY in two steps, and no stream is lost to it."""

import signal

from harness import h2_frames as f
from harness.gate import slow_stream
from harness.h2 import H2Client
from harness.life import shaped

LAST_OF_ALL = 2**31 - 1  # what the first of the two GOAWAYs names


def test_a_drain_announces_itself_then_names_the_last_stream(life):
    with slow_stream(life) as slow:
        client, stream = slow.client, slow.stream
        slow.daemon.signal(signal.SIGTERM)
        client.wait(lambda: client.goaways, "the first GOAWAY")
        assert client.goaways[0] == (LAST_OF_ALL, f.NO_ERROR), client.goaways
        client.wait(lambda: len(client.goaways) == 2, "the second GOAWAY")
        assert client.goaways[1] == (stream.id, f.NO_ERROR), client.goaways
        slow.gate.open.set()
        assert client.finish(stream).status == 200
        client.wait_end()
    assert slow.daemon.wait() == 0


def test_a_stream_that_crosses_the_first_goaway_is_served(life):
    with slow_stream(life) as slow:
        client = slow.client
        client.is_acking_pings = False  # the second step is not due before this is answered or given up
        slow.daemon.signal(signal.SIGTERM)
        crossing = client.begin("GET", "/crossing")
        client.wait(lambda: client.goaways, "the first GOAWAY")
        client.wait(lambda: crossing.is_over or client.goaways[-1][0] < crossing.id, "its answer, or a clear word")
        if crossing.is_over:
            assert crossing.reset is None and crossing.status == 200, crossing
        slow.gate.open.set()
        assert client.finish(slow.stream).status == 200
    assert slow.daemon.wait() == 0


def test_an_idle_connection_is_ended_at_once_by_a_drain(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        client.get("/")
        daemon.signal(signal.SIGTERM)
        client.connection_error(f.NO_ERROR)
        assert client.goaways[-1][0] == 1, client.goaways
    assert daemon.wait() == 0


def test_a_stream_behind_the_last_goaway_is_not_served(life):
    with slow_stream(life) as slow:
        client, stream = slow.client, slow.stream
        slow.daemon.signal(signal.SIGTERM)
        client.wait(lambda: client.goaways and client.goaways[-1][0] == stream.id, "the last GOAWAY")
        late = client.begin("GET", "/late")
        client.round_trip()
        assert not late.has_head, late
        slow.gate.open.set()
        assert client.finish(stream).status == 200
    assert slow.replica.targets() == ["/slow"]
    assert slow.daemon.wait() == 0


def test_what_does_not_end_by_itself_is_reset_at_the_drain_timeout(life):
    with slow_stream(life, daemon='drain_timeout = "300ms"') as slow:
        slow.daemon.signal(signal.SIGTERM)
        slow.client.wait_end()
        assert slow.client.goaways and not slow.stream.is_whole, slow.stream
        assert slow.daemon.wait() == 0


def test_a_reload_keeps_connections_and_their_streams(life):
    with slow_stream(life) as slow:
        for turn in range(3):
            slow.daemon.reload(shaped([slow.replica], limits=f"header_fields = {90 + turn}"))
            slow.client.lives()
        slow.gate.open.set()
        assert slow.client.finish(slow.stream).status == 200


def test_a_listener_that_leaves_with_a_reload_says_goaway_in_two_steps(life):
    with slow_stream(life) as slow:
        client, config = slow.client, slow.daemon.make_config

        def moved(port):
            return lambda place: config(place).replace(f"127.0.0.1:{place.port}", f"127.0.0.1:{port}")
        fresh = slow.daemon.reload_to_port(moved)
        client.wait(lambda: len(client.goaways) == 2, "both GOAWAYs")
        assert client.goaways == [(LAST_OF_ALL, f.NO_ERROR), (slow.stream.id, f.NO_ERROR)], client.goaways
        slow.gate.open.set()
        assert client.finish(slow.stream).status == 200
        client.wait_end()
    with H2Client(("127.0.0.1", fresh)) as client:
        assert client.get("/").status == 200


def test_a_generation_of_streams_finishes_on_the_configuration_it_began_with(life):
    with slow_stream(life) as slow:
        slow.daemon.reload(shaped([life.replica("b")]))
        assert slow.client.get("/").get("x-replica") == "b"
        slow.gate.open.set()
        assert slow.client.finish(slow.stream).get("x-replica") == "a"
