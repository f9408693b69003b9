# SPDX-License-Identifier: Apache-2.0
"""Session tickets: one set of keys for all workers, or those of a file that instances share."""

import base64
import os
import re
import socket
import ssl
import time

from harness import tls
from harness.deadline import PATIENCE, seconds, wait_until
from harness.h2 import H2Client
from harness.life import shaped
from harness.tls import TlsClient, s_client

HANDSHAKES = "limpet_tls_handshakes_total"


class World:
    """An authority, a pair, and daemons with them."""

    def __init__(self, life):
        self.life = life
        self.ca = tls.Authority(f"{life.dir}/ca")
        self.pair = self.ca.issue("test.example")
        self.replica = life.replica()

    def config(self, more="", **options):
        return shaped([self.replica], listener=tls.listener(self.pair, more=more), **options)

    def daemon(self, more="", **options):
        return self.life.prepare(self.config(more, **options)).start()

    def context(self, version="1.3"):
        return self.ca.client(version=version)


def session(daemon, context):
    """A session and its ticket, as a client keeps them. (TLS 1.3 sends them behind the handshake.)"""
    with TlsClient(daemon.address, context) as client:
        assert client.get("/").status == 200
        assert client.socket.session.has_ticket, "no ticket came"
        return client.socket.session


def resumes(daemon, context, kept):
    with TlsClient(daemon.address, context, session=kept) as client:
        assert client.get("/").status == 200
        return client.socket.session_reused


def key():
    """A ticket key and its line in the file."""
    raw = os.urandom(80)
    return raw, base64.b64encode(raw).decode() + "\n"


def test_a_session_is_resumed_in_both_versions(life):
    world = World(life)
    daemon = world.daemon(workers=1)
    for version in ("1.2", "1.3"):
        context = world.context(version)
        kept = session(daemon, context)
        assert resumes(daemon, context, kept), version
    daemon.wait_metric(HANDSHAKES, 2, listener="web", resumed="yes", result="success")
    assert daemon.metrics().sum(HANDSHAKES, resumed="no") == 2


def test_every_worker_resumes_what_another_began(life):
    world = World(life)
    daemon = world.daemon(workers=4)
    context = world.context()
    kept = session(daemon, context)
    assert all(resumes(daemon, context, kept) for _ in range(32)), "a worker has keys of its own"


def test_a_resumed_session_is_served_over_http2_too(life):
    world = World(life)
    daemon = world.daemon(workers=1)
    context = world.ca.client(["h2"])
    with H2Client(daemon.address, tls=context) as client:
        client.get("/")
        kept = client.socket.session
    plain = socket.create_connection(daemon.address, timeout=seconds(PATIENCE))
    sock = context.wrap_socket(plain, server_hostname="test.example", session=kept)
    assert sock.session_reused and sock.selected_alpn_protocol() == "h2"
    sock.close()


def test_a_forged_ticket_is_only_a_full_handshake(life):
    world = World(life)
    one, other = world.daemon(workers=1), world.daemon(workers=1)
    context = world.context()
    assert not resumes(other, context, session(one, context)), "a ticket of somebody else is opened"
    assert other.metrics().sum(HANDSHAKES, result="failure") == 0


def test_instances_share_tickets_by_a_file(life):
    world = World(life)
    file = f"{life.dir}/tickets"
    with open(file, "w", encoding="ascii") as out:
        out.write("# the keys\n" + key()[1])
    tickets = f'tickets = {{ file = "{file}" }}'
    one, other = world.daemon(tickets), world.daemon(tickets)
    for version in ("1.2", "1.3"):
        context = world.context(version)
        kept = session(one, context)
        assert resumes(other, context, kept) and resumes(one, context, kept), version


