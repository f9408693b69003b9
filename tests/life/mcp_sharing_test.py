# SPDX-License-Identifier: Apache-2.0
"""Sessions of MCP on two instances: one key file, and a store in which they tell each other what their
tokens do not say. When the store is down, routing goes on."""

import base64
import os
import shutil
import socket
import subprocess

from harness.affinity import SHOW
from harness.daemon import free_ports
from harness.deadline import PATIENCE, Skip, seconds, wait_until
from harness.life import shaped
from harness.mcp_replica import McpClient, error_of, result_of

from mcp_carry_over_test import CARRIED, LOST, only_session, owner_of, some


class Redis:
    def __init__(self, life):
        self.program = shutil.which("redis-server")
        if not self.program:
            raise Skip("there is no redis-server")
        self.dir = life.dir
        self.process = None
        self.port = None
        while self.process is None or self.process.poll() is not None:  # somebody else has taken the port
            self.port, = free_ports(1)
            self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no",
             "--dir", self.dir], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.process.poll() is not None or self.is_there(), "redis-server listens")

    def is_there(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), seconds(PATIENCE)).close()
            return True
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()


def pair(life, replicas, redis, mcp=""):
    """Two instances with one key file and, where there is one, one store."""
    key_file = os.path.join(life.dir, "keys")
    with open(key_file, "w", encoding="ascii") as out:
        out.write(base64.b64encode(bytes(range(32))).decode() + "\n")
    os.chmod(key_file, 0o600)
    store = f'store = "redis://127.0.0.1:{redis.port}/0"\nstore_timeout = "1s"\n' if redis else ""
    make = shaped(replicas, pool_keys='preset = "mcp"', affinity=SHOW, mcp=store + mcp,
                  keys=f'file = "{key_file}"')
    pair = [life.prepare(make).start() for _ in range(2)]
    if redis:
        for daemon in pair:
            daemon.wait_metric("limpet_mcp_redis_links", 2)
    return pair


def test_two_instances_with_one_key_lead_to_the_same_session(life):
    replicas = some(life, "a", "b")
    daemons = pair(life, replicas, None)
    client = McpClient(daemons[0].address).begin()
    for number in range(6):
        client.address = daemons[number % 2].address
        assert result_of(client.call())["calls"] == number + 1
    daemons[0].stop()
    daemons[0].start()
    client.address = daemons[0].address
    assert result_of(client.call())["calls"] == 7, "no session was lost by a restart"


def test_another_instance_carries_over_what_it_never_saw_begin(life):
    redis = Redis(life)
    try:
        replicas = some(life, "a", "b")
        first, second = pair(life, replicas, redis)
        client = McpClient(first.address).begin()
        owner, (other,) = owner_of(client, replicas)
        owner.kill()
        client.address = second.address
        assert result_of(client.call())["replica"] == other.id
        client.address = first.address
        assert result_of(client.call())["calls"] == 2, "the first one finds it where the second has put it"
        assert len(other.sessions) == 1
        assert second.metrics().sum(CARRIED, result="carried") == 1
        assert first.metrics().sum(CARRIED, result="carried") == 0
    finally:
        redis.kill()


def test_a_session_that_an_instance_has_only_met_is_carried_over_with_what_the_other_knows(life):
    redis = Redis(life)
    try:
        replicas = some(life, "a", "b")
        first, second = pair(life, replicas, redis)
        client = McpClient(first.address).begin()
        assert client.ask("logging/setLevel", {"level": "error"}).status == 200
        client.address = second.address
        owner, (other,) = owner_of(client, replicas)
        second.wait_metric("limpet_mcp_sessions", 1, replica=owner.id)
        assert client.ask("resources/subscribe", {"uri": "x:y"}).status == 200
        owner.kill()
        assert result_of(client.call())["replica"] == other.id
        assert next(iter(other.sessions.values())).level == "error", "the record in the store is whole"
        assert second.metrics().sum(CARRIED, result="carried") == 1
    finally:
        redis.kill()


def test_a_session_deleted_at_one_instance_is_ended_at_the_other(life):
    redis = Redis(life)
    try:
        replicas = some(life, "a", "b")
        first, second = pair(life, replicas, redis)
        client = McpClient(first.address).begin()
        owner, (other,) = owner_of(client, replicas)
        assert client.delete().status == 200
        client.address = second.address
        assert error_of(client.call()) == (*LOST, client.next)
        owner.kill()
        assert error_of(client.call()) == (*LOST, client.next)
        assert other.sessions == {}
    finally:
        redis.kill()


def test_a_store_that_is_down_hinders_no_routing_and_is_seen(life):
    redis = Redis(life)
    replicas = some(life, "a", "b")
    try:
        first, second = pair(life, replicas, redis)
    finally:
        redis.kill()
    client = McpClient(first.address).begin()
    owner, (other,) = owner_of(client, replicas)
    client.address = second.address
    assert result_of(client.call())["calls"] == 2
    wait_until(lambda: first.metrics().sum("limpet_mcp_redis_links") == 0, "the links are down")
    owner.kill()
    assert error_of(client.call()) == (*LOST, client.next), "the second one knows nothing of it"
    client.address = first.address
    assert result_of(client.call())["replica"] == other.id, "the first one does"
    assert only_session(other).initialized == 1
    assert first.metrics().sum("limpet_mcp_redis_commands_total", result="failure") > 0
    assert "redis" in first.errors().lower(), first.errors()
    redis.start()
    try:
        first.wait_metric("limpet_mcp_redis_links", 1, limit=30)
    finally:
        redis.kill()
