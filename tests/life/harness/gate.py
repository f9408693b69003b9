# SPDX-License-Identifier: Apache-2.0
"""Requests that are answered when a test says so."""

import contextlib
import threading

from harness.deadline import PATIENCE, seconds
from harness.h2 import H2Client
from harness.replica import say_who


class Gate:
    """A handler that answers what begins with `path` only when it is opened; the rest at once."""

    def __init__(self, path="/slow"):
        self.path = path
        self.open = threading.Event()
        self.running = self.most = 0  # such requests at the moment, and at most at once
        self.lock = threading.Lock()

    def __call__(self, peer, request):
        if request.target.startswith(self.path):
            with self.lock:
                self.running += 1
                self.most = max(self.most, self.running)
            try:
                assert self.open.wait(seconds(60))
            finally:
                with self.lock:
                    self.running -= 1
        say_who(peer, request)


class Asking(threading.Thread):
    """A request that somebody waits for in the background: `ask()` makes it and returns the answer."""

    def __init__(self, ask):
        super().__init__(daemon=True)
        self._ask = ask
        self._answer = self._fault = None
        self.start()

    def run(self):
        try:
            self._answer = self._ask()
        except Exception as fault:  # told to whom it concerns
            self._fault = fault

    def answer(self):
        self.join(seconds(PATIENCE))
        if self._fault:
            raise self._fault
        assert self._answer is not None, "no answer comes"
        return self._answer


class SlowStream:
    """An HTTP/2 client in the middle of a request for /slow."""

    def __init__(self, life, gate, **options):
        self.gate = gate
        self.replica = life.replica(handle=gate)
        self.daemon = life.daemon([self.replica], **options)
        self.client = self.stream = None

    def begin(self, client):
        self.client, self.stream = client, client.begin("GET", "/slow")
        self.replica.wait_for_requests(1)


@contextlib.contextmanager
def slow_stream(life, **options):
    """`options` are those of life.daemon(). The gate is opened at the end in any case."""
    gate = Gate()
    made = SlowStream(life, gate, **options)
    try:
        with H2Client(made.daemon.address) as client:
            made.begin(client)
            yield made
    finally:
        gate.open.set()


__all__ = ["Asking", "Gate", "slow_stream"]
