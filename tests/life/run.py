#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of the living daemon: every function test_… of every *_test.py beside this file.

    run.py [--only SUBSTRING] [--list] [--jobs N]

LIMPETD and LIMPETCTL name other programs than build/limpetd and build/limpetctl;
LIMPET_TEST_SLOW_FACTOR stretches deadlines. Closes with "N passed, N failed, N skipped".
"""

import argparse
import importlib.util
import os
import pathlib
import subprocess
import sys
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
TEST_LIMIT_SECONDS = 120  # no test of ours needs so long; a file gets it for each of its tests


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tests_of(path, only):
    module = load(path)
    found = [(name[5:], value) for name, value in vars(module).items() if name.startswith("test_")]
    label = path.stem.removesuffix("_test")
    return [(f"{label}: {name}", test) for name, test in found if only in f"{label}: {name}"]


def run_file(path, only):
    """Runs the tests of one file in this process; one line a test."""
    from harness.deadline import Skip
    from harness.life import Life
    for name, test in tests_of(path, only):
        life = Life()
        began = time.monotonic()
        try:
            test(life)
            took = time.monotonic() - began
            print(f"ok    {name}  ({took:.1f} s)", flush=True)
        except Skip as reason:
            print(f"skip  {name}  ({reason})", flush=True)
        except Exception:
            text = traceback.format_exc() + life.evidence()
            indented = "".join(f"      | {line}\n" for line in text.splitlines())
            print(f"FAIL  {name}\n{indented}", end="", flush=True)
        finally:
            life.close()
    # Threads of replicas may still wait for bytes; the process does not wait for them.
    sys.stdout.flush()
    os._exit(0)


class Tally:
    """Prints the lines of the files as they come and counts them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {"ok": 0, "FAIL": 0, "skip": 0}

    def run(self, path, only, expected):
        command = [sys.executable, str(HERE / "run.py"), "--file", str(path), "--only", only]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        from harness.deadline import SLOW
        watchdog = threading.Timer(TEST_LIMIT_SECONDS * SLOW * max(1, expected), process.kill)
        watchdog.start()
        seen = 0
        for line in process.stdout:
            word = line.split(" ", 1)[0]
            with self.lock:
                if word in self.counts:
                    self.counts[word] += 1
                    seen += 1
                print(line, end="", flush=True)
        process.wait()
        watchdog.cancel()
        if seen < expected:
            with self.lock:
                self.counts["FAIL"] += expected - seen
                print(f"FAIL  {path.name}: {expected - seen} tests did not report", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", metavar="SUBSTRING")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.file:
        run_file(pathlib.Path(options.file), options.only)
    paths = [path for path in sorted(HERE.glob("*_test.py"))]
    plan = [(path, [name for name, _ in tests_of(path, options.only)]) for path in paths]
    plan = [(path, names) for path, names in plan if names]
    if options.list:
        for _, names in plan:
            print("\n".join(names))
        return 0
    if not plan:
        print(f"no test is named like {options.only!r}", file=sys.stderr)
        return 1

    tally = Tally()
    waiting = list(plan)

    def work():
        while True:
            with tally.lock:
                if not waiting:
                    return
                path, names = waiting.pop(0)
            tally.run(path, options.only, len(names))

    workers = [threading.Thread(target=work) for _ in range(max(1, options.jobs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    counts = tally.counts
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
