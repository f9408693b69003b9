# SPDX-License-Identifier: Apache-2.0
"""limpetd --demo: what a person who types `make run` meets."""

import json
import os
import re
import signal
import socket
import subprocess

from harness.affinity import McpClient
from harness.client import Client, Jar, once, request
from harness.daemon import LIMPETD, Place
from harness.deadline import PATIENCE, seconds, wait_until


class Demo:
    """A running demo with ports of its own."""

    def __init__(self, life, count=None):
        self.place = Place(f"{life.dir}/demo")
        self.address = ("127.0.0.1", self.place.port)
        self.output = self.place.dir / "output.txt"
        environment = {**os.environ, "LIMPET_PORT": str(self.place.port), "XDG_RUNTIME_DIR": life.dir,
                       "LIMPET_ADMIN_PORT": str(self.place.admin_port)}
        self.environment = environment
        life.witnesses.append(lambda: "--- the demo said:\n" + self.said()[-6000:])
        option = "--demo" if count is None else f"--demo={count}"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen([LIMPETD, option], stdout=output, stderr=output, env=environment,
                                            stdin=subprocess.DEVNULL, cwd=life.dir)

    def __enter__(self):
        wait_until(lambda: self.process.poll() is not None or "limpet is up" in self.said(), "the banner", 30)
        assert self.process.poll() is None, self.said()
        wait_until(self.answers, "it answers")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(seconds(PATIENCE))

    def answers(self):
        try:
            return once(self.address, "GET", "/whoami").status == 200
        except Exception:
            return False

    def said(self):
        return self.output.read_text(errors="replace")

    def pids(self):
        return [int(pid) for pid in re.findall(r"process (\d+)", self.said())]

    def ports(self):
        return [int(port) for port in re.findall(r"  127\.0\.0\.1:(\d+)  process", self.said())]

    def once(self, method="GET", target="/", fields=(), body=None):
        return once(self.address, method, target, fields, body, host="127.0.0.1")


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), seconds(PATIENCE)).close()
        return False
    except ConnectionRefusedError:
        return True
    except OSError:
        return False


def test_the_demo_starts_says_what_to_try_and_answers(life):
    with Demo(life) as demo:
        assert len(demo.pids()) == 3
        for word in ("/counter", "/clock", "/mcp", "metrics", "limpetctl", "curl"):
            assert word in demo.said(), word
        assert b"<!doctype html>" in demo.once("GET", "/").body
        met = set()
        wait_until(lambda: met.add(json.loads(demo.once("GET", "/whoami").body)["replica"]) or met == {"a", "b", "c"},
                   f"all three are met, and not {met} only", 40)


def test_the_counter_counts_with_a_jar_and_begins_anew_without(life):
    with Demo(life) as demo:
        jar = Jar(demo.address)
        counted = [json.loads(jar.get("/counter").body) for _ in range(10)]
        assert [c["count"] for c in counted] == list(range(1, 11)), counted
        assert len({c["replica"] for c in counted}) == 1
        assert json.loads(demo.once("GET", "/counter").body)["count"] == 1


def test_a_killed_replica_is_noticed_and_comes_back(life):
    with Demo(life) as demo:
        pids, ports = dict(zip("abc", demo.pids())), dict(zip("abc", demo.ports()))
        jar = Jar(demo.address)
        first = json.loads(jar.get("/counter").body)
        os.kill(pids[first["replica"]], signal.SIGKILL)
        # A process that is gone may still hold its socket for a moment, in a thread that has not ended. A second
        # after its end it runs again, which this test may be too slow to miss.
        wait_until(lambda: refuses(ports[first["replica"]]) or "A sample replica ended" in demo.said(),
                   "nobody listens there")
        answer = jar.get("/counter")
        assert answer.status == 200, (answer.status, answer.body)
        moved = json.loads(answer.body)
        assert moved["count"] == 1, moved

        def back():
            seen = json.loads(demo.once("GET", "/whoami").body)
            return seen["replica"] == first["replica"] and seen["pid"] != pids[first["replica"]]
        wait_until(back, "it runs again", 40)


def test_the_clock_ticks_and_the_echo_echoes(life):
    with Demo(life) as demo:
        with Client(demo.address) as client:
            client.send(request("GET", "/clock"))
            assert client.response_head().get("Content-Type") == "text/event-stream"
            for _ in range(2):
                assert b"data:" in client.stream.exactly(int(client.stream.line(), 16) + 2)
        with Client(demo.address) as client:
            client.send(request("GET", "/echo", [("Connection", "Upgrade"), ("Upgrade", "websocket"),
                                                 ("Sec-WebSocket-Version", "13"),
                                                 ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]))
            head = client.response_head()
            assert head.status == 101 and head.get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
            client.send(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")
            assert client.stream.exactly(7) == b"\x81\x05Hello"


def test_mcp_sessions_work_without_cookies(life):
    with Demo(life) as demo:
        for _ in range(6):
            client = McpClient(demo, "/mcp")
            client.begin()
            for expected in range(1, 4):
                body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                                   "params": {"name": "count"}}).encode()
                response = demo.once("POST", "/mcp", [("Mcp-Session-Id", client.id)], body)
                assert json.loads(response.body)["result"]["content"][0]["text"] == str(expected), response


def test_the_demo_ends_with_all_its_processes(life):
    with Demo(life, count=2) as demo:
        pids = demo.pids()
        assert len(pids) == 2
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(seconds(PATIENCE)) == 0
        wait_until(lambda: not any(is_alive(pid) for pid in pids), "no replica is left")


def state(pid):
    """What the kernel says of a process, for a test that failed."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            return status.read()
    except OSError as error:
        return f"process {pid}: {error}\n"


def test_replicas_do_not_outlive_a_demo_that_is_killed(life):
    with Demo(life) as demo:
        life.witnesses.append(lambda: "".join(state(pid) for pid in demo.pids()))
        demo.process.kill()
        demo.process.wait()
        wait_until(lambda: not any(is_alive(pid) for pid in demo.pids()), "no replica is left")


def parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return int(stat.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def three_children(pid):
    """The processes that `pid` has started, as soon as there are three."""
    def children():
        return [other for other in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent_of(other) == pid]
    return wait_until(lambda: found if len(found := children()) == 3 else None, "three replicas")


def test_replicas_do_not_outlive_a_demo_that_is_killed_while_they_start(life):
    demo = Demo(life)
    try:
        children = three_children(demo.process.pid)
    finally:
        demo.process.kill()
        demo.process.wait()
    life.witnesses.append(lambda: "".join(state(pid) for pid in children))
    wait_until(lambda: not any(is_alive(pid) for pid in children), "no replica is left")


def test_a_port_in_use_is_an_error_with_the_way_out(life):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        done = subprocess.run([LIMPETD, "--demo"], capture_output=True, text=True, timeout=seconds(60),
                              env={**os.environ, "LIMPET_PORT": str(port), "XDG_RUNTIME_DIR": life.dir})
    said = done.stdout + done.stderr
    assert done.returncode not in (0, None) and f"127.0.0.1:{port} is in use" in said and "LIMPET_PORT=" in said, said
