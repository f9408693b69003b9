# SPDX-License-Identifier: Apache-2.0
"""Ends of HTTP/2 connections that limpet wishes itself: GOAWAY in two steps, and no stream is lost to it."""

import signal
import threading

from harness import h2_frames as f
from harness.daemon import free_ports
from harness.deadline import seconds
from harness.h2 import H2Client
from harness.life import shaped
from harness.replica import say_who

LAST_OF_ALL = 2**31 - 1  # what the first of the two GOAWAYs names


class Gate:
    """A handler that answers /slow when it is opened."""

    def __init__(self):
        self.open = threading.Event()

    def __call__(self, peer, request):
        if request.target.startswith("/slow"):
            assert self.open.wait(seconds(20))
        say_who(peer, request)


def test_a_drain_announces_itself_then_names_the_last_stream(life):
    gate = Gate()
    a = life.replica(handle=gate)
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        stream = client.begin("GET", "/slow")
        a.wait_for_requests(1)
        daemon.signal(signal.SIGTERM)
        client.wait(lambda: client.goaways, "the first GOAWAY")
        assert client.goaways[0] == (LAST_OF_ALL, f.NO_ERROR), client.goaways
        client.wait(lambda: len(client.goaways) == 2, "the second GOAWAY")
        assert client.goaways[1] == (stream.id, f.NO_ERROR), client.goaways
        gate.open.set()
        assert client.finish(stream).status == 200
        client.wait_end()
    assert daemon.wait() == 0


def test_a_stream_that_crosses_the_first_goaway_is_served(life):
    gate = Gate()
    a = life.replica(handle=gate)
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        client.is_acking_pings = False  # the second step is not due before this is answered or given up
        stream = client.begin("GET", "/slow")
        a.wait_for_requests(1)
        daemon.signal(signal.SIGTERM)
        crossing = client.begin("GET", "/crossing")
        client.wait(lambda: client.goaways, "the first GOAWAY")
        client.wait(lambda: crossing.is_over or client.goaways[-1][0] < crossing.id, "its answer, or a clear word")
        if crossing.is_over:
            assert crossing.reset is None and crossing.status == 200, crossing
        gate.open.set()
        assert client.finish(stream).status == 200
    assert daemon.wait() == 0


def test_an_idle_connection_is_ended_at_once_by_a_drain(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        client.get("/")
        daemon.signal(signal.SIGTERM)
        client.connection_error(f.NO_ERROR)
        assert client.goaways[-1][0] == 1, client.goaways
    assert daemon.wait() == 0


def test_a_stream_behind_the_last_goaway_is_not_served(life):
    gate = Gate()
    a = life.replica(handle=gate)
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        stream = client.begin("GET", "/slow")
        a.wait_for_requests(1)
        daemon.signal(signal.SIGTERM)
        client.wait(lambda: client.goaways and client.goaways[-1][0] == stream.id, "the last GOAWAY")
        late = client.begin("GET", "/late")
        client.round_trip()
        assert not late.has_head, late
        gate.open.set()
        assert client.finish(stream).status == 200
    assert a.targets() == ["/slow"]
    assert daemon.wait() == 0


def test_what_does_not_end_by_itself_is_reset_at_the_drain_timeout(life):
    gate = Gate()
    a = life.replica(handle=gate)
    daemon = life.daemon([a], daemon='drain_timeout = "300ms"')
    with H2Client(daemon.address) as client:
        stream = client.begin("GET", "/slow")
        a.wait_for_requests(1)
        daemon.signal(signal.SIGTERM)
        client.wait_end()
        assert client.goaways and not stream.is_whole, stream
    assert daemon.wait() == 0
    gate.open.set()


def test_a_reload_keeps_connections_and_their_streams(life):
    gate = Gate()
    a = life.replica(handle=gate)
    daemon = life.prepare(shaped([a])).start()
    with H2Client(daemon.address) as client:
        stream = client.begin("GET", "/slow")
        a.wait_for_requests(1)
        for turn in range(3):
            daemon.reload(shaped([a], limits=f"header_fields = {90 + turn}"))
            client.lives()
        gate.open.set()
        assert client.finish(stream).status == 200


def test_a_listener_that_leaves_with_a_reload_says_goaway_in_two_steps(life):
    gate = Gate()
    a = life.replica(handle=gate)
    config = shaped([a])
    daemon = life.prepare(config).start()
    fresh = free_ports(1)[0]

    def moved(place):
        return config(place).replace(f"127.0.0.1:{place.port}", f"127.0.0.1:{fresh}")
    with H2Client(daemon.address) as client:
        stream = client.begin("GET", "/slow")
        a.wait_for_requests(1)
        daemon.reload(moved)
        client.wait(lambda: len(client.goaways) == 2, "both GOAWAYs")
        assert client.goaways == [(LAST_OF_ALL, f.NO_ERROR), (stream.id, f.NO_ERROR)], client.goaways
        gate.open.set()
        assert client.finish(stream).status == 200
        client.wait_end()
    with H2Client(("127.0.0.1", fresh)) as client:
        assert client.get("/").status == 200


def test_a_generation_of_streams_finishes_on_the_configuration_it_began_with(life):
    gate = Gate()
    a, b = life.replica("a", gate), life.replica("b")
    daemon = life.prepare(shaped([a])).start()
    with H2Client(daemon.address) as client:
        stream = client.begin("GET", "/slow")
        a.wait_for_requests(1)
        daemon.reload(shaped([b]))
        assert client.get("/").get("x-replica") == "b"
        gate.open.set()
        assert client.finish(stream).get("x-replica") == "a"
