# SPDX-License-Identifier: Apache-2.0
"""Probes of type grpc: grpc.health.v1.Health/Check over HTTP/2."""

from harness import grpc, tls
from harness import h2_frames as f
from harness.deadline import wait_until
from harness.h2 import H2Client
from harness.h2_replica import Served

H2 = 'preset = "web"\nprotocol = "http2"'
PROBED = ('active = { type = "grpc", service = "%s", interval = "100ms", timeout = "2s", rise = 1, fall = 1, '
          'jitter = 0 }\ninitial = "probe-first"\n')
UP = "limpet_replica_up"


class Moody:
    """Answers health checks as it feels, and calls with its id."""

    def __init__(self):
        self.answer = lambda stream: grpc.health_reply(stream, grpc.SERVING)

    def __call__(self, stream, _):
        if stream.target == grpc.HEALTH:
            return self.answer(stream)
        grpc.reply(stream, [stream.replica.id.encode()])


def probed(life, mood, service="", context=None, **tables):
    a = life.replica(on_connection=Served(mood, tls=context))
    return a, life.daemon([a], pool_keys=H2, health=PROBED % service, **tables)


def knows(daemon, up):
    wait_until(lambda: daemon.metrics().sum(UP, replica="a") == up
               and daemon.metrics().sum("limpet_health_checks_total") > 0, f"a is known as {up}")


def test_a_replica_that_serves_is_up_and_takes_calls(life):
    a, daemon = probed(life, Moody())
    knows(daemon, 1)
    with H2Client(daemon.address) as client:
        response = client.ask("POST", "/shop.Cart/Add", grpc.CALL, grpc.message(b""))
        assert grpc.messages(response.body) == [b"a"]
    assert a.failures == []


def test_the_check_is_a_whole_call(life):
    a, daemon = probed(life, Moody(), "shop.Cart")
    knows(daemon, 1)
    check = next(r for r in a.requests if r.target == grpc.HEALTH)
    assert check.method == "POST" and check.get("content-type") == "application/grpc" and check.get("te") == "trailers"
    assert grpc.service_of(check.body) == "shop.Cart", bytes(check.body)


def test_without_a_service_the_replica_as_a_whole_is_asked(life):
    a, daemon = probed(life, Moody())
    knows(daemon, 1)
    assert grpc.service_of(next(r for r in a.requests if r.target == grpc.HEALTH).body) == ""


def test_every_answer_but_serving_takes_the_replica_out_and_serving_brings_it_back(life):
    mood = Moody()
    _, daemon = probed(life, mood)
    well = mood.answer
    bad = {
        "not serving": lambda stream: grpc.health_reply(stream, grpc.NOT_SERVING),
        "unknown": lambda stream: grpc.health_reply(stream, 0),
        "an unknown service": lambda stream: stream.head(200, [grpc.CONTENT, ("grpc-status", "5")], end=True),
        "an error behind the message": lambda stream: grpc.reply(stream, [b"\x08\x01"], 13),
        "no health service": lambda stream: grpc.reply(stream, [], 12),
        "a page": lambda stream: stream.answer(404, b"not found"),
        "no status": lambda stream: stream.answer(200, grpc.message(b"\x08\x01"), [grpc.CONTENT]),
        "half a message": lambda stream: stream.answer(200, b"\0\0\0\0\x02\x08", [grpc.CONTENT],
                                                       trailers=[("grpc-status", "0")]),
        "a reset": lambda stream: stream.reset_with(f.INTERNAL_ERROR),
        "silence": lambda stream: None,
        "the end of the connection": lambda stream: stream.endpoint.close(),
    }
    for name, answer in bad.items():
        knows(daemon, 1)
        mood.answer = answer
        try:
            knows(daemon, 0)
        except AssertionError as fault:
            raise AssertionError(f"{name}: {fault}") from None
        mood.answer = well
    knows(daemon, 1)


def test_checks_go_over_tls_where_the_pool_does(life):
    ca = tls.Authority(f"{life.dir}/ca")
    context = ca.server(ca.issue("replica.example"), ["h2"])
    a, daemon = probed(life, Moody(), context=context,
                       tls=f'enabled = true\nca = "{ca.cert}"\nserver_name = "replica.example"')
    knows(daemon, 1)
    assert a.failures == []


def test_results_are_counted(life):
    mood = Moody()
    _, daemon = probed(life, mood)
    daemon.wait_metric("limpet_health_checks_total", 2, replica="a", result="success")
    mood.answer = lambda stream: grpc.health_reply(stream, grpc.NOT_SERVING)
    daemon.wait_metric("limpet_health_checks_total", 1, replica="a", result="failure")
