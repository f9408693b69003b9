# SPDX-License-Identifier: Apache-2.0
"""The PROXY protocol: believed from those in front, refused where it is wrong, told to replicas that want it."""

import ssl

from harness import h2_frames as f
from harness import proxy_protocol as proxy
from harness import tls
from harness.client import Client, request
from harness.deadline import wait_until
from harness.h2 import H2Client
from harness.h2_replica import Served

ERRORS = "limpet_proxy_protocol_errors_total"
BELIEVED = 'proxy_protocol = true\ntrusted = ["127.0.0.0/8"]\n'
PATIENT = 'active = { type = "off" }\ninitial = "up"\npassive = { failures = 1000 }'

WRONG = {
    "no header": request("GET", "/"),
    "another word": b"PROXI TCP4 203.0.113.7 192.0.2.1 5000 80\r\n",
    "an unknown family": b"PROXY TCP5 203.0.113.7 192.0.2.1 5000 80\r\n",
    "an address of the wrong family": b"PROXY TCP4 2001:db8::1 2001:db8::2 5000 80\r\n",
    "an address that is none": b"PROXY TCP4 203.0.113.700 192.0.2.1 5000 80\r\n",
    "a port that is none": b"PROXY TCP4 203.0.113.7 192.0.2.1 70000 80\r\n",
    "a port with a zero in front": b"PROXY TCP4 203.0.113.7 192.0.2.1 05000 80\r\n",
    "a port too few": b"PROXY TCP4 203.0.113.7 192.0.2.1 5000\r\n",
    "two spaces": b"PROXY TCP4  203.0.113.7 192.0.2.1 5000 80\r\n",
    "a bare LF": b"PROXY TCP4 203.0.113.7 192.0.2.1 5000 80\n" + b"x" * 100,
    "a line that is too long": b"PROXY TCP4 " + b"1" * 200 + b"\r\n",
    "a wrong signature": b"\r\n\r\n\0\r\nQUIX\n\x21\x11\0\x0c" + bytes(12),
    "an unknown version": b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c" + bytes(12),
    "an unknown command": b"\r\n\r\n\0\r\nQUIT\n\x22\x11\0\x0c" + bytes(12),
    "addresses that are too short": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04" + bytes(4),
    "a header of 60 KB": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xee\xee" + bytes(0xeeee),
}


def told(daemon, header, **more):
    """Sends the header and a request on one connection."""
    with Client(daemon.address) as client:
        client.send(header + request("GET", "/", **more))
        return client.response()


def test_version_1_and_2_say_who_the_client_is(life):
    a = life.replica()
    daemon = life.daemon([a], listener=BELIEVED)
    for header, client in ((proxy.v1(), "203.0.113.7"), (proxy.v2(), "203.0.113.7"),
                           (proxy.v1("2001:db8::7", "2001:db8::1"), "2001:db8::7"),
                           (proxy.v2("2001:db8::7", "2001:db8::1"), "2001:db8::7")):
        assert told(daemon, header).status == 200
        assert client in a.requests[-1].get("X-Forwarded-For"), a.requests[-1]
        wait_until(lambda: any(entry["client"] == client for entry in daemon.log()), f"{client} in the log")


