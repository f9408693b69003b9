# SPDX-License-Identifier: Apache-2.0
"""Budgets of one connection for what costs a client nothing: enforced or only counted, and what is honest passes."""

import json
import select
import threading

from harness import h2_frames as f
from harness.deadline import PATIENCE, SLOW, Skip, seconds, stays
from harness.h2 import H2Client
from harness.replica import say_who

FLOODS = "limpet_h2_violations_total"
PSEUDO = f.request_fields()
BLOCK = f.block(PSEUDO)


def budgets(mode="enforce", **values):
    """The limits table with small budgets, the rest as it is by default."""
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    return f'\n[limits.http2_floods]\nmode = "{mode}"\n{lines}'


def reset_rapidly(client):
    """CVE-2023-44487: requests that are taken back at once."""
    id = client.new_id()
    client.send(f.headers(id, BLOCK) + f.rst_stream(id))


def provoke_a_reset(client):
    """CVE-2025-8671: a breach on a stream, which the server itself resets."""
    id = client.new_id()
    client.send(f.headers(id, BLOCK, end=False) + f.window_update(id, f.WINDOW_BYTES_MAX))


def change_settings(client):
    client.send(f.settings({f.INITIAL_WINDOW_SIZE: 65535}))


def send_ping(client):
    client.send(f.ping())


def send_empty_data(client):
    if not client.streams:
        client.begin("POST", "/upload", end=False)
    client.send(f.data(1))


def change_priority(client):
    client.send(f.priority(client.next_id + 100, depends_on=3))


def update_priority(client):
    client.send(f.frame(0x10, 0, 0, b"\0\0\0\1u=1"))


def update_window(client):
    client.send(f.window_update(0, 1))


def send_unknown(client):
    client.send(f.frame(0xfa, 0, 0, b"unknown"))


def acknowledge_unasked(client):
    client.send(f.frame(0x6, 0x1, 0, bytes(8)))


# Name of the budget, its kind in the metric, what one unit of it is.
KINDS = [("resets", reset_rapidly), ("provoked_resets", provoke_a_reset), ("settings", change_settings),
         ("pings", send_ping), ("empty_data", send_empty_data), ("priorities", change_priority),
         ("other_frames", update_window)]


class Tolerant(H2Client):
    """Does not mind answers on streams that it has given up."""

    def stream_for(self, id):
        return self.streams.get(id) or self.expect_stream(id)

    def _take_data(self, came):
        self.stream_for(came.stream)
        super()._take_data(came)


def flood(client, one, count):
    """So many of it, unless the balancer ends that."""
    try:
        for _ in range(count):
            one(client)
    except OSError:
        pass


def enforced(life, name, one, budget=20):
    daemon = life.daemon([life.replica()], limits=budgets(**{name: budget}))
    with Tolerant(daemon.address) as client:
        flood(client, one, budget * 3)
        client.connection_error(f.ENHANCE_YOUR_CALM)
    daemon.wait_metric(FLOODS, 1, kind=name, mode="enforce")
    assert daemon.metrics().sum(FLOODS, mode="report") == 0
    assert daemon.once("GET", "/").status == 200


def reported(life, name, one, budget=20):
    daemon = life.daemon([life.replica()], limits=budgets("report", **{name: budget}))
    with Tolerant(daemon.address) as client:
        flood(client, one, budget * 3)
        client.round_trip()
        assert client.get("/alive").status == 200 and not client.goaways, client.goaways
    daemon.wait_metric(FLOODS, 1, kind=name, mode="report")
    assert daemon.metrics().sum(FLOODS, mode="enforce") == 0


def malformed(client):
    client.send(f.headers(client.new_id(), f.block([*PSEUDO, ("X-Upper", "a")])))


def wrong_length(client):
    id = client.new_id()
    client.send(f.headers(id, f.block([*f.request_fields("POST"), ("content-length", "1")]), end=False)
                + f.data(id, b"12", True))


def padding_alone(client):
    if not client.streams:
        client.begin("POST", "/upload", end=False)
    client.send(f.data(1, b"", padding=3))


# What the test shows, the budget, what one unit of it is.
ENFORCED = [
    ("rapid_resets_end_the_connection", "resets", reset_rapidly),
    ("provoked_resets_end_the_connection", "provoked_resets", provoke_a_reset),
    ("malformed_requests_are_provoked_resets_too", "provoked_resets", malformed),
    ("bodies_of_a_wrong_length_are_provoked_resets_too", "provoked_resets", wrong_length),
    ("settings_end_the_connection", "settings", change_settings),
    ("pings_end_the_connection", "pings", send_ping),
    ("empty_data_ends_the_connection", "empty_data", send_empty_data),
    ("data_of_padding_alone_is_empty_data", "empty_data", padding_alone),
    ("priority_churn_ends_the_connection", "priorities", change_priority),
    ("priority_updates_count_as_priorities", "priorities", update_priority),
    ("window_updates_end_the_connection", "other_frames", update_window),
    ("frames_of_unknown_types_end_the_connection", "other_frames", send_unknown),
    ("acknowledgements_of_nothing_end_the_connection", "other_frames", acknowledge_unasked),
]
REPORTED = [(f"{name}_are_only_counted_in_report_mode", name, one) for name, one in KINDS]


