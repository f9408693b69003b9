# SPDX-License-Identifier: Apache-2.0
"""MCP sessions through limpet: what a call costs, what a dead replica costs, and how soon new
replicas carry their share. Nobody else keeps MCP sessions, so limpet is alone here."""

import contextlib
import glob
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import types

from contenders import BUILD, Limpet
from measure import CALLGRIND, read_callgrind, tail
from processes import LOAD_CORE, PROXY_CORE, Failure, cpu_ns, free_port, wait_until

CALLS, CALL_SESSIONS, WARM_ROUNDS, COST_REPETITIONS = 40000, 64, 20, 7
TRACED_CALLS, TRACED_WARM_ROUNDS = 6000, 4      # under callgrind
SESSIONS, REPLICAS, CLIENTS = 10000, 10, 500    # carry-over
CHURN_SESSIONS, LIFE_S = 2000, 4.0              # scale-out
REPLICAS_BEFORE, WATCHED_LIVES = 2, 2.0
SETTLING_LIVES = 1.5                            # of churn before the scale-out
ANSWER_SECONDS_MAX = 300
EVEN = 1.10                                     # max/mean live sessions, the goal


def configuration(limpet, settings):
    """At /mcp all that limpet does for MCP; at /plain the same replicas, sticky by cookie."""
    return limpet.frame(settings) + f"""
[[route]]
path = "/mcp"
pool = "app"

[[route]]
path = "/plain"
pool = "plain"

[pool.app]
preset = "mcp"

[pool.app.balance]
slow_start = "off"

[pool.app.mcp]
carry_over = "compatible"
{limpet.replicas("app", settings.replica_ports)}

[pool.plain]
preset = "web"

[pool.plain.affinity]
from = ["cookie"]
{limpet.replicas("plain", settings.replica_ports)}
"""


class Party:
    """A program that obeys lines: each command's answer is some lines of JSON."""

    def __init__(self, process, answer_lines):
        self.process = process
        self.answer_lines = answer_lines

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self):
        signal.alarm(ANSWER_SECONDS_MAX)
        try:
            lines = [self.process.stdout.readline() for _ in range(self.answer_lines)]
        finally:
            signal.alarm(0)
        if not lines[-1]:
            raise Failure("a program of the bench ended")
        return [json.loads(line) for line in lines]

    def ask(self, command):
        self.tell(command)
        return self.answer()