def test_local_and_unknown_are_the_senders_own(life):
    a = life.replica()
    daemon = life.daemon([a], listener=BELIEVED)
    for header in (proxy.v2(command=proxy.LOCAL), b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"):
        assert told(daemon, header).status == 200, header
        assert "127.0.0.1" in a.requests[-1].get("X-Forwarded-For"), a.requests[-1]


def test_what_stands_behind_the_addresses_is_passed_over(life):
    a = life.replica()
    daemon = life.daemon([a], listener=BELIEVED)
    more = proxy.tlv(0x01, b"h2") + proxy.tlv(0x02, b"site.example") + proxy.tlv(0xe0, b"x" * 500)
    assert told(daemon, proxy.v2(more=more)).status == 200
    assert "203.0.113.7" in a.requests[-1].get("X-Forwarded-For")


def test_a_header_in_single_bytes_is_understood(life):
    a = life.replica()
    daemon = life.daemon([a], listener=BELIEVED)
    for header in (proxy.v1(), proxy.v2()):
        with Client(daemon.address) as client:
            for byte in header:
                client.send(bytes([byte]))
            assert client.get("/").status == 200
        assert "203.0.113.7" in a.requests[-1].get("X-Forwarded-For")


def test_every_wrong_header_ends_the_connection_and_is_counted(life):
    a = life.replica()
    daemon = life.daemon([a], listener=BELIEVED, timeouts='request_head = "60s"')
    for name, sent in WRONG.items():
        with Client(daemon.address) as client:
            try:
                client.send(sent + request("GET", "/"))
                assert client.stream.rest() == b"", name
            except OSError as fault:
                assert not isinstance(fault, TimeoutError), f"{name}: not ended"
    assert a.count() == 0, a.targets()
    daemon.wait_metric(ERRORS, len(WRONG), listener="web")


def test_a_header_that_does_not_come_is_not_waited_for_for_ever(life):
    daemon = life.daemon([life.replica()], listener=BELIEVED, timeouts='request_head = "300ms"')
    for sent in (b"", b"PROXY TCP4 203.0"):
        with Client(daemon.address) as client:
            client.send(sent)
            try:
                assert client.stream.rest() == b""
            except ConnectionResetError:
                pass
    daemon.wait_metric(ERRORS, 1)


def test_strangers_are_served_without_a_header_and_not_believed(life):
    a = life.replica()
    daemon = life.daemon([a], listener='proxy_protocol = true\ntrusted = ["192.0.2.0/24"]\n')
    assert daemon.once("GET", "/").status == 200
    with Client(daemon.address) as client:
        client.send(proxy.v1() + request("GET", "/smuggled"))
        assert client.response().status == 400
    assert a.targets() == ["/"]
    assert "203.0.113.7" not in a.requests[0].get("X-Forwarded-For")


def test_without_the_setting_a_header_is_a_bad_request(life):
    a = life.replica()
    daemon = life.daemon([a])
    with Client(daemon.address) as client:
        client.send(proxy.v1() + request("GET", "/"))
        assert client.response().status == 400
    assert a.count() == 0


def test_a_second_header_is_a_bad_request(life):
    a = life.replica()
    daemon = life.daemon([a], listener=BELIEVED)
    with Client(daemon.address) as client:
        client.send(proxy.v1() + proxy.v1("198.51.100.9") + request("GET", "/"))
        assert client.response().status == 400
    assert a.count() == 0


def test_the_header_holds_for_all_requests_of_its_connection(life):
    a = life.replica()
    daemon = life.daemon([a], listener=BELIEVED)
    with Client(daemon.address) as client:
        client.send(proxy.v2())
        for _ in range(3):
            assert client.get("/").status == 200
    assert all("203.0.113.7" in r.get("X-Forwarded-For") for r in a.requests)


def test_the_header_stands_before_http2(life):
    a = life.replica()
    daemon = life.daemon([a], listener=BELIEVED)
    with H2Client(daemon.address, preface=False) as client:
        client.send(proxy.v2() + f.PREFACE + f.settings())
        assert client.get("/").status == 200
    assert "203.0.113.7" in a.requests[-1].get("X-Forwarded-For")


def test_the_header_stands_before_tls(life):
    a = life.replica()
    ca = tls.Authority(f"{life.dir}/ca")
    daemon = life.daemon([a], listener=BELIEVED + tls.listener(ca.issue("test.example")))
    for header in (proxy.v1(), proxy.v2()):
        with Client(daemon.address) as plain:
            plain.send(header)
            sock = ca.client().wrap_socket(plain.socket, server_hostname="test.example")
            sock.sendall(request("GET", "/", [("Connection", "close")]))
            said = b""
            try:
                while data := sock.recv(65536):
                    said += data
            except ssl.SSLEOFError:
                pass
            assert said.startswith(b"HTTP/1.1 200"), said
            sock.close()
    assert all("203.0.113.7" in r.get("X-Forwarded-For") for r in a.requests)


def test_limits_by_client_count_the_client_that_was_named(life):
    daemon = life.daemon([life.replica()], listener=BELIEVED, limits="connections_per_client = 2", workers=1)
    held = []
    for _ in range(2):
        client = Client(daemon.address)
        client.send(proxy.v1() + request("GET", "/"))
        assert client.response().status == 200
        held.append(client)
    with Client(daemon.address) as third:
        third.send(proxy.v1() + request("GET", "/"))
        try:
            assert third.stream.rest() == b"", "one more is let in"
        except ConnectionResetError:
            pass
    assert told(daemon, proxy.v1("198.51.100.9")).status == 200
    for client in held:
        client.close()


class Listening:
    """A replica that reads a PROXY header at the front of each connection."""

    def __init__(self, life, **served):
        self.headers = []
        self.served = Served(greeting=self._read, **served)
        self.replica = life.replica(on_connection=self.served)

    def _read(self, peer):
        """Byte by byte: what follows is taken from the socket by others."""
        sock = peer.stream.socket
        peer.stream.socket = OneByte(sock)
        self.headers.append(proxy.read(peer))
        peer.stream.socket = sock
        assert not peer.stream.ahead, peer.stream.ahead


class OneByte:
    def __init__(self, sock):
        self.socket = sock

    def recv(self, _):
        return self.socket.recv(1)


def test_replicas_are_told_the_client_in_both_versions(life):
    for version in ("v1", "v2"):
        listening = Listening(life, h2=False)
        daemon = life.daemon([listening.replica], health=PATIENT,
                             pool_keys=f'preset = "web"\nsend_proxy_protocol = "{version}"')
        with daemon.client() as client:
            assert client.get("/").status == 200
            header = listening.headers[0]
            assert (header.version, header.source, header.source_port) == (int(version[1]), "127.0.0.1", client.port)


def test_connections_to_replicas_are_not_shared_by_clients(life):
    listening = Listening(life, h2=False)
    daemon = life.daemon([listening.replica], health=PATIENT, workers=1,
                         pool_keys='preset = "web"\nsend_proxy_protocol = "v2"')
    with daemon.client() as one, daemon.client() as other:
        for _ in range(3):
            for client in (one, other):
                assert client.get(f"/{client.port}").status == 200
        ports = {header.source_port for header in listening.headers}
        assert ports == {one.port, other.port}, listening.headers
        for message in listening.replica.requests:
            header = listening.headers[message.connection - 1]
            assert message.target == f"/{header.source_port}", (message.target, header)


def test_what_was_told_in_front_is_passed_on(life):
    listening = Listening(life, h2=False)
    daemon = life.daemon([listening.replica], health=PATIENT, listener=BELIEVED,
                         pool_keys='preset = "web"\nsend_proxy_protocol = "v1"')
    assert told(daemon, proxy.v2("2001:db8::7", "2001:db8::1", 1234)).status == 200
    assert (listening.headers[0].source, listening.headers[0].source_port) == ("2001:db8::7", 1234)


def test_the_header_for_replicas_stands_before_http2_and_tls(life):
    ca = tls.Authority(f"{life.dir}/ca")
    for protocol, secure in (("http2", False), ("http1", True), ("http2", True)):
        alpn = ["h2"] if protocol == "http2" else ["http/1.1"]
        context = ca.server(ca.issue("test.example"), alpn) if secure else None
        listening = Listening(life, h2=protocol == "http2", tls=context)
        table = {"tls": f'enabled = true\nca = "{ca.cert}"\nserver_name = "test.example"'} if secure else {}
        daemon = life.daemon([listening.replica], health=PATIENT, **table,
                             pool_keys=f'preset = "web"\nprotocol = "{protocol}"\nsend_proxy_protocol = "v2"')
        with daemon.client() as client:
            assert client.get("/").status == 200, (protocol, secure)
            assert listening.headers[0].source_port == client.port


def test_probes_speak_for_themselves(life):
    for version in ("v1", "v2"):
        listening = Listening(life, h2=False)
        daemon = life.daemon([listening.replica], pool_keys=f'preset = "web"\nsend_proxy_protocol = "{version}"',
                             health='active = { type = "http", path = "/healthz", interval = "100ms" }')
        wait_until(lambda: listening.replica.count("/healthz") > 0, "a probe")
        assert listening.headers[0].source is None, listening.headers
        wait_until(lambda: daemon.metrics().sum("limpet_replica_up", replica="a") == 1, "a is up")
