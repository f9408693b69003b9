#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures limpet beside its peers and beside a relay that parses nothing. See README.md."""

import argparse
import datetime
import json
import os
import platform
import shlex
import signal
import subprocess
import sys

import contenders
import mcp
import report
import workloads
from build import build
from measure import Bench
from processes import LOAD_CORE, PROXY_CORE, Failure

MEASUREMENTS = ("run", "syscalls", "instructions", "memory")
REPETITIONS = {"run": 7, "syscalls": 1, "instructions": 1, "memory": 1}
ALL_CONTENDERS = ",".join(contenders.KINDS)
BUSY = 1.0  # load average above which the figures are doubtful


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", nargs="?", default="run",
                        choices=(*MEASUREMENTS, "mcp", "all", "list", "report"))
    parser.add_argument("files", nargs="*", help="report: files that -o wrote")
    parser.add_argument("-w", "--workloads", default="", help="comma-separated; see `list`")
    parser.add_argument("-c", "--contenders", default=ALL_CONTENDERS,
                        help="comma-separated, NAME or NAME=PROGRAM (default: %(default)s)")
    parser.add_argument("-r", "--repetitions", type=int,
                        help="interleaved (default: run 7, the counting commands 1)")
    parser.add_argument("--scale", type=float, default=1.0, help="of each workload's amount")
    parser.add_argument("-o", "--output", help="write all figures to this file, as JSON")
    options = parser.parse_args()
    if options.files and options.command != "report":
        parser.error("only `report` takes files")
    return options


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    kernel = ".".join(platform.release().split(".")[:2])
    return f"{model}, {os.cpu_count()} cores, Linux {kernel}"


def repeat(options):
    """The command line that makes the same figures again."""
    words = ["tests/bench/run.py", options.command]
    for name, usual in (("workloads", ""), ("contenders", ALL_CONTENDERS), ("repetitions", None),
                        ("scale", 1.0)):
        value = getattr(options, name)
        if value != usual:
            words += [f"--{name}", str(value)]
    return shlex.join(words)


def say(text):
    print(text, file=sys.stderr, flush=True)


def present(chosen, record):
    """The contenders that are there, their versions noted; the others are named."""
    there = []
    for contender in chosen:
        if contender.path:
            record["versions"][contender.name] = contender.version()
            there.append(contender)
        else:
            record["notes"].append(f"{contender.name} is not installed or not built: left out")
            say(record["notes"][-1])
    return there


def measure(bench, command, chosen, options, record):
    """All figures of one command, repetition by repetition, each starting with another proxy."""
    call = getattr(bench, "cpu" if command == "run" else command)
    repetitions = options.repetitions or REPETITIONS[command]
    dead = set()
    for repetition in range(repetitions):
        for workload in workloads.choose(command, options.workloads):
            first = repetition % len(chosen)
            for contender in chosen[first:] + chosen[:first]:
                place = f"{command}, {workload.name}, {contender.name}"
                if place in dead:
                    continue
                if contender.lacks(workload):
                    dead.add(place)
                    record["notes"].append(f"{workload.name}: left out {contender.name}, which "
                                           f"cannot do {contender.lacks(workload)}")
                    continue
                try:
                    figure = call(contender, workload, options.scale)
                except Failure as failure:
                    dead.add(place)
                    record["failures"].append(f"{place}: {failure}")
                    say(f"  {record['failures'][-1]}")
                    continue
                record["figures"].append({
                    "command": command, "workload": workload.name, "contender": contender.name,
                    "repetition": repetition, **figure})
                say(f"  {repetition + 1}/{repetitions} {place}: {figure['value']:.2f}")


def in_given_order(record, chosen):
    order = [contender.name for contender in chosen]
    record["figures"].sort(key=lambda figure: order.index(figure["contender"]))


def save(record, path):
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)


def bench_all(options):
    build()
    chosen = contenders.choose(options.contenders)
    commands = MEASUREMENTS if options.command == "all" else (options.command,)
    mcp_parts = mcp.choose(options)
    tables = [command for command in commands if command != "mcp"]
    for command in tables:
        workloads.choose(command, options.workloads)  # says now what it does not know
    record = {"date": datetime.date.today().isoformat(), "machine": machine(),
              "repeat": repeat(options), "versions": {}, "notes": [], "failures": [],
              "figures": [], "mcp": [], "lines": []}
    there = present(chosen, record)
    if PROXY_CORE == LOAD_CORE:
        say("only one core: the proxy and the load share it, and the figures say little")
    if os.getloadavg()[0] > BUSY:
        say(f"the machine is busy (load {os.getloadavg()[0]:.1f}): trust the ratios, and not far")
    try:
        with Bench() as bench:
            for command in tables if there else ():
                measure(bench, command, there, options, record)
            mcp.measure(bench, mcp_parts, there, options, record)
    except KeyboardInterrupt:
        record["failures"].append("interrupted: the figures so far")
    in_given_order(record, there)
    print("\n" + report.show(record))
    save(record, options.output)
    return 1 if record["failures"] or report.troubles(record) else 0


def show_files(paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            print(report.show(json.load(file)) + "\n")
    return 0


def show_list():
    for workload in workloads.ALL.values():
        commands = [name for name, own in workloads.BY_COMMAND.items() if workload.name in own]
        print(f"{workload.name:18}{workload.about}, per {workload.unit}"
              f" ({', '.join(commands) or 'only by -w'})")
    for group, members in workloads.GROUPS.items():
        print(f"{group:18}all of {', '.join(members)}")
    for part, (about, *_) in mcp.PARTS.items():
        print(f"{part:18}{about} (mcp)")
    print("contenders:", ", ".join(contenders.KINDS))
    return 0


def on_terminate(*_):
    raise KeyboardInterrupt


def on_alarm(*_):
    raise Failure("the load did not end in time")


def main():
    signal.signal(signal.SIGTERM, on_terminate)
    signal.signal(signal.SIGALRM, on_alarm)
    options = arguments()
    try:
        if options.command == "list":
            return show_list()
        if options.command == "report":
            return show_files(options.files)
        return bench_all(options)
    except (ValueError, OSError, subprocess.CalledProcessError) as error:
        say(f"bench: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
