# SPDX-License-Identifier: Apache-2.0
"""What is measured: the load's arguments, how much of it, and the unit of the result."""

import dataclasses
import resource

SPARE_DESCRIPTORS = 800  # of a proxy, beside two per idle connection
IDLE = min(10000, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE_DESCRIPTORS) // 2)


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    about: str
    unit: str              # what is counted: the divisor of every figure
    arguments: tuple       # of the load generator
    amount: float          # requests; of streams the seconds; of idle ones the connections
    traced_amount: float   # the same under strace and callgrind, which slow the proxy
    is_sticky: bool = False
    client: str = "http1"    # what the clients speak: http1 or http2 (and nothing else)
    replicas: str = "http1"  # what the replicas speak: http1, or http2 with prior knowledge
    is_tls: bool = False     # TLS 1.3 on the clients' side

    @property
    def is_stream(self):
        return "/sse" in " ".join(self.arguments)

    @property
    def is_idle(self):
        return self.unit in ("connection", "stream")

    @property
    def is_handshake(self):
        return self.unit == "handshake"

    @property
    def is_resumed(self):
        return "--resume" in self.arguments

    def load_arguments(self, amount):
        """The load generator's arguments for so much of this workload."""
        arguments = [*self.arguments, *(["--tls"] if self.is_tls else [])]
        if self.is_idle:
            return [*arguments, "--connections", str(max(1, round(amount)))]
        if self.is_stream:
            return [*arguments, "--seconds", f"{amount:.3f}"]
        return [*arguments, "--requests", str(max(1, round(amount)))]


def small(connections, *more):
    return ("--path", "/128", "--connections", str(connections), *more)


SMALL_H2 = small(10, "--streams", "32", "--warm", "96")
MIB = ("--path", "/b/1048576")

ALL = {workload.name: workload for workload in (
    Workload("keepalive", "128 B, 64 keep-alive connections", "request",
             small(64, "--warm", "20"), 40000, 4000),
    Workload("sticky", "the same with a session cookie each", "request",
             small(64, "--warm", "20", "--cookies"), 40000, 4000, is_sticky=True),
    Workload("many", "128 B, 1,000 keep-alive connections", "request",
             small(1000, "--warm", "3"), 40000, 4000),
    Workload("large", "1 MiB responses, 16 connections", "MiB",
             (*MIB, "--connections", "16", "--warm", "3"), 1000, 100),
    Workload("streams", "1,000 SSE streams, 200 B each 100 ms", "event",
             ("--path", "/sse?interval=100&size=200", "--connections", "1000"), 2, 2),

    Workload("h2c", "HTTP/2 in clear to HTTP/1: 128 B, 10 connections x 32 streams", "request",
             SMALL_H2, 40000, 8000, client="http2"),
    Workload("tls-h2", "TLS, HTTP/2 to HTTP/1: 128 B, 10 connections x 32 streams", "request",
             SMALL_H2, 40000, 8000, client="http2", is_tls=True),
    Workload("tls", "TLS, HTTP/1: 128 B, 64 keep-alive connections", "request",
             small(64, "--warm", "20"), 30000, 4000, is_tls=True),
    Workload("to-h2", "HTTP/1 to HTTP/2 replicas: 128 B, 64 connections", "request",
             small(64, "--warm", "20"), 30000, 4000, replicas="http2"),
    Workload("handshake", "TLS connection of one request, 8 at once, full", "handshake",
             small(8, "--warm", "20", "--renew"), 1500, 300, is_tls=True),
    Workload("resume", "the same, each resuming the TLS session before it", "handshake",
             small(8, "--warm", "20", "--resume"), 2000, 300, is_tls=True),
    Workload("large-h2", "TLS, HTTP/2: 1 MiB responses, 4 connections x 4 streams", "MiB",
             (*MIB, "--connections", "4", "--streams", "4", "--warm", "12"), 600, 100,
             client="http2", is_tls=True),
    Workload("large-tls", "TLS, HTTP/1: 1 MiB responses, 16 connections", "MiB",
             (*MIB, "--connections", "16", "--warm", "3"), 600, 100, is_tls=True),

    Workload("idle", "keep-alive connections after a request", "connection",
             ("--path", "/128"), IDLE, IDLE),
    Workload("idle-sticky", "the same with a session cookie each", "connection",
             ("--path", "/128", "--cookies"), IDLE, IDLE, is_sticky=True),
    Workload("idle-streams", "SSE streams after an event", "stream",
             ("--path", "/sse?interval=0"), IDLE, IDLE),
    Workload("idle-tls", "TLS keep-alive connections after a request", "connection",
             ("--path", "/128"), IDLE, IDLE, is_tls=True),
    Workload("idle-tls-h2", "TLS HTTP/2 connections after a request", "connection",
             ("--path", "/128"), IDLE, IDLE, client="http2", is_tls=True),
    Workload("idle-tls-streams", "SSE streams over TLS after an event", "stream",
             ("--path", "/sse?interval=0"), IDLE, IDLE, is_tls=True),
)}

BY_COMMAND = {
    "run": ["keepalive", "sticky", "large", "streams", "h2c", "tls-h2", "tls", "to-h2",
            "handshake", "resume", "large-h2", "large-tls"],
    "syscalls": ["keepalive", "sticky", "h2c", "tls-h2", "to-h2"],
    "instructions": ["keepalive", "sticky", "h2c", "to-h2"],
    "memory": ["idle", "idle-sticky", "idle-streams", "idle-tls", "idle-tls-h2",
               "idle-tls-streams"],
}

# Groups that -w takes for the workloads in them.
GROUPS = {
    "http1": ["keepalive", "sticky", "many", "large", "streams", "idle", "idle-sticky",
              "idle-streams"],
    "wire": [name for name, workload in ALL.items()
             if workload.is_tls or "http2" in (workload.client, workload.replicas)],
}


def choose(command, names):
    """The workloads of a comma-separated list, or the command's own; only those that fit it."""
    chosen = []
    for name in names.split(",") if names else BY_COMMAND[command]:
        # A group is cut down to what the command measures anyway.
        members = [each for each in GROUPS.get(name, [name])
                   if name == each or each in BY_COMMAND[command]]
        for each in members:
            if each not in ALL:
                raise ValueError(f"unknown workload {each}; there are "
                                 f"{', '.join([*ALL, *GROUPS])}")
            chosen.append(ALL[each])
    return [workload for workload in chosen if workload.is_idle == (command == "memory")]
