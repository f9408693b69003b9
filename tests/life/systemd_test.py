# SPDX-License-Identifier: Apache-2.0
"""Under systemd: what the daemon tells it, and the sockets it passes."""

import signal
import socket
import sys
import time

from harness.client import once
from harness.control import limpetctl
from harness.deadline import PATIENCE, seconds, wait_until
from harness.life import shaped
from harness.replica import say_who

# Becomes its arguments, with the socket given as the first one in the place of the first that systemd passes.
PASS_SOCKET = ("import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
               "os.execv(sys.argv[2], sys.argv[2:])")


class Listener:
    """systemd's end of the notification socket."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)
        self.messages = []

    def heard(self):
        """Each message so far as a dict of its assignments."""
        try:
            while True:
                lines = self.socket.recv(65536).decode().split("\n")
                self.messages.append(dict(line.split("=", 1) for line in lines if line))
        except BlockingIOError:
            return self.messages

    def wait_for(self, after=0, **wanted):
        """The index of the first message from `after` on that says all of `wanted`."""
        def found():
            for index, message in enumerate(self.heard()):
                if index >= after and wanted.items() <= message.items():
                    return index + 1  # 0 would not be found
            return None
        return wait_until(found, f"{wanted} after {after} in {self.messages}") - 1


def notified(life, config, **environment):
    listener = Listener(f"{life.dir}/notify")
    daemon = life.prepare(config, environment={"NOTIFY_SOCKET": listener.path, **environment})
    return listener, daemon


def test_ready_is_said_when_requests_are_served_and_stopping_at_the_end(life):
    listener, daemon = notified(life, shaped([life.replica()]))
    daemon.start()
    ready = listener.messages[listener.wait_for(READY="1")]
    assert "1 pool" in ready["STATUS"] and "2 worker" in ready["STATUS"], ready
    assert "WATCHDOG" not in str(listener.heard()), "nobody asked for it"
    daemon.signal(signal.SIGTERM)
    assert "Draining" in listener.messages[listener.wait_for(STOPPING="1")]["STATUS"]
    assert daemon.wait() == 0


def test_a_reload_is_said_to_begin_and_to_end(life):
    listener, daemon = notified(life, shaped([life.replica()]))
    daemon.start()
    last = listener.wait_for(READY="1")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.reload()
    begun = listener.wait_for(after=last + 1, RELOADING="1")
    at = int(listener.messages[begun]["MONOTONIC_USEC"])
    assert before <= at <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000, (before, at)
    assert not any("READY" in message for message in listener.messages[last + 1:begun])
    listener.wait_for(after=begun + 1, READY="1")


def test_a_refused_reload_ends_too_and_the_status_says_so(life):
    listener, daemon = notified(life, shaped([life.replica()]))
    daemon.start()
    daemon.place.config.write_text("nonsense = 1\n")
    assert limpetctl(daemon, "reload").returncode != 0
    begun = listener.wait_for(RELOADING="1")
    done = listener.wait_for(after=begun + 1, READY="1")
    assert "refused" in listener.messages[done]["STATUS"], listener.messages[done]


def test_the_watchdog_hears_that_all_workers_turn(life):
    listener, daemon = notified(life, shaped([life.replica()]), WATCHDOG_USEC="600000")
    daemon.start()
    first = listener.wait_for(WATCHDOG="1")
    second = listener.wait_for(after=first + 1, WATCHDOG="1")
    listener.wait_for(after=second + 1, WATCHDOG="1")


def by_name(config, name="web"):
    return lambda place: config(place).replace(f'"127.0.0.1:{place.port}"', f'"systemd:{name}"')


def passing(daemon, sock, name="web"):
    daemon.environment.update({"LISTEN_FDS": "1", "LISTEN_FDNAMES": name})
    daemon.pass_fds = (sock.fileno(),)
    daemon.prefix = [sys.executable, "-c", PASS_SOCKET, str(sock.fileno())]


def test_a_socket_of_systemd_is_served_by_its_name_and_over_reloads(life):
    a, b = life.some("a", "b")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address = sock.getsockname()
        daemon = life.prepare(by_name(shaped([a], affinity="from = []")))
        passing(daemon, sock)
        daemon.start()
        for _ in range(8):
            assert once(address).get("X-Replica") == "a"
        daemon.reload(by_name(shaped([b], affinity="from = []")))
        for _ in range(8):
            assert once(address).get("X-Replica") == "b"
        assert daemon.stop() == 0


def test_who_connected_before_the_start_is_served_after_it(life):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        daemon = life.prepare(by_name(shaped([life.replica(handle=say_who)])))
        passing(daemon, sock)
        with socket.create_connection(sock.getsockname()) as early:
            early.sendall(b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")
            daemon.start()
            early.settimeout(seconds(PATIENCE))
            assert early.recv(65536).startswith(b"HTTP/1.1 200 "), "it waited in the queue of the socket"


def test_a_name_that_systemd_did_not_pass_is_an_error_that_says_which_it_did(life):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        daemon = life.prepare(by_name(shaped([life.replica()])))
        passing(daemon, sock, name="other")
        daemon.write_config()
        daemon.launch()
        assert daemon.wait() == 1
    said = daemon.errors()
    assert '"web"' in said and "it passed: other" in said and "limpet.toml:" in said, said
