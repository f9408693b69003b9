# SPDX-License-Identifier: Apache-2.0
"""What one test is given: it makes replicas and daemons, and cleans up after the test."""

import tempfile

from harness import config
from harness.daemon import Daemon, Place
from harness.replica import Replica, say_who


class Life:
    def __init__(self):
        # The path of a socket has room for about a hundred bytes.
        home = tempfile.gettempdir() if len(tempfile.gettempdir()) <= 40 else "/tmp"
        self._directory = tempfile.TemporaryDirectory(prefix="limpet-life-", dir=home)
        self.dir = self._directory.name
        self.daemons = []
        self.replicas = []
        self.witnesses = []  # further texts for a failed test: functions

    def replica(self, id="a", handle=say_who, **options):
        made = Replica(id, handle, **options)
        self.replicas.append(made)
        return made

    def some(self, *ids, handle=say_who):
        return [self.replica(id, handle) for id in ids]

    def place(self, name=None):
        return Place(f"{self.dir}/{name or 'limpet' + str(len(self.daemons))}")

    def prepare(self, make_config, place=None, environment=None):
        """A daemon that is not started yet."""
        made = Daemon(place or self.place(), make_config, environment)
        self.daemons.append(made)
        return made

    def daemon(self, replicas=(), *, place=None, environment=None, **options):
        """A started daemon with one pool, web. Options of config.pool() and config.whole() mix:
        names that whole() knows go there, the rest are tables and keys of the pool."""
        return self.prepare(shaped(replicas, **options), place, environment).start()

    def close(self):
        for daemon in self.daemons:
            daemon.kill()
        for replica in self.replicas:
            replica.close()
        self._directory.cleanup()

    def evidence(self):
        """What the daemons and replicas said, for a test that failed."""
        text = ""
        for number, daemon in enumerate(self.daemons):
            code = daemon.process.poll() if daemon.process else None
            state = "was running" if code is None else f"ended with {code}"
            if code is None:
                _let_it_finish_writing(daemon)
            text += f"--- limpetd {number} ({state}) said:\n{daemon.errors()[-6000:]}"
            text += "--- its access log ends:\n" + "".join(f"{line}\n" for line in _tail(daemon))
        for replica in self.replicas:
            for failure in replica.failures:
                text += f"--- replica {replica.id} failed: {failure}\n"
        return text + "".join(witness() for witness in self.witnesses)


def _let_it_finish_writing(daemon):
    try:
        daemon.stop(limit=3)
    except AssertionError:
        pass


def _tail(daemon):
    try:
        lines = daemon.place.access_log.read_text().splitlines()
    except OSError:
        return []
    odd = [line for line in lines[:-5] if '"status":5' in line or '"status":0' in line]
    return odd[:10] + lines[-5:]


WHOLE = {"daemon", "listener", "routes", "limits", "timeouts", "keys", "access_log", "workers", "more"}


def shaped(replicas, pool_keys='preset = "web"', pool_timeouts=None, **options):
    """make_config for Daemon: one pool, web, over `replicas`."""
    for_whole = {key: value for key, value in options.items() if key in WHOLE}
    for_pool = {key: value for key, value in options.items() if key not in WHOLE}
    if pool_timeouts:
        for_pool["timeouts"] = pool_timeouts
    return lambda place: config.whole(
        place, config.pool("web", replicas, pool_keys, **for_pool), **for_whole)