def as_tests(rows, shows):
    """A test for each row."""
    return {f"test_{what}": lambda life, name=name, one=one: shows(life, name, one) for what, name, one in rows}


globals().update(as_tests(ENFORCED, enforced))
globals().update(as_tests(REPORTED, reported))


def continuations(client, count, piece=b""):
    """A request whose head comes in so many CONTINUATION frames."""
    stream = client.expect_stream()
    try:
        client.send(f.headers(stream.id, BLOCK, end_headers=False))
        for _ in range(count - 1):
            client.send(f.continuation(stream.id, piece, end_headers=False))
        client.send(f.continuation(stream.id, b""))
    except OSError:
        pass
    return stream


def test_a_continuation_flood_ends_the_connection(life):
    a = life.replica()
    daemon = life.daemon([a], limits=budgets(continuations=16))
    for piece in (b"", f.literal("x-more", "y")):
        with H2Client(daemon.address) as client:
            continuations(client, 40, piece)
            client.connection_error(f.ENHANCE_YOUR_CALM)
    daemon.wait_metric(FLOODS, 2, kind="continuations", mode="enforce")
    assert a.count() == 0


def test_a_continuation_flood_is_only_counted_in_report_mode(life):
    daemon = life.daemon([life.replica()], limits=budgets("report", continuations=4))
    with H2Client(daemon.address) as client:
        assert client.finish(continuations(client, 7)).status == 200
        client.lives()
    daemon.wait_metric(FLOODS, 1, kind="continuations", mode="report")


def test_as_many_continuations_as_the_budget_are_served(life):
    daemon = life.daemon([life.replica()], limits=budgets(continuations=16))
    with H2Client(daemon.address) as client:
        for _ in range(5):
            assert client.finish(continuations(client, 16)).status == 200
        client.lives()
    assert daemon.metrics().sum(FLOODS) == 0


def test_an_endless_head_ends_before_it_costs_memory(life):
    if SLOW > 1:
        raise Skip("memory says nothing in an instrumented build")
    daemon = life.daemon([life.replica()], limits=budgets("report"), workers=1)
    daemon.once("GET", "/")
    before = daemon.rss_bytes()
    with H2Client(daemon.address) as client:
        client.expect_stream(1)
        piece = f.literal("x-more", "y" * 4000) * 4
        try:
            client.send(f.headers(1, BLOCK, end_headers=False))
            for _ in range(2000):
                client.send(f.continuation(1, piece, end_headers=False))
        except OSError:
            pass
        assert daemon.rss_bytes("VmHWM") - before < 4 << 20, (before, daemon.rss_bytes("VmHWM"))


def test_what_is_within_the_budgets_is_never_counted(life):
    daemon = life.daemon([life.replica()], limits=budgets(**{name: 20 for name, _ in KINDS}))
    with Tolerant(daemon.address) as client:
        client.wait_settings()
        client.expect_stream(1)
        client.send(f.headers(1, f.block(f.request_fields("POST", "/upload")), end=False))
        for name, one in KINDS:
            flood(client, one, 15)
        client.round_trip()
        assert client.get("/alive").status == 200 and not client.goaways
    assert daemon.metrics().sum(FLOODS) == 0


def test_a_budget_is_of_a_window_and_comes_back(life):
    daemon = life.daemon([life.replica()], limits=budgets(window="200ms", settings=10))
    with H2Client(daemon.address) as client:
        client.wait_settings()
        for _ in range(4):
            acknowledged = client.count(f.SETTINGS, f.ACK)
            flood(client, change_settings, 8)
            client.wait(lambda: client.count(f.SETTINGS, f.ACK) == acknowledged + 8, "they are acknowledged")
            stays(daemon.is_ready, "it goes on, and more than a window passes", 0.25)
        client.lives()
    assert daemon.metrics().sum(FLOODS) == 0


def test_a_budget_is_of_one_connection(life):
    daemon = life.daemon([life.replica()], limits=budgets(resets=20))
    for _ in range(4):
        with Tolerant(daemon.address) as client:
            flood(client, reset_rapidly, 15)
            client.round_trip()
            assert not client.goaways
    assert daemon.metrics().sum(FLOODS) == 0


def test_rapid_resets_never_have_more_at_work_than_there_are_streams(life):
    lock, most, held, poller = threading.Lock(), [0], {}, select.poll()

    def counting(peer):
        """Asks the kernel which connections the daemon still has: threads may hear of an end much later."""
        number = peer.socket.fileno()
        with lock:
            held[number] = peer
            poller.register(number, select.POLLRDHUP)
            most[0] = max(most[0], len(held) - len(poller.poll(0)))
        try:
            peer.wait_for_end()
        finally:
            with lock:
                poller.unregister(number)
                del held[number]
    daemon = life.daemon([life.replica(on_connection=counting)], workers=1,
                         limits="http2_streams = 10" + budgets("report"))
    with Tolerant(daemon.address) as client:
        client.wait_settings()
        for _ in range(20):
            flood(client, reset_rapidly, 100)
            client.round_trip()
    # A connection more or less may be on its way in either direction.
    assert most[0] <= 20, f"{most[0]} requests at work for 10 streams"