class Stage:
    """limpet, its replicas and its clients; a context manager."""

    def __init__(self, bench, limpet):
        self.bench = bench
        self.limpet = limpet
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    def start(self, command, answer_lines):
        process = self.bench.processes.start(
            [str(word) for word in command], LOAD_CORE, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.stack.callback(self.bench.processes.stop, process)
        return Party(process, answer_lines)

    def raise_curtain(self, replicas, connections, present=None, prefix=()):
        """Starts it all; limpet knows the first `present` replicas, or all; `prefix` is the
        command line of a tool that limpet runs in."""
        self.replicas = self.start([BUILD + "/replica_mcp", replicas], 1)
        self.ports = [int(port) for port in self.replicas.process.stdout.readline().split()]
        folder = tempfile.mkdtemp(prefix="mcp-", dir=self.bench.scratch)
        self.settings = types.SimpleNamespace(
            listen_port=free_port(), replica_ports=self.ports[:present], port=free_port,
            folder=folder, is_tls=False, is_h2=False)
        self.configure()
        with open(folder + "/output", "wb") as output:
            self.proxy = self.bench.processes.start(
                [*prefix, *self.limpet.command(self.settings)], PROXY_CORE, cwd=folder,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.stack.callback(self.bench.processes.stop, self.proxy)
        wait_until(lambda: self.proxy.poll() is not None or is_open(self.settings.listen_port),
                   60 if prefix else 10, "limpet answers")
        if self.proxy.poll() is not None:
            raise Failure(f"ended with {self.proxy.returncode}: {tail(folder + '/output')}")
        self.load = self.start([BUILD + "/load_mcp", self.settings.listen_port, connections], 2)

    def configure(self):
        with open(self.settings.folder + "/config", "w", encoding="utf-8") as file:
            file.write(configuration(self.limpet, self.settings))

    def run(self, command):
        """What the clients counted: of the command, and of its answers."""
        about, tally = self.load.ask(command)
        return {**about, **tally}

    def live(self):
        """The live sessions by replica."""
        return [each["sessions"] for each in self.replicas.ask("counts")[0]]


def is_open(port):
    """Whether somebody answers HTTP there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/nothing")
        return connection.getresponse().status == 404
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def must_be_clean(result, what):
    if result["errors"] or result["refused"] or result["moved"]:
        raise Failure(f"{what}: {result['errors']} broken, refused {result['refused']}, "
                      f"{result['moved']} moved")


def call_cost(bench, limpet, kind, scale):
    """Microseconds of processor time per call, of a fresh limpet with 64 sessions."""
    with Stage(bench, limpet) as stage:
        stage.raise_curtain(4, CALL_SESSIONS)
        must_be_clean(stage.run(f"{kind} {CALL_SESSIONS}"), "opening sessions")
        stage.run(f"call {CALL_SESSIONS * WARM_ROUNDS}")
        before = cpu_ns(stage.proxy.pid)
        result = stage.run(f"call {max(CALL_SESSIONS, round(CALLS * scale))}")
        spent = cpu_ns(stage.proxy.pid) - before
    must_be_clean(result, "calls")
    return spent / 1000 / result["done"]


def instructions(bench, limpet, kind, calls):
    """All user-space instructions of a limpet whose 64 sessions made so many calls."""
    with Stage(bench, limpet) as stage:
        stage.raise_curtain(4, CALL_SESSIONS, prefix=CALLGRIND)
        must_be_clean(stage.run(f"{kind} {CALL_SESSIONS}"), "opening sessions")
        must_be_clean(stage.run(f"call {CALL_SESSIONS * TRACED_WARM_ROUNDS + calls}"), "calls")
        bench.processes.stop(stage.proxy, patience=60)
        total = sum(map(read_callgrind, glob.glob(stage.settings.folder + "/profile.*")))
    if not total:
        raise Failure("callgrind left no count")
    return total


def call_instructions(bench, limpet, kind, scale):
    """User-space instructions per call: a long run less a short one."""
    calls = max(CALL_SESSIONS, round(TRACED_CALLS * scale))
    few = instructions(bench, limpet, kind, calls // 4)
    return (instructions(bench, limpet, kind, calls) - few) / (calls - calls // 4)


def measure_instructions(bench, limpet, options):
    """The same pair, counted by callgrind: hardly depends on the machine and its other work."""
    if not shutil.which("valgrind"):
        raise Failure("there is no valgrind")
    repetitions = options.repetitions or 1
    pairs = [tuple(call_instructions(bench, limpet, kind, options.scale)
                   for kind in ("open-plain", "open")) for _ in range(repetitions)]
    ratios = [mcp / plain for plain, mcp in pairs]
    return {"plain": statistics.median(pair[0] for pair in pairs),
            "mcp": statistics.median(pair[1] for pair in pairs),
            "ratio": statistics.median(ratios), "ratio_min": min(ratios),
            "ratio_max": max(ratios), "repetitions": repetitions}


def measure_cost(bench, limpet, options):
    """An MCP tools/call beside a plain sticky POST of the same size."""
    pairs = []
    repetitions = options.repetitions or COST_REPETITIONS
    for repetition in range(repetitions):
        kinds = ["open-plain", "open"]
        costs = {kind: call_cost(bench, limpet, kind, options.scale)
                 for kind in (kinds if repetition % 2 == 0 else reversed(kinds))}
        pairs.append((costs["open-plain"], costs["open"]))
    ratios = [mcp / plain for plain, mcp in pairs]
    return {"plain_us": statistics.median(pair[0] for pair in pairs),
            "mcp_us": statistics.median(pair[1] for pair in pairs),
            "ratio": statistics.median(ratios), "ratio_min": min(ratios),
            "ratio_max": max(ratios), "repetitions": repetitions}


def measure_carry_over(bench, limpet, options):
    """One of ten replicas dies under 10,000 sessions, and every session calls once."""
    sessions = max(REPLICAS, round(SESSIONS * options.scale))
    with Stage(bench, limpet) as stage:
        stage.raise_curtain(REPLICAS, CLIENTS)
        must_be_clean(stage.run(f"open {sessions}"), "opening sessions")
        quiet = stage.run(f"call {sessions}")
        must_be_clean(quiet, "calls before the death")
        lost = stage.live()[0]
        stage.replicas.ask("reset")
        stage.replicas.ask("kill 0")
        after = stage.run(f"call {sessions}")
        counts = stage.replicas.ask("counts")[0][1:]
        again = stage.run(f"call {sessions}")
    live = [each["sessions"] for each in counts]
    return {"sessions": sessions, "replicas": REPLICAS, "clients": CLIENTS, "lost": lost,
            "carried": after["moved"], "refused": after["refused"], "broken": after["errors"],
            "seconds": after["moved_seconds"], "call_p50_us": after["p50_us"],
            "call_p99_us": after["p99_us"], "quiet_p99_us": quiet["p99_us"],
            "peak_initializes": max(each["peak_initializes"] for each in counts),
            "peak_requests": max(each["peak_requests"] for each in counts),
            "max_over_mean": max(live) / max(1, statistics.mean(live)),
            "refused_later": again["refused"], "broken_later": again["errors"]}


def measure_scale_out(bench, limpet, options):
    """max/mean of the live sessions by replica while two replicas become ten."""
    sessions = max(REPLICAS * 10, round(CHURN_SESSIONS * options.scale))
    with Stage(bench, limpet) as stage:
        stage.raise_curtain(REPLICAS, CALL_SESSIONS, REPLICAS_BEFORE)
        must_be_clean(stage.run(f"open {sessions}"), "opening sessions")
        stage.load.tell(f"churn {(SETTLING_LIVES + WATCHED_LIVES) * LIFE_S} {LIFE_S}")
        time.sleep(SETTLING_LIVES * LIFE_S)
        stage.settings.replica_ports = stage.ports
        stage.configure()
        os.kill(stage.proxy.pid, signal.SIGHUP)
        began = time.monotonic()
        curve = []
        while (lives := (time.monotonic() - began) / LIFE_S) < WATCHED_LIVES - 0.05:
            live = stage.live()
            curve.append((lives, max(live) / max(1, statistics.mean(live))))
            time.sleep(LIFE_S / 100)
        about, tally = stage.load.answer()
    even = [lives for i, (lives, _) in enumerate(curve)
            if all(ratio <= EVEN for _, ratio in curve[i:])]
    return {"sessions": sessions, "life_s": LIFE_S, "curve": curve,
            "even_after_lives": even[0] if even else None,
            "refused": about["refused"], "broken": tally["errors"]}


def at(curve, lives):
    """max/mean at a time, the median of what was seen around it."""
    near = [ratio for when, ratio in curve if abs(when - lives) <= 0.03]
    return statistics.median(near) if near else float("nan")


# Each returns lines to read, and what went wrong.

def lines_of_cost(name, figure):
    return [f"{name}: a tools/call costs {figure['mcp_us']:.1f} µs of processor time, a plain "
            f"sticky POST of the same size {figure['plain_us']:.1f} µs: "
            f"× **{figure['ratio']:.2f}** "
            f"({figure['ratio_min']:.2f}-{figure['ratio_max']:.2f} in {figure['repetitions']} "
            f"repetitions; goal 1.15)"], []


def lines_of_instructions(name, figure):
    return [f"{name}: a tools/call takes {figure['mcp']:,.0f} user-space instructions, a plain "
            f"sticky POST of the same size {figure['plain']:,.0f}: × **{figure['ratio']:.2f}** "
            f"({figure['ratio_min']:.2f}-{figure['ratio_max']:.2f} in {figure['repetitions']} "
            f"repetitions)"], []


def lines_of_carry_over(name, figure):
    refused = sum(figure["refused"].values())
    lines = [f"{name}: one of {figure['replicas']} replicas dies under {figure['sessions']:,} "
             f"sessions ({figure['clients']} connections, every session calls once): of its "
             f"{figure['lost']:,} sessions {figure['carried']:,} carried over within "
             f"**{figure['seconds']:.2f} s**; {refused} calls refused {figure['refused'] or ''}, "
             f"{figure['broken']} broken",
             f"{name}: peak load on a remaining replica {figure['peak_initializes']:,} initialize "
             f"calls and {figure['peak_requests']:,} requests in 100 ms; live sessions afterwards "
             f"max/mean {figure['max_over_mean']:.2f}; "
             f"calls p99 {figure['call_p99_us'] / 1000:.1f} ms "
             f"(before the death {figure['quiet_p99_us'] / 1000:.1f} ms)"]
    later = sum(figure["refused_later"].values()) + figure["broken_later"]
    return lines, [f"carry-over, {name}: {later} calls failed in the round after"] * bool(later)


def lines_of_scale_out(name, figure):
    curve = figure["curve"]
    steps = ", ".join(f"{at(curve, lives):.2f} after {lives:g}"
                      for lives in (0.25, 0.5, 0.75, 1, 1.5))
    even = figure["even_after_lives"]
    lines = [f"{name}: 2 replicas become 10 under churn of {figure['sessions']:,} sessions "
             f"(they live {figure['life_s']:g} s ± 50 %): live sessions max/mean {steps} mean "
             f"lives; "
             + (f"at most {EVEN:.2f} from **{even:.2f}** on" if even is not None
                else f"never at most {EVEN:.2f} for good")]
    refused = sum(figure["refused"].values()) + figure["broken"]
    return lines, [f"scale-out, {name}: {refused} requests failed under churn"] * bool(refused)


PARTS = {
    "call": ("a tools/call beside a plain sticky POST of the same size",
             measure_cost, lines_of_cost),
    "call-instructions": ("the same, in user-space instructions",
                          measure_instructions, lines_of_instructions),
    "carry-over": (f"one of {REPLICAS} replicas dies under {SESSIONS:,} sessions",
                   measure_carry_over, lines_of_carry_over),
    "scale-out": (f"{REPLICAS_BEFORE} replicas become {REPLICAS} under churn",
                  measure_scale_out, lines_of_scale_out),
}


def choose(options):
    """The parts that a command line asks for."""
    if options.command != "mcp":
        return list(PARTS) if options.command == "all" and not options.workloads else []
    chosen = options.workloads.split(",") if options.workloads else list(PARTS)
    for part in chosen:
        if part not in PARTS:
            raise ValueError(f"mcp has no part {part}; there are {', '.join(PARTS)}")
    return chosen


def measure(bench, parts, chosen, options, record):
    """These parts for every limpet among the contenders: figures and lines into the record."""
    for limpet in (each for each in chosen if isinstance(each, Limpet)):
        for part in parts:
            _, call, lines_of = PARTS[part]
            try:
                figure = call(bench, limpet, options)
            except Failure as failure:
                record["failures"].append(f"mcp, {part}, {limpet.name}: {failure}")
                print(f"  {record['failures'][-1]}", file=sys.stderr, flush=True)
                continue
            record["mcp"].append({"part": part, "contender": limpet.name, **figure})
            lines, wrong = lines_of(limpet.name, figure)
            record["lines"] += lines
            record["failures"] += wrong
            for line in lines + wrong:
                print(f"  {line}", file=sys.stderr, flush=True)
