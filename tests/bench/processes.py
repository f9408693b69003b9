# SPDX-License-Identifier: Apache-2.0
"""Processes of the bench: started on a core, watched through /proc, and always stopped."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


class Failure(Exception):
    """What could not be measured, and why; the bench says it and goes on."""


def cores():
    """The proxy's core, and the one of the load and the replicas."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[1 % len(usable)]


PROXY_CORE, LOAD_CORE = cores()


class Processes:
    """Everything that runs; a context manager that stops it all, by process id."""

    def __init__(self):
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(list(self.running)):
            self.stop(process)

    def start(self, command, core, **options):
        """Starts a command on a core, in a process group of its own (Ctrl-C is ours to handle)."""
        parent = os.getpid()

        def prepare():
            os.setsid()
            os.sched_setaffinity(0, {core})
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

        process = subprocess.Popen(command, preexec_fn=prepare, **options)
        self.running.append(process)
        return process

    def stop(self, process, patience=5.0):
        """Asks a process and its children to end; insists after `patience` seconds."""
        family = tree(process.pid) if process.poll() is None else []
        if family:
            process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
        for pid in family:
            if is_child_left(pid):
                kill(pid)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()
        if process in self.running:
            self.running.remove(process)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def is_child_left(pid):
    """Whether a process of a stopped family still runs (its session is the one we gave it)."""
    try:
        return os.getsid(pid) != os.getsid(0) and stat_fields(pid)[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def stat_fields(pid):
    """The fields of /proc/PID/stat from the state on."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        text = file.read()
    return text[text.rindex(")") + 2:].split()


def tree(root):
    """A process and its descendants, parents first."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parent = int(stat_fields(name)[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(name))
    family = [root]
    for pid in family:
        family.extend(children.get(pid, []))
    return family


def threads(root):
    """The /proc folders of all threads of a process and its descendants."""
    for pid in tree(root):
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                yield f"/proc/{pid}/task/{thread}"
        except FileNotFoundError:
            pass


def cpu_ns(root):
    """The time on a core so far, all threads of the process and its descendants, in ns."""
    total = 0
    for folder in threads(root):
        try:
            with open(folder + "/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def proportional_bytes(root):
    """The proportional set size of the process and its descendants, in bytes."""
    total_kib = 0
    for pid in tree(root):
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total_kib += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total_kib * 1024


def is_traced(folder):
    """Whether a thread (its /proc folder) has a tracer, or is gone."""
    try:
        with open(folder + "/status", encoding="utf-8", errors="replace") as file:
            return "TracerPid:\t0\n" not in file.read()
    except (FileNotFoundError, ProcessLookupError):
        return True


def free_port():
    """A port of 127.0.0.1 that the kernel has free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(condition, seconds, what):
    """Waits for a condition; fails with `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
