# SPDX-License-Identifier: Apache-2.0
"""The real limpetd as a child process, with a place of its own and its files at hand."""

import json
import os
import pathlib
import signal
import socket
import subprocess

from harness.client import Client, Jar, once
from harness.deadline import PATIENCE, Skip, seconds, wait_until
from harness.kernel import untaken_bytes
from harness.metrics import Metrics

ROOT = pathlib.Path(__file__).resolve().parents[3]
LIMPETD = os.environ.get("LIMPETD", str(ROOT / "build" / "limpetd"))


def free_ports(count):
    """Ports that nobody has, all different: they are held together before any is let go."""
    held = [socket.socket() for _ in range(count)]
    try:
        for sock in held:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in held]
    finally:
        for sock in held:
            sock.close()


class Place:
    """Where one daemon listens and keeps its files."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.config = self.dir / "limpet.toml"
        self.state_dir = self.dir / "state"
        self.socket = str(self.dir / "control.sock")
        self.access_log = self.dir / "access.log"
        self.stderr = self.dir / "stderr.txt"
        self.state_dir.mkdir(exist_ok=True)
        self.new_ports()

    def new_ports(self):
        self.more_ports = {}
        self.port, self.admin_port = free_ports(2)

    def port_of(self, name):
        """The port of one more listener of that name. Asked in `make_config`, it is chosen anew with the others."""
        if name not in self.more_ports:
            self.more_ports[name], = free_ports(1)
        return self.more_ports[name]


class Daemon:
    """`make_config(place)` gives the text of the configuration."""

    def __init__(self, place, make_config, environment=None):
        self.place = place
        self.make_config = make_config
        self.environment = {**os.environ, **(environment or {})}
        self.prefix = []  # words before the program: what becomes it by exec
        self.pass_fds = ()
        self.process = None

    @property
    def address(self):
        return ("127.0.0.1", self.place.port)

    @property
    def pid(self):
        return self.process.pid

    def write_config(self, make_config=None):
        """Replaces the file as a whole, as careful operators do."""
        if make_config:
            self.make_config = make_config
        text = self.make_config(self.place)
        fresh = self.place.config.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.place.config)

    def start(self):
        """Starts and waits until it is ready. A port that somebody took meanwhile is chosen anew."""
        for attempt in range(5):
            self.write_config()
            self.launch()
            try:
                wait_until(self._is_ready_or_dead, "ready", 30)
            except AssertionError:
                self.kill()
                raise AssertionError("limpetd does not become ready\n" + self.errors()) from None
            if self.process.poll() is None:
                return self
            if "in use" not in self.errors() or attempt == 4:
                break
            self.place.new_ports()
        raise AssertionError(f"limpetd ended with {self.process.returncode}\n" + self.errors())

    def launch(self):
        with open(self.place.stderr, "ab") as stderr:
            self.process = subprocess.Popen(
                [*self.prefix, LIMPETD, "-c", str(self.place.config)], stdin=subprocess.DEVNULL,
                stdout=stderr, stderr=stderr, cwd=self.place.dir, env=self.environment,
                pass_fds=self.pass_fds)

    def _is_ready_or_dead(self):
        if self.process.poll() is not None:
            return True
        return self.is_ready()

    def is_ready(self):
        try:
            return self.admin("/readyz").status == 200
        except OSError:
            return False
        except Exception:
            return False

    # -- the admin side ----------------------------------------------------------------------------

    def admin(self, path):
        return once(("127.0.0.1", self.place.admin_port), "GET", path, [("Connection", "close")],
                    host=f"127.0.0.1:{self.place.admin_port}")

    def metrics(self):
        response = self.admin("/metrics")
        assert response.status == 200, response
        return Metrics(response.text())

    def wait_metric(self, name, at_least, limit=PATIENCE, **labels):
        def enough():
            return self.metrics().sum(name, **labels) >= at_least
        wait_until(enough, f"{name}{labels} >= {at_least}\n{self._like(name)}", limit)

    def _like(self, name):
        return "\n".join(line for line in self.metrics().text.splitlines() if name[:14] in line)

    def log(self):
        """The access log's whole lines."""
        try:
            lines = self.place.access_log.read_text().split("\n")[:-1]
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def wait_log(self, matches, what="an access log line", limit=PATIENCE):
        """The first line that `matches`."""
        return wait_until(lambda: next((e for e in self.log() if matches(e)), None),
                          f"{what} in {self.log()[-10:]}", limit)

    def errors(self):
        try:
            return self.place.stderr.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    # -- the client side ---------------------------------------------------------------------------

    def client(self, **options):
        return Client(self.address, **options)

    def once(self, method="GET", target="/", fields=(), body=None, host="test.example"):
        return once(self.address, method, target, fields, body, host)

    def jar(self):
        return Jar(self.address)

    def untaken_bytes(self, client):
        """What the kernel holds of what the daemon has sent to that client."""
        return untaken_bytes(self.place.port, client.port)

    # -- its life ----------------------------------------------------------------------------------

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self, make_config=None, limit=PATIENCE):
        """Writes the file, sends SIGHUP and waits until the daemon says that it was done."""
        before = self.reloads()
        if make_config:
            self.write_config(make_config)
        self.signal(signal.SIGHUP)
        wait_until(lambda: self.reloads() > before, "the reload is done", limit)

    def reload_to_port(self, make_config):
        """Reloads with what `make_config(port)` makes of a port that was free, and returns that port."""
        while True:
            port, = free_ports(1)
            self.reload(make_config(port))
            if self.metrics().sum("limpet_config_last_reload_successful") == 1:
                return port
            assert f"127.0.0.1:{port}" in self.errors() and "in use" in self.errors(), self.errors()

    def reloads(self):
        return self.metrics().sum("limpet_config_reloads_total")

    def rss_bytes(self, field="VmRSS"):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise Skip(f"this system does not tell {field} of a process")

    def stop(self, limit=20.0):
        """SIGTERM; returns the exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else 0
        self.signal(signal.SIGTERM)
        return self.wait(limit)

    def wait(self, limit=20.0):
        try:
            return self.process.wait(seconds(limit))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("limpetd does not end") from None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def run_limpetd(*arguments, environment=None, limit=60.0):
    """Runs limpetd to its end, such as with --check."""
    return subprocess.run([LIMPETD, *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=seconds(limit),
                          env={**os.environ, **(environment or {})})
