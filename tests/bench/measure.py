# SPDX-License-Identifier: Apache-2.0
"""One measurement: a fresh proxy on one core, the load and the replicas on the other."""

import contextlib
import glob
import json
import os
import re
import signal
import subprocess
import tempfile
import types

from contenders import BUILD
from probe import answers
from processes import (LOAD_CORE, PROXY_CORE, Failure, Processes, cpu_ns, free_port, is_traced,
                       proportional_bytes, threads, tree, wait_until)

REPLICAS = 4
LOAD_SECONDS_MAX = 120
STARTS_MAX = 3
RESUMED_MIN = 0.9  # of the connections that offer a TLS session
CALLGRIND = ("valgrind", "--tool=callgrind", "--trace-children=yes",
             "--callgrind-out-file=profile.%p")


class Bench:
    """The replicas and the scratch folder that all measurements share; a context manager."""

    def __init__(self):
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.scratch = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="limpet-bench-", ignore_cleanup_errors=True))
            self.processes = stack.enter_context(Processes())
            self.certificate = make_certificate(self.scratch)
            self.replica_ports = {"http1": self.start_replicas("replica"),
                                  "http2": self.start_replicas("replica_h2")}
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    def start_replicas(self, program):
        replicas = self.processes.start([f"{BUILD}/{program}", str(REPLICAS)], LOAD_CORE,
                                        stdout=subprocess.PIPE, text=True)
        return [int(port) for port in replicas.stdout.readline().split()]

    # --- the four measurements; each returns a figure: {"value": ..., more} --------------------

    def cpu(self, contender, workload, scale):
        """Microseconds of the proxy's processor time per unit."""
        with self.proxy(contender, workload) as proxy:
            with self.load(proxy, workload, workload.amount * scale) as load:
                before = cpu_ns(proxy.pid)
                result = load.run()
                spent = cpu_ns(proxy.pid) - before
        check(contender, workload, result)
        return {"value": spent / 1000 / result["done"],
                "busy": spent / 1e9 / result["seconds"], **result}

    def syscalls(self, contender, workload, scale):
        """System calls per unit, by strace."""
        with self.proxy(contender, workload) as proxy:
            with self.load(proxy, workload, workload.traced_amount * scale) as load:
                counts = proxy.folder + "/syscalls"
                with self.tracer(proxy.pid, counts):
                    result = load.run()
        check(contender, workload, result)
        calls = {name: count / result["done"] for name, count in read_strace(counts).items()}
        return {"value": sum(calls.values()), "calls": calls, **result}

    def instructions(self, contender, workload, scale):
        """User-space instructions per unit, by callgrind: a long run less a short one."""
        runs = [self.count_instructions(contender, workload, workload.traced_amount * scale * part)
                for part in (0.25, 1)]
        (few, few_result), (many, result) = runs
        check(contender, workload, result)
        return {"value": (many - few) / (result["done"] - few_result["done"]), **result}

    def memory(self, contender, workload, scale):
        """Bytes of proportional set size per idle connection."""
        connections = max(1, round(workload.amount * scale))
        with self.proxy(contender, workload) as proxy:
            with self.load(proxy, workload, 40):
                pass  # what the first connections make the proxy allocate once
            before = proportional_bytes(proxy.pid)
            with self.load(proxy, workload, connections):
                after = proportional_bytes(proxy.pid)
        return {"value": (after - before) / connections, "base_bytes": before,
                "connections": connections}

    # --- their parts ---------------------------------------------------------------------------

    @contextlib.contextmanager
    def proxy(self, contender, workload, prefix=()):
        """A running proxy that has answered a request: pid, port, folder."""
        for attempt in range(STARTS_MAX):
            try:
                proxy = self.start(contender, workload, prefix)
                break
            except Failure:
                if attempt == STARTS_MAX - 1:
                    raise
        try:
            yield proxy
        finally:
            self.processes.stop(proxy.process)

    def start(self, contender, workload, prefix):
        folder = tempfile.mkdtemp(prefix=contender.name + "-", dir=self.scratch)
        settings = types.SimpleNamespace(
            listen_port=free_port(), replica_ports=self.replica_ports[workload.replicas],
            port=free_port, folder=folder, certificate=self.certificate,
            is_handshake=workload.is_handshake, is_sticky=workload.is_sticky,
            is_stream=workload.is_stream, is_tls=workload.is_tls,
            is_h2=workload.client == "http2", is_to_h2=workload.replicas == "http2")
        with open(folder + "/config", "w", encoding="utf-8") as file:
            file.write(contender.configuration(settings))
        with open(folder + "/output", "wb") as output:
            process = self.processes.start(
                [*prefix, *contender.command(settings)], PROXY_CORE, cwd=folder,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            wait_until(lambda: process.poll() is not None or
                       answers(settings.listen_port, workload.client, workload.is_tls),
                       60 if prefix else 10, contender.name + " answers")
            if process.poll() is not None:
                raise Failure(f"ended with {process.returncode}")
        except BaseException as error:
            self.processes.stop(process)
            if isinstance(error, Failure):
                raise Failure(f"{error}: {tail(folder + '/output')}") from None
            raise
        return types.SimpleNamespace(process=process, pid=process.pid, folder=folder,
                                     port=settings.listen_port)

    @contextlib.contextmanager
    def load(self, proxy, workload, amount):
        """A load generator whose connections are open and warm."""
        program = "load_h2" if workload.client == "http2" else "load"
        process = self.processes.start(
            [f"{BUILD}/{program}", "--port", str(proxy.port), *workload.load_arguments(amount)],
            LOAD_CORE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.STDOUT)
        try:
            said = process.stdout.readline()
            if said.strip() != "ready":
                raise Failure(said.strip() or "the load generator ended")
            yield Load(process)
        finally:
            self.processes.stop(process)

    @contextlib.contextmanager
    def tracer(self, pid, counts):
        """strace over all threads of a proxy, its summary written to the file `counts`."""
        attach = [word for each in tree(pid) for word in ("-p", str(each))]
        process = self.processes.start(["strace", "-f", "-c", "-o", counts, *attach], LOAD_CORE,
                                       stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: process.poll() is not None or
                       all(is_traced(thread) for thread in threads(pid)), 10, "strace attaches")
            if process.poll() is not None:
                raise Failure("strace may not attach")
            yield
            process.send_signal(signal.SIGINT)
            process.wait(10)
        finally:
            self.processes.stop(process)

    def count_instructions(self, contender, workload, amount):
        with self.proxy(contender, workload, CALLGRIND) as proxy:
            with self.load(proxy, workload, amount) as load:
                result = load.run()
            self.processes.stop(proxy.process, patience=60)
        total = sum(map(read_callgrind, glob.glob(proxy.folder + "/profile.*")))
        if not total:
            raise Failure("callgrind left no count")
        return total, result


class Load:
    """A warm load generator, waiting for the word."""

    def __init__(self, process):
        self.process = process

    def run(self):
        """Runs the load; what it counted."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        signal.alarm(LOAD_SECONDS_MAX)
        try:
            text = self.process.stdout.readline()
        finally:
            signal.alarm(0)
        result = json.loads(text or "{}")
        if not result.get("done"):
            raise Failure("the load generator counted nothing")
        return result


def check(contender, workload, result):
    """Fails where a proxy did not do what the workload is about."""
    if workload.is_sticky and contender.needs_cookie and result["with_cookie"] < result["done"]:
        raise Failure("it gave no session cookie to some connections")
    if workload.is_handshake:
        expected = RESUMED_MIN * result["done"] if workload.is_resumed else 0
        if result["resumed"] < expected:
            raise Failure(f"it resumed {result['resumed']} of {result['done']} TLS sessions")
    if result["replicas"] and len(result["replicas"]) < REPLICAS:
        raise Failure(f"only {', '.join(result['replicas'])} answered, of {REPLICAS} replicas")


def make_certificate(folder):
    """A self-signed certificate for an ECDSA key on P-256: files cert, key, and both in one."""
    made = types.SimpleNamespace(cert=folder + "/cert.pem", key=folder + "/key.pem",
                                 both=folder + "/both.pem")
    said = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "30", "-subj", "/CN=bench.example", "-addext",
         "subjectAltName=DNS:bench.example", "-keyout", made.key, "-out", made.cert],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if said.returncode != 0:
        raise OSError(f"openssl made no certificate: {said.stdout[-300:]}")
    with open(os.open(made.both, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as both:
        for path in (made.cert, made.key):
            with open(path, encoding="ascii") as part:
                both.write(part.read())
    return made


def tail(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()[-600:].strip() or "it said nothing"


def read_strace(path):
    """The calls by name of a strace -c summary."""
    counts = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            fields = line.split()
            if len(fields) >= 5 and re.fullmatch(r"[\d.]+", fields[0]) and fields[-1] != "total":
                counts[fields[-1]] = int(fields[3])
    return counts


def read_callgrind(path):
    """The instructions of one process, all its dumps."""
    with open(path, encoding="utf-8", errors="replace") as file:
        totals = [int(line.split()[1]) for line in file if line.startswith("totals:")]
    return sum(totals)
