# SPDX-License-Identifier: Apache-2.0
"""MCP servers and clients beside those of sessions in headers: HTTP+SSE of 2024-11-05, whose session is a
stream, and the revisions from 2026-07-28 on, which have no sessions."""

import json
import threading
import uuid

from harness.client import Client, once, request
from harness.replica import Replica

MODERN = "2026-07-28"
ACCEPT = ("Accept", "application/json, text/event-stream")
JSON = ("Content-Type", "application/json")


class Events:
    """The event stream of a response, read as it comes."""

    def __init__(self, daemon, method, target, fields=(), body=None):
        self.client = Client(daemon.address)
        self.client.send(request(method, target, fields, body))
        self.head = self.client.response_head()
        self.text = b""
        self.is_over = False

    def _more(self):
        stream = self.client.stream
        if "chunked" not in (self.head.get("Transfer-Encoding") or ""):
            raise AssertionError(f"no stream: {self.head}")
        size = int(stream.line().split(b";")[0], 16)
        if size == 0:
            self.is_over = True
            return
        self.text += stream.exactly(size)
        stream.exactly(2)

    def event(self):
        """The next event's fields; comments are passed over. None at the end."""
        while True:
            self.text = self.text.replace(b"\r\n", b"\n")
            block, mark, rest = self.text.partition(b"\n\n")
            if not mark:
                if self.is_over:
                    return None
                self._more()
                continue
            self.text = rest
            lines = [line for line in block.decode().split("\n") if line and not line.startswith(":")]
            if lines:
                return dict(line.split(": ", 1) if ": " in line else (line, "") for line in lines)

    def message(self):
        event = self.event()
        return None if event is None else json.loads(event["data"])

    def close(self):
        self.client.close()


class SseReplica(Replica):
    """GET /sse opens a session, its stream names the URI to post to; POSTs are answered there. One that names
    a session of nobody's is never answered. `endpoint` makes the first event's text of an id, `step` sends it
    in pieces of so many bytes."""

    def __init__(self, id, endpoint=lambda id: f"event: endpoint\r\ndata: /messages?sessionId={id}\r\n\r\n", step=0):
        self.endpoint = endpoint
        self.step = step
        self.streams = {}
        self.posted = []
        self.guard = threading.Lock()
        super().__init__(id, self.serve)

    def serve(self, peer, asked):
        if asked.method == "GET":
            return self.open(peer)
        if b'"limpet-' not in asked.body:  # which era it speaks is no client's question
            self.posted.append(asked.target)
        id = asked.target.partition("=")[2].partition("&")[0]
        stream = self.streams.get(id)
        if stream is None:
            return peer.wait_for_end()
        peer.answer(202, b"Accepted")
        result = {"replica": self.id, "session": id}
        answer = {"jsonrpc": "2.0", "id": json.loads(asked.body)["id"], "result": result}
        self.say(stream, f"event: message\ndata: {json.dumps(answer)}\n\n")

    def open(self, peer):
        id = uuid.uuid4().hex
        self.streams[id] = peer
        peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        text = self.endpoint(id)
        step = self.step or len(text)
        for at in range(0, len(text), step):
            self.say(peer, text[at:at + step])
        peer.wait_for_end()

    def say(self, peer, text):
        with self.guard:
            peer.send(f"{len(text.encode()):x}\r\n{text}\r\n")


class SseClient:
    """Opens a stream, reads its endpoint, posts there."""

    def __init__(self, daemon, target="/sse", fields=()):
        self.daemon = daemon
        self.fields = list(fields)
        self.events = Events(daemon, "GET", target, [("Accept", "text/event-stream"), *fields])
        assert self.events.head.status == 200, self.events.head
        first = self.events.event()
        while first.get("event") != "endpoint":
            first = self.events.event()
        self.uri = first["data"]

    def target(self):
        return "/" + self.uri.split("/", 3)[3] if self.uri.startswith("http") else self.uri

    def post(self, target=None, id=1, fields=()):
        body = json.dumps({"jsonrpc": "2.0", "id": id, "method": "tools/call"}).encode()
        return once(self.daemon.address, "POST", target or self.target(), [JSON, *self.fields, *fields], body)

    def ask(self, id=1):
        assert self.post(id=id).status == 202
        return self.events.message()


