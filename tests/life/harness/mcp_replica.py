# SPDX-License-Identifier: Apache-2.0
"""A server of MCP's session era, small enough to be read, that can be killed, can forget, and can say
"unknown session" in each of the ways that real servers do; and a client that behaves like the SDKs."""

import json
import select
import threading
import uuid

from harness.client import Client, once, request
from harness.deadline import PATIENCE, seconds, wait_until
from harness.replica import Replica

VERSION = "2025-11-25"
ACCEPT = ("Accept", "application/json, text/event-stream")


def error(code, message, id=None, with_id=True):
    body = {"jsonrpc": "2.0", "error": {"code": code, "message": message}}
    if with_id:
        body["id"] = id
    return json.dumps(body)


# How servers say that they do not know a session: status, content type, body.
UNKNOWN = {
    "404": (404, "application/json", error(-32001, "Session not found")),
    "404-text": (404, "text/plain", "Session not found"),
    "400": (400, "application/json", error(-32000, "Bad Request: No valid session ID provided", with_id=False)),
    "400-text": (400, "text/plain", "Invalid or missing session ID"),
    "503": (503, "text/plain", "Session is not valid any more"),
    "200": (200, "application/json", error(-32600, "Session not found")),
    "404-python": (404, "application/json", error(-32600, "Session not found", "server-error")),
}


class Session:
    def __init__(self, credential):
        self.credential = credential
        self.initialized = 0
        self.calls = 0
        self.level = None
        self.subscriptions = []
        self.stream = None  # the peer of its GET stream


class McpReplica(Replica):
    """`unknown` names a row of UNKNOWN, `events` makes it answer calls with event streams."""

    def __init__(self, id, unknown="404", events=False, capabilities=None, version=VERSION, wants=None):
        self.unknown = unknown
        self.events = events
        self.wants = wants  # the Authorization it wants
        self.capabilities = capabilities or {"tools": {"listChanged": True}, "logging": {},
                                             "resources": {"subscribe": True}}
        self.version = version
        self.sessions = {}
        self.deleted = []
        self.responses = []  # answers of clients to requests of its own
        self.calls = []  # ids of tools/call that ran
        self.slow = threading.Event()  # what the tool "slow" waits for
        self.pings = 0
        self.is_deaf = threading.Event()  # set: pings are not answered
        self.guard = threading.Lock()
        super().__init__(id, self.serve)

    def kill(self):
        """Dies like a process: its sessions are no more."""
        self.stop()
        self.forget()

    def forget(self):
        with self.guard:
            self.sessions.clear()

    def fields(self, *more):
        return [("X-Replica", self.id), *more]

    def serve(self, peer, asked):
        known = self.sessions.get(asked.get("Mcp-Session-Id"))
        if b'"ping"' in (asked.body or b""):
            self.pings += 1
            if self.is_deaf.is_set():
                return peer.wait_for_end()
        if self.wants and asked.get("Authorization") != self.wants:
            return peer.answer(401, b"", self.fields(("WWW-Authenticate", "Bearer")))
        message = json.loads(asked.body) if asked.body else {}
        if asked.method == "POST" and message.get("method") == "initialize":
            return self.open(peer, message, asked)
        if known is None:
            status, form, body = UNKNOWN[self.unknown if asked.get("Mcp-Session-Id") else "400"]
            return peer.answer(status, body, self.fields(("Content-Type", form)))
        if asked.method == "DELETE":
            self.deleted.append(asked.get("Mcp-Session-Id"))
            del self.sessions[asked.get("Mcp-Session-Id")]
            return peer.answer(200, b"", self.fields())
        if asked.method == "GET":
            return self.stream(peer, known)
        self.post(peer, known, message)

    def open(self, peer, message, asked):
        made = uuid.uuid4().hex
        with self.guard:
            self.sessions[made] = Session(asked.get("Authorization"))
        result = {"protocolVersion": self.version, "capabilities": self.capabilities,
                  "serverInfo": {"name": "life", "version": "1"}}
        self.say(peer, {"jsonrpc": "2.0", "id": message["id"], "result": result}, ("Mcp-Session-Id", made))

    def say(self, peer, message, *fields):
        if not self.events:
            return peer.answer(200, json.dumps(message), self.fields(("Content-Type", "application/json"), *fields))
        self.begin_events(peer, *fields)
        self.event(peer, message)
        peer.send("0\r\n\r\n")

    def begin_events(self, peer, *fields):
        lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in self.fields(*fields)]
        peer.send("\r\n".join(lines) + "\r\n\r\n")

    def event(self, peer, message, id=None):
        text = (f"id: {id}\n" if id else "") + f"event: message\ndata: {json.dumps(message)}\n\n"
        self.raw_event(peer, text)

    def raw_event(self, peer, text):
        peer.send(f"{len(text):x}\r\n{text}\r\n")

    def stream(self, peer, session):
        if session.stream is not None:
            return peer.answer(409, error(-32000, "Conflict: only one stream"), self.fields())
        self.begin_events(peer)
        session.stream = peer
        peer.wait_for_end()
        session.stream = None

    def post(self, peer, session, message):
        method = message.get("method", "")
        if "id" not in message or not method:
            if method == "notifications/initialized":
                session.initialized += 1
            elif not method:
                self.responses.append(message)
            return peer.answer(202, b"", self.fields())
        params = message.get("params", {})
        result = {}
        if method == "logging/setLevel":
            session.level = params["level"]
        elif method == "resources/subscribe":
            session.subscriptions.append(params["uri"])
        elif method == "tools/call":
            return self.call(peer, session, message, params.get("name"))
        elif method not in ("ping", "tools/list"):
            return peer.answer(400, error(-32601, "Method not found", message["id"]),
                               self.fields(("Content-Type", "application/json")))
        self.say(peer, {"jsonrpc": "2.0", "id": message["id"], "result": result})

    def call(self, peer, session, message, tool):
        session.calls += 1
        self.calls.append(message["id"])
        if tool == "cut":  # dies before it says anything
            return peer.reset()
        if tool == "half":  # dies in the middle of its events
            self.begin_events(peer)
            self.event(peer, {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}})
            self.raw_event(peer, "event: message\ndata: {\"jsonr")
            return peer.reset()
        if tool == "slow":
            assert self.slow.wait(seconds(20))
        if tool == "bad":  # an honest 400
            return peer.answer(400, error(-32000, "Bad Request: I do not like it", message["id"]),
                               self.fields(("Content-Type", "application/json")))
        self.say(peer, {"jsonrpc": "2.0", "id": message["id"],
                        "result": {"content": [], "calls": session.calls, "replica": self.id}},
                 ("Mcp-Session-Id", next(id for id, held in self.sessions.items() if held is session)))


