# SPDX-License-Identifier: Apache-2.0
"""Out of descriptors: who comes waits in the queue of the socket and is served when there are some again."""

import os
import sys

from harness.client import Client, request
from harness.control import limpetctl
from harness.deadline import PATIENCE, seconds, wait_until
from harness.life import shaped

LIMITED = ("import os, resource, sys; n = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)); "
           "os.execv(sys.argv[2], sys.argv[2:])")


def limited(life, descriptors, config):
    daemon = life.prepare(config)
    daemon.prefix = [sys.executable, "-c", LIMITED, str(descriptors)]
    return daemon.start()


def open_descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def silent(client):
    client.socket.settimeout(0.2)
    try:
        return client.socket.recv(1) is None
    except TimeoutError:
        return True
    finally:
        client.socket.settimeout(seconds(PATIENCE))


def test_out_of_descriptors_clients_and_operators_wait_and_are_served_later(life):
    daemon = limited(life, 64, shaped([life.replica()], limits="connections = 1000", workers=1))
    held = [daemon.client() for _ in range(64)]
    wait_until(lambda: open_descriptors(daemon) == 64, "it has no descriptor left")
    waiting = daemon.client()
    waiting.send(request("GET", "/waiting"))
    operator = Client(("127.0.0.1", daemon.place.admin_port))
    operator.send(request("GET", "/healthz", host="127.0.0.1"))
    assert silent(waiting) and silent(operator), "neither answered nor closed"
    for client in held:
        client.close()
    assert waiting.response().status == 200
    assert operator.response().status == 200
    assert daemon.metrics().sum("limpet_limits_total", kind="descriptors") >= 1
    assert limpetctl(daemon, "status").returncode == 0
    assert daemon.once().status == 200
    waiting.close()
    assert daemon.stop() == 0


def test_by_itself_it_lets_no_more_clients_in_than_there_are_descriptors_for(life):
    daemon = limited(life, 200, shaped([life.replica()], workers=1))
    most = (200 - 128) // 2
    held = [daemon.client() for _ in range(most)]
    for client in held:
        assert client.get("/").status == 200
    one_more = daemon.client()
    one_more.send(request("GET", "/"))
    assert silent(one_more), "it waits until somebody leaves"
    held[0].close()
    assert one_more.response().status == 200
