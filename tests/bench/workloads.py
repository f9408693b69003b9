# SPDX-License-Identifier: Apache-2.0
"""What is measured: the load's arguments, how much of it, and the unit of the result."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    about: str
    unit: str              # what is counted: the divisor of every figure
    arguments: tuple       # of the load generator
    amount: float          # requests; of streams the seconds; of idle ones the connections
    traced_amount: float   # the same under strace and callgrind, which slow the proxy
    is_sticky: bool = False

    @property
    def is_stream(self):
        return self.unit == "event"

    @property
    def is_idle(self):
        return self.unit in ("connection", "stream")

    def load_arguments(self, amount):
        """The load generator's arguments for so much of this workload."""
        if self.is_idle:
            return [*self.arguments, "--connections", str(max(1, round(amount)))]
        if self.is_stream:
            return [*self.arguments, "--seconds", f"{amount:.3f}"]
        return [*self.arguments, "--requests", str(max(1, round(amount)))]


def small(connections, *more):
    return ("--path", "/128", "--connections", str(connections), *more)


ALL = {workload.name: workload for workload in (
    Workload("keepalive", "128 B, 64 keep-alive connections", "request",
             small(64, "--warm", "20"), 40000, 4000),
    Workload("sticky", "the same with a session cookie each", "request",
             small(64, "--warm", "20", "--cookies"), 40000, 4000, is_sticky=True),
    Workload("many", "128 B, 1,000 keep-alive connections", "request",
             small(1000, "--warm", "3"), 40000, 4000),
    Workload("large", "1 MiB responses, 16 connections", "MiB",
             ("--path", "/b/1048576", "--connections", "16", "--warm", "3"), 1000, 100),
    Workload("streams", "1,000 SSE streams, 200 B each 100 ms", "event",
             ("--path", "/sse?interval=100&size=200", "--connections", "1000"), 2, 2),
    Workload("idle", "keep-alive connections after a request", "connection",
             ("--path", "/128"), 4000, 4000),
    Workload("idle-sticky", "the same with a session cookie each", "connection",
             ("--path", "/128", "--cookies"), 4000, 4000, is_sticky=True),
    Workload("idle-streams", "SSE streams after an event", "stream",
             ("--path", "/sse?interval=0"), 4000, 4000),
)}

BY_COMMAND = {
    "run": ["keepalive", "sticky", "large", "streams"],
    "syscalls": ["keepalive", "sticky"],
    "instructions": ["keepalive", "sticky"],
    "memory": ["idle", "idle-sticky", "idle-streams"],
}


def choose(command, names):
    """The workloads of a comma-separated list, or the command's own; only those that fit it."""
    chosen = names.split(",") if names else BY_COMMAND[command]
    for name in chosen:
        if name not in ALL:
            raise ValueError(f"unknown workload {name}; there are {', '.join(ALL)}")
    return [ALL[name] for name in chosen if ALL[name].is_idle == (command == "memory")]