def test_a_long_flood_in_report_mode_does_not_grow_the_memory(life):
    if SLOW > 1:
        raise Skip("memory says nothing in an instrumented build")
    daemon = life.daemon([life.replica()], limits=budgets("report"), workers=1)
    with Tolerant(daemon.address) as client:
        flood(client, reset_rapidly, 500)
        client.round_trip()
        before = daemon.rss_bytes()
        for name, one in KINDS:
            for _ in range(100):
                flood(client, one, 50)
                client.round_trip()
        assert daemon.rss_bytes() - before < 4 << 20, (before, daemon.rss_bytes())


def test_a_client_that_takes_nothing_is_not_read_from_for_ever(life):
    if SLOW > 1:
        raise Skip("memory says nothing in an instrumented build")
    routes = '[[route]]\npath = "/"\nredirect = { to = "https://test.example{path}{path}{path}" }\n'
    daemon = life.daemon([life.replica()], limits=budgets("report"), workers=1, routes=routes)
    daemon.once("GET", "/")
    before = daemon.rss_bytes("VmHWM")
    head = f.block(f.request_fields("HEAD", "/" + "x" * 1500))
    with Tolerant(daemon.address, receive_buffer=4096, limit=1.0) as client:
        requests = 0
        try:
            for _ in range(100):
                client.send(b"".join(f.headers(client.new_id(), head) for _ in range(60)))
                requests += 60
                daemon.once("GET", "/")
        except OSError:
            pass
        grown = daemon.rss_bytes("VmHWM") - before
        assert grown < 4 << 20, f"{grown} bytes for {requests} requests whose answers nobody takes"


def test_others_are_served_during_a_flood(life):
    routes = ('[[route]]\npath = "/"\npool = "web"\n'
              '[[route]]\npath = "/honest"\nrespond = { status = 200, body = "here" }\n')
    daemon = life.daemon([life.replica()], limits=budgets("report"), workers=1, routes=routes)
    stop = threading.Event()
    with Tolerant(daemon.address) as client, H2Client(daemon.address) as other:
        def attack():
            while not stop.is_set():
                flood(client, reset_rapidly, 50)
                client.round_trip()
        attacker = threading.Thread(target=attack, daemon=True)
        attacker.start()
        try:
            for _ in range(50):
                assert other.get("/honest").body == b"here"
        finally:
            stop.set()
            attacker.join(seconds(PATIENCE))


def test_a_client_that_cancels_now_and_then_is_no_flood(life):
    gate = threading.Event()

    def slow(peer, message):
        if message.target == "/slow":
            gate.wait(seconds(60))
        say_who(peer, message)
    daemon = life.daemon([life.replica(handle=slow)])
    with Tolerant(daemon.address) as client:
        for _ in range(50):
            stream = client.begin("GET", "/slow")
            client.send(f.rst_stream(stream.id))
            assert client.get("/quick").status == 200
        assert not client.goaways
    gate.set()
    assert daemon.metrics().sum(FLOODS) == 0


def hoarding(client, count):
    """Streams that stall, each with an answer that waits for its window."""
    try:
        return [client.begin("GET", f"/big{n}", [("x-filler", "y" * 2000)]) for n in range(count)]
    except OSError:
        return []


def big(peer, _):
    peer.socket.settimeout(None)
    peer.answer(200, bytes(1 << 20))


def test_the_memory_of_one_connection_has_a_ceiling(life):
    daemon = life.daemon([life.replica(handle=big)], workers=1, limits=budgets(connection_bytes="64KiB"))
    with Tolerant(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 0}, credit=False) as client:
        hoarding(client, 100)
        client.connection_error(f.ENHANCE_YOUR_CALM)
    daemon.wait_metric(FLOODS, 1, kind="memory", mode="enforce")


def test_the_ceiling_is_only_counted_in_report_mode(life):
    daemon = life.daemon([life.replica(handle=big)], workers=1, limits=budgets("report", connection_bytes="64KiB"))
    with Tolerant(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 0}, credit=False) as client:
        streams = hoarding(client, 100)
        client.wait(lambda: all(s.has_head for s in streams), "all heads")
        daemon.wait_metric(FLOODS, 1, kind="memory", mode="report")
        client.round_trip()
        assert not client.goaways


def test_a_hundred_stalled_downloads_are_within_the_default_ceiling(life):
    daemon = life.daemon([life.replica(handle=big)], workers=1)
    with Tolerant(daemon.address, settings={f.INITIAL_WINDOW_SIZE: 10}, credit=False) as client:
        streams = hoarding(client, 100)
        client.wait(lambda: all(len(s.body) == 10 for s in streams), "all of them stall")
        stays(lambda: not client.goaways, "nobody objects", 0.2)
        client.round_trip()
        assert not client.goaways
    assert daemon.metrics().sum(FLOODS) == 0