def test_the_first_key_of_the_file_seals(life):
    world = World(life)
    file = f"{life.dir}/tickets"
    (first, first_line), (_, second_line) = key(), key()
    with open(file, "w", encoding="ascii") as out:
        out.write(first_line + second_line)
    daemon = world.daemon(f'tickets = {{ file = "{file}" }}')
    said = s_client(daemon, "-tls1_2", stdin=b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    found = re.search(r"TLS session ticket:\s+0000 - ((?:[0-9a-f]{2}[ -]){16})", said)
    assert found, said
    assert bytes.fromhex(re.sub("[ -]", "", found.group(1))) == first[:16], "another key's name stands in the ticket"


def key_name(daemon):
    """The name of the key that seals tickets now, as it stands in them."""
    said = s_client(daemon, "-tls1_2", stdin=b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    found = re.search(r"TLS session ticket:\s+0000 - ((?:[0-9a-f]{2}[ -]){16})", said)
    assert found, said
    return found.group(1)


def test_a_session_is_resumed_across_a_rotation_of_the_keys_by_every_worker(life):
    world = World(life)
    daemon = world.daemon('tickets = { rotate = "1m" }', workers=4)
    contexts = {version: world.context(version) for version in ("1.2", "1.3")}

    def sessions():
        return {version: session(daemon, context) for version, context in contexts.items()}
    kept, first, taken = sessions(), key_name(daemon), time.monotonic()
    assert all(key_name(daemon) == first for _ in range(4)), "one key for all workers"

    def has_turned():  # a ticket is good for a period, so those kept are of its last seconds
        nonlocal kept, taken
        if time.monotonic() - taken < 3:
            return False
        fresh, taken = sessions(), time.monotonic()
        if key_name(daemon) != first:
            return True
        kept = fresh
        return False
    wait_until(has_turned, "a new key seals", 75)
    second = key_name(daemon)
    assert all(key_name(daemon) == second for _ in range(8)), "a worker has not heard of the new key"
    for version, context in contexts.items():
        assert all(resumes(daemon, context, kept[version]) for _ in range(12)), "a worker has forgotten the key before"
        renewed = session(daemon, context)
        assert all(resumes(daemon, context, renewed) for _ in range(12)), version
    assert daemon.metrics().sum(HANDSHAKES, result="failure") == 0


def test_a_key_that_moves_back_in_the_file_still_opens_and_one_that_left_does_not(life):
    world = World(life)
    file = f"{life.dir}/tickets"
    lines = [key()[1] for _ in range(3)]

    def write(*chosen):
        with open(file + ".new", "w", encoding="ascii") as out:
            out.write("".join(chosen))
        os.replace(file + ".new", file)
    write(lines[0])
    daemon = world.daemon(f'tickets = {{ file = "{file}" }}', workers=2)
    context = world.context()
    oldest = session(daemon, context)
    write(lines[1], lines[0])
    probe = world.daemon(f'tickets = {{ file = "{file}" }}')  # has the new keys from its beginning
    assert resumes(probe, context, oldest)
    newer = session(probe, context)
    wait_until(lambda: resumes(daemon, context, newer), "the new key is taken up")
    assert resumes(daemon, context, oldest), "the key before is forgotten at once"
    write(lines[2], lines[1])
    wait_until(lambda: not resumes(daemon, context, oldest), "the oldest key is forgotten")


def test_a_bad_file_is_refused_and_the_old_keys_stay(life):
    world = World(life)
    file = f"{life.dir}/tickets"
    with open(file, "w", encoding="ascii") as out:
        out.write(key()[1])
    daemon = world.daemon(f'tickets = {{ file = "{file}" }}')
    context = world.context()
    kept = session(daemon, context)
    with open(file, "w", encoding="ascii") as out:
        out.write(key()[1] + base64.b64encode(b"too short").decode() + "\n")
    wait_until(lambda: "tickets" in daemon.errors(), "a line about the file")
    assert resumes(daemon, context, kept)


def test_a_reload_keeps_the_keys(life):
    world = World(life)
    daemon = world.daemon()
    context = world.context()
    kept = session(daemon, context)
    daemon.reload(world.config(limits="header_fields = 90"))
    assert resumes(daemon, context, kept)


def test_a_resumed_session_meets_the_present_certificate_requirements(life):
    """A ticket of a time without client certificates does not get around them."""
    world = World(life)
    file = f"{life.dir}/tickets"
    with open(file, "w", encoding="ascii") as out:
        out.write(key()[1])
    tickets = f'tickets = {{ file = "{file}" }}'
    open_to_all = world.daemon(tickets)
    closed = world.daemon(f'{tickets}\nclient_ca = "{world.ca.cert}"\nclient_auth = "required"')
    context = world.context()
    kept = session(open_to_all, context)
    try:
        with TlsClient(closed.address, context, session=kept) as client:
            response = client.get("/")
    except (ssl.SSLError, OSError, EOFError):
        return
    except Exception as fault:
        assert type(fault).__name__ in ("Closed", "Truncated"), repr(fault)
        return
    raise AssertionError(f"served without a certificate: {response}")
