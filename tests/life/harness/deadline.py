# SPDX-License-Identifier: Apache-2.0
"""Deadlines and conditions. Nothing here, and no test, sleeps and hopes."""

import os
import time

SLOW = float(os.environ.get("LIMPET_TEST_SLOW_FACTOR", "1"))
PATIENCE = 15.0  # seconds; what is waited for comes in milliseconds, but on a busy machine nothing is sure to


class Skip(Exception):
    """Raised by a test that cannot say anything here; the text says why."""


def seconds(normal):
    """A deadline of so many seconds, stretched for builds that run slowly."""
    return normal * SLOW


def wait_until(condition, what, limit=PATIENCE):
    """Asks until `condition()` is truthy and returns that; fails with `what` at the deadline."""
    end = time.monotonic() + seconds(limit)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds(limit):g} s: {what}")
        time.sleep(0.01)


def stays(condition, what, during=0.3):
    """Holds only while `condition()` stays truthy for a while; for what must not happen."""
    end = time.monotonic() + during
    while time.monotonic() < end:
        if not condition():
            raise AssertionError(f"no longer: {what}")
        time.sleep(0.01)