class McpClient:
    """Keeps a session id as SDK v1 does: it adopts whatever id a response has."""

    def __init__(self, address, target="/mcp", authorization=None):
        self.address = address
        self.target = target
        self.id = None
        self.next = 0
        self.authorization = authorization

    def fields(self, *more):
        fields = [ACCEPT, *more]
        if self.id:
            fields += [("Mcp-Session-Id", self.id), ("MCP-Protocol-Version", VERSION)]
        if self.authorization:
            fields.append(("Authorization", self.authorization))
        return fields

    def send(self, message):
        body = json.dumps(message).encode()
        response = once(self.address, "POST", self.target, self.fields(("Content-Type", "application/json")), body)
        if response.status == 200 and response.get("Mcp-Session-Id"):
            self.id = response.get("Mcp-Session-Id")
        return response

    def ask(self, method, params=None):
        self.next += 1
        return self.send({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params or {}})

    def notify(self, method):
        return self.send({"jsonrpc": "2.0", "method": method})

    def call(self, tool="echo"):
        return self.ask("tools/call", {"name": tool, "arguments": {}})

    def begin(self):
        response = self.ask("initialize", {"protocolVersion": VERSION, "capabilities": {},
                                           "clientInfo": {"name": "life-client", "version": "1"}})
        assert response.status == 200 and self.id, response
        response = self.notify("notifications/initialized")
        assert response.status == 202, response
        return self

    def delete(self):
        return once(self.address, "DELETE", self.target, self.fields())

    def stream(self, *more):
        """An open GET stream; read it with Events."""
        client = Client(self.address)
        client.send(request("GET", self.target, [("Accept", "text/event-stream"), *self.fields(*more)[1:]]))
        return Events(client)


class Events:
    """A running event stream: what came of it so far, without chunks."""

    def __init__(self, client):
        self.client = client
        self.head = client.response_head()
        self.text = b""
        self.is_over = False

    def read_until(self, what, limit=PATIENCE):
        what = what.encode() if isinstance(what, str) else what
        wait_until(lambda: self._read() and what in self.text, f"{what!r} in {self.text[-500:]!r}", limit)
        return self.text

    def read_to_end(self, limit=PATIENCE):
        wait_until(lambda: self._read() and self.is_over, f"the end of {self.text[-500:]!r}", limit)
        return self.text

    def _read(self):
        stream = self.client.stream
        while not self.is_over and (stream.ahead or select.select([self.client.socket], [], [], 0.02)[0]):
            length = int(stream.line(), 16)
            self.is_over = length == 0
            self.text += stream.exactly(length)
            assert stream.line() == b"", "a chunk ends where its size says"
        return True


def result_of(response):
    assert response.status == 200, response
    text = response.text()
    if response.get("Content-Type").startswith("text/event-stream"):
        text = [line[6:] for line in text.split("\n") if line.startswith("data: ")][-1]
    message = json.loads(text)
    assert "result" in message, message
    return message["result"]


def error_of(response):
    text = response.text()
    if response.get("Content-Type").startswith("text/event-stream"):
        text = [line[6:] for line in text.split("\n") if line.startswith("data: ")][-1]
    message = json.loads(text)
    return response.status, message["error"]["code"], message["id"]


__all__ = ["Events", "McpClient", "McpReplica", "UNKNOWN", "error_of", "result_of"]
