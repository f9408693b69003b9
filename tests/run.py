#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the test suites, shows their output as it comes, and adds them up.

    tests/run.py [unit] [life] [e2e]

The last line is `N passed, N failed, N skipped` over all suites; the exit code is 1 when anything failed.
A suite that ends badly, or without its own count, is one failure more. ONLY in the environment chooses tests by name."""

import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COUNT = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
DOCTEST = re.compile(r"^\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def command(suite):
    only = os.environ.get("ONLY", "")
    if suite == "unit":
        program = os.environ.get("UNIT_TESTS", os.path.join(ROOT, "build", "unit_tests"))
        return [program] + ([f"--test-case={only}"] if only else [])
    if suite == "life":
        return [sys.executable, "tests/life/run.py"] + (["--only", only] if only else [])
    if suite == "e2e":
        return ["node", "tests/e2e/run.mjs"] + (["--only", only] if only else [])
    sys.exit(f"tests/run.py: no suite '{suite}'; there are unit, life and e2e")


def run(suite):
    """One suite: (passed, failed, skipped)."""
    words = command(suite)
    print(f"== {suite}", flush=True)
    count = None
    try:
        process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, errors="replace", bufsize=1)
    except OSError as error:
        print(f"{suite}: cannot start {words[0]}: {error.strerror}", flush=True)
        return (0, 1, 0)
    with process:
        for line in process.stdout:
            bare = COLOUR.sub("", line).rstrip()
            found = COUNT.match(bare) or DOCTEST.match(bare)
            if found:
                count = tuple(int(number) for number in found.groups())
            elif not bare.startswith("[doctest] "):
                print(line, end="", flush=True)
    if count is None:
        print(f"{suite}: ended without a count (exit code {process.returncode})", flush=True)
        return (0, 1, 0)
    passed, failed, skipped = count
    if process.returncode != 0 and failed == 0:
        print(f"{suite}: exit code {process.returncode} although no test failed", flush=True)
        failed = 1
    return (passed, failed, skipped)


def main():
    suites = sys.argv[1:] or ["unit", "life", "e2e"]
    for suite in suites:
        command(suite)  # an unknown name is told before anything runs
    rows = []
    for suite in suites:
        begin = time.monotonic()
        try:
            rows.append((suite, run(suite), time.monotonic() - begin))
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            return 130
    print("==")
    for suite, (passed, failed, skipped), seconds in rows:
        print(f"{suite:5} {passed:5} passed {failed:4} failed {skipped:4} skipped {seconds:7.1f} s")
    total = [sum(row[1][i] for row in rows) for i in range(3)]
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped", flush=True)
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
