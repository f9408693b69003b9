# SPDX-License-Identifier: Apache-2.0
"""Traffic in the background: users with cookie jars who keep asking while a test changes the world."""

import threading

from harness.client import Client, Jar, request
from harness.deadline import seconds


class Load:
    """`users` threads, each with a jar and a connection for each request (or one kept connection).
    What they met is in `answers`, what failed in `failures`."""

    def __init__(self, daemon, users=6, keep_alive=False, target="/load"):
        self.address = daemon.address
        self.target = target
        self.keep_alive = keep_alive
        self.answers = [[] for _ in range(users)]
        self.failures = []
        self.jars = [Jar(daemon.address) for _ in range(users)]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(users)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(seconds(20))

    def total(self):
        return sum(len(answers) for answers in self.answers)

    def _run(self, number):
        client = Client(self.address) if self.keep_alive else None
        jar = self.jars[number]
        while not self._stop.is_set():
            try:
                response = self._ask(jar, client)
            except Exception as fault:  # each is a failed request
                self.failures.append(f"user {number}: {fault!r}")
                client = Client(self.address) if self.keep_alive else None
                continue
            self.answers[number].append(response.get("X-Replica"))
            if response.status != 200:
                self.failures.append(f"user {number}: {response}")
        if client:
            client.close()

    def _ask(self, jar, client):
        if client is None:
            return jar.get(self.target)
        fields = [("Cookie", "; ".join(f"{k}={v}" for k, v in jar.cookies.items()))] if jar.cookies else []
        client.send(request("GET", self.target, fields))
        response = client.response()
        jar.keep(response)
        return response