class ModernReplica(Replica):
    """A server without sessions: discover, a tool that makes tasks, tasks, listen streams. `eras` says which
    requests it understands: "modern", "sessions" or both."""

    def __init__(self, id, eras=("modern",), events=False):
        self.eras = eras
        self.events = events
        self.tasks = set()
        self.listening = []
        self.methods = []
        self.guard = threading.RLock()
        super().__init__(id, self.serve)

    def serve(self, peer, asked):
        message = json.loads(asked.body) if asked.body else {}
        method, id = message.get("method"), message.get("id")
        is_modern = (asked.get("MCP-Protocol-Version") or "") >= MODERN
        if id not in ("limpet-discover", "limpet-ping"):
            self.methods.append(method)
        if is_modern and "modern" not in self.eras:
            return self.fail(peer, None, -32000, "Bad Request: Unsupported protocol version")
        if not is_modern and "sessions" not in self.eras:
            return self.fail(peer, id, -32022, "Unsupported protocol version", {"supported": [MODERN]})
        if not is_modern:
            return self.session(peer, asked, method, id)
        if method == "server/discover":
            return self.say(peer, id, {"supportedVersions": [MODERN], "capabilities": {}})
        if method == "tools/call":
            task = f"task {uuid.uuid4().hex}"
            self.tasks.add(task)
            return self.say(peer, id, {"resultType": "task", "taskId": task, "status": "working"})
        if method.startswith("tasks/"):
            task = message["params"]["taskId"]
            if task not in self.tasks:
                return self.fail(peer, id, -32602, "Unknown task")
            return self.say(peer, id, {"taskId": task, "status": "completed"})
        if method == "subscriptions/listen":
            return self.listen(peer, message)
        self.say(peer, id, {})

    def session(self, peer, asked, method, id):
        if method == "initialize":
            fields = self.fields(JSON, ("Mcp-Session-Id", uuid.uuid4().hex))
            return peer.answer(200, json.dumps({"jsonrpc": "2.0", "id": id, "result": {}}), fields)
        if not asked.has("Mcp-Session-Id"):
            return self.fail(peer, None, -32000, "Bad Request: Server not initialized")
        self.say(peer, id, {})

    def fields(self, *more):
        return [("X-Replica", self.id), *more]

    def say(self, peer, id, result):
        text = json.dumps({"jsonrpc": "2.0", "id": id, "result": result})
        if self.events:
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
                      f"X-Replica: {self.id}\r\n\r\n")
            self.chunk(peer, f"event: message\ndata: {text}\n\n")
            return peer.send("0\r\n\r\n")
        peer.answer(200, text, self.fields(JSON))

    def fail(self, peer, id, code, message, data=None):
        error = {"code": code, "message": message}
        if data:
            error["data"] = data
        peer.answer(400, json.dumps({"jsonrpc": "2.0", "id": id, "error": error}), self.fields(JSON))

    def listen(self, peer, message):
        peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
                  f"X-Replica: {self.id}\r\n\r\n")
        filter = message["params"]["notifications"]
        with self.guard:  # whoever has seen the acknowledgement is a listener
            self.notice(peer, message["id"], "notifications/subscriptions/acknowledged", notifications=filter)
            self.listening.append((peer, message["id"]))
        peer.wait_for_end()

    def change(self, **more):
        """Tells every listener that the tools have changed."""
        with self.guard:
            listening = list(self.listening)
        for peer, id in listening:
            try:
                self.notice(peer, id, "notifications/tools/list_changed", **more)
            except OSError:
                self.listening.remove((peer, id))

    def notice(self, peer, id, method, **params):
        params["_meta"] = {"io.modelcontextprotocol/subscriptionId": id}
        text = json.dumps({"jsonrpc": "2.0", "method": method, "params": params})
        self.chunk(peer, f"event: message\ndata: {text}\n\n")

    def chunk(self, peer, text):
        with self.guard:
            peer.send(f"{len(text.encode()):x}\r\n{text}\r\n")


def modern_fields(method, name=None, version=MODERN):
    fields = [ACCEPT, JSON, ("MCP-Protocol-Version", version), ("Mcp-Method", method)]
    return fields + ([("Mcp-Name", name)] if name else [])


def call(daemon, method, params=None, name=None, id=1, version=MODERN, fields=()):
    body = json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}).encode()
    return once(daemon.address, "POST", "/mcp", [*modern_fields(method, name, version), *fields], body)


def answer_of(response):
    """The message in a body of JSON or of one event."""
    text = response.text()
    if response.get("Content-Type") == "text/event-stream":
        text = next(line[6:] for line in text.split("\n") if line.startswith("data: "))
    return json.loads(text)
