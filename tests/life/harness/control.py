# SPDX-License-Identifier: Apache-2.0
"""limpetctl as users run it."""

import os
import subprocess

from harness.daemon import ROOT
from harness.deadline import seconds

LIMPETCTL = os.environ.get("LIMPETCTL", str(ROOT / "build" / "limpetctl"))


def limpetctl(daemon, *arguments, limit=60.0):
    """Runs one verb; returns what subprocess.run returns."""
    return raw(["--socket", daemon.place.socket, *arguments], limit)


def raw(arguments, limit=60.0):
    return subprocess.run([LIMPETCTL, *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=seconds(limit))


def succeed(daemon, *arguments):
    """Runs one verb that has to succeed; returns what it prints."""
    done = limpetctl(daemon, *arguments)
    assert done.returncode == 0, f"limpetctl {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout
