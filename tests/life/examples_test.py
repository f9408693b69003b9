# SPDX-License-Identifier: Apache-2.0
"""Every example in conf/ starts and serves, with only addresses, paths and the user put in its place."""

import re

from harness import grpc, proxy_protocol as proxy, tls
from harness.affinity import McpClient, McpReplica
from harness.client import Client, request
from harness.daemon import ROOT
from harness.deadline import wait_until
from harness.h2 import H2Client
from harness.h2_replica import Served
from harness.replica import say_who


class Example:
    """One file of conf/ and the replicas that it names."""

    def __init__(self, life, name, on_connection=None):
        self.text = (ROOT / "conf" / name).read_text()
        handle = McpReplica() if 'preset = "mcp"' in self.text else say_who
        ports = sorted(set(re.findall(r"127\.0\.0\.1:(3\d{3})", self.text)))
        self.replicas = {port: life.replica(f"r{port}", handle, on_connection=on_connection) for port in ports}

    def at(self, place):
        text = re.sub(r"127\.0\.0\.1:(3\d{3})", lambda found: self.replicas[found.group(1)].address, self.text)
        text = re.sub(r"^bind = \[\".*?\"\]", f'bind = ["127.0.0.1:{place.port}"]', text, flags=re.M)
        text = re.sub(r'^bind = "[^"]*"', f'bind = "127.0.0.1:{place.admin_port}"', text, flags=re.M)
        text = re.sub(r'^socket = "[^"]*"', f'socket = "{place.socket}"', text, flags=re.M)
        text = re.sub(r'^(state_dir|user) = "[^"]*"', "", text, flags=re.M)
        own = {"daemon": f'user = ""\nworkers = 2\npin = false\nstate_dir = "{place.state_dir}"\n',
               "admin": "" if re.search(r"^\[admin\]", text, re.M) else
                        f'bind = "127.0.0.1:{place.admin_port}"\nsocket = "{place.socket}"\n'}
        for table, keys in own.items():
            if re.search(rf"^\[{table}\]", text, re.M):
                text = re.sub(rf"^\[{table}\].*$", f"[{table}]\n{keys}", text, flags=re.M)
            else:
                text += f"\n[{table}]\n{keys}"
        return text

    def paths(self):
        """What its routes take."""
        return re.findall(r'^path = "(/[^"$]*)"', self.text, re.M) or ["/"]


def started(life, name, environment=None, on_connection=None):
    example = Example(life, name, on_connection)
    return example, life.prepare(example.at, environment=environment).start()


def serves(life, name, environment=None):
    example, daemon = started(life, name, environment)
    for path in example.paths():
        response = daemon.once("GET", path)
        expected = 404 if path == "/.well-known/none" else 200
        assert response.status == expected, (path, response)
    assert daemon.stop() == 0


def test_affinity_toml_starts_and_serves_each_of_its_pools(life):
    serves(life, "affinity.toml")


def test_azure_toml_starts_and_gives_the_cookies_of_that_ingress(life):
    _, daemon = started(life, "azure.toml")
    response = daemon.once("GET", "/")
    assert response.status == 200 and "ARRAffinity=" in str(response.all("Set-Cookie")), response


def test_discovery_file_toml_starts_with_the_replicas_of_the_file(life):
    listed = life.some("a", "b")
    path = f"{life.dir}/replicas"
    with open(path, "w", encoding="ascii") as file:
        file.write("".join(f"{replica.address}\n" for replica in listed))
    serves(life, "discovery-file.toml", {"LIMPET_REPLICAS": path})
    assert sum(replica.count("/") for replica in listed) == 1


def test_limpet_toml_starts_and_serves(life):
    serves(life, "limpet.toml")


def test_mcp_toml_starts_and_holds_a_session(life):
    _, daemon = started(life, "mcp.toml")
    client = McpClient(daemon, "/mcp")
    client.begin()
    for _ in range(5):
        assert client.ask().status == 200


def test_minimal_toml_starts_and_serves(life):
    serves(life, "minimal.toml")


def test_revisions_toml_starts_and_serves(life):
    serves(life, "revisions.toml")


def test_tls_toml_starts_and_serves_both_versions(life):
    ca = tls.Authority(f"{life.dir}/ca")
    pair = ca.issue("test.example")
    _, daemon = started(life, "tls.toml", {"LIMPET_CERT": str(pair.cert), "LIMPET_KEY": str(pair.key)})
    with tls.TlsClient(daemon.address, ca.client()) as client:
        assert client.get("/").status == 200
    with H2Client(daemon.address, tls=ca.client(["h2"])) as client:
        assert client.get("/").status == 200


def test_grpc_toml_starts_and_spreads_the_calls_of_one_channel(life):
    def serve(stream, _):
        if stream.target == grpc.HEALTH:
            return grpc.health_reply(stream, grpc.SERVING)
        grpc.reply(stream, [stream.replica.id.encode()])
    _, daemon = started(life, "grpc.toml", on_connection=Served(serve))
    wait_until(lambda: daemon.metrics().sum("limpet_health_checks_total", result="success") >= 2, "both were asked")
    with H2Client(daemon.address) as client:
        calls = [client.ask("POST", "/shop.Cart/Add", grpc.CALL, grpc.message(b"")) for _ in range(20)]
    assert {tuple(grpc.messages(call.body)) for call in calls} == {(b"r3001",), (b"r3002",)}, calls


def test_proxy_protocol_toml_starts_and_hands_the_client_on(life):
    told = []

    def serve(peer):
        told.append(proxy.read(peer))
        if told[-1].source is not None:
            say_who(peer, peer.request())
        peer.wait_for_end()
    _, daemon = started(life, "proxy-protocol.toml", on_connection=serve)
    with Client(daemon.address) as client:
        client.send(proxy.v1("203.0.113.9") + request("GET", "/"))
        assert client.response().status == 200
    assert [header.source for header in told if header.source is not None] == ["203.0.113.9"], told
    assert {header.version for header in told} == {2}, told
    with Client(daemon.address) as client:
        client.send(request("GET", "/"))
        try:
            assert not client.stream.rest(), "a client without a header is served"
        except ConnectionResetError:
            pass


def test_every_example_has_its_test_here(_):
    for file in (ROOT / "conf").glob("*.toml"):
        name = "test_" + file.name.replace("-", "_").replace(".", "_")
        assert any(test.startswith(name) for test in globals()), file.name
