# SPDX-License-Identifier: Apache-2.0
"""Reading what affinity did with a request, and replicas that speak enough MCP to have sessions."""

import json
import uuid

SHOW = "show = true\n"
OUTCOMES = "limpet_affinity_total"


def outcome(response):
    """("moved", "gone", "b") of Limpet-Affinity-Outcome: moved; cause=gone; replica=b."""
    text = response.get("Limpet-Affinity-Outcome")
    assert text, f"no outcome is shown: {response}"
    word, *rest = [part.strip() for part in text.split(";")]
    facts = dict(part.split("=", 1) for part in rest)
    return word, facts.get("cause", ""), facts.get("replica", "")


def who(response):
    assert response.status == 200, response
    return response.get("X-Replica")


def cookies(response):
    """Name and attributes of each Set-Cookie."""
    found = {}
    for value in response.all("Set-Cookie"):
        first, *attributes = [part.strip() for part in value.split(";")]
        found[first.split("=", 1)[0]] = attributes
    return found


class McpReplica:
    """A handler for Replica: sessions in memory, as an MCP server keeps them."""

    def __init__(self):
        self.sessions = {}
        self.lost = 0

    def __call__(self, peer, request):
        seen = request.get("Mcp-Session-Id")
        fields = [("Content-Type", "application/json"), ("X-Replica", peer.replica.id)]
        message = json.loads(request.body) if request.body else {}
        if message.get("method") == "initialize":
            made = uuid.uuid4().hex
            self.sessions[made] = 0
            fields.append(("Mcp-Session-Id", made))
        elif seen not in self.sessions:
            self.lost += not str(message.get("id")).startswith("limpet-")  # which era it speaks is no client's question
            answer = {"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": "Session not found"}}
            return peer.answer(404 if seen else 400, json.dumps(answer), fields)
        elif request.method == "DELETE":
            del self.sessions[seen]
            return peer.answer(204, b"", fields)
        elif request.method == "GET":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Replica: "
                      + peer.replica.id.encode() + b"\r\n\r\ndata: {}\n\n")
            return peer.close()
        else:
            self.sessions[seen] += 1
        peer.answer(200, json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": {}}), fields)


class McpClient:
    """A client as the SDKs are: it keeps a session id and no cookies, and connects anew for each call."""

    def __init__(self, daemon, target="/"):
        self.daemon = daemon
        self.target = target
        self.id = None

    def ask(self, method="tools/call", verb="POST", id=None):
        fields = [("Accept", "application/json, text/event-stream")]
        chosen = id or self.id
        if chosen:
            fields.append(("Mcp-Session-Id", chosen))
        body = None
        if verb == "POST":
            fields.append(("Content-Type", "application/json"))
            body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method}).encode()
        return self.daemon.once(verb, self.target, fields, body)

    def begin(self):
        response = self.ask("initialize")
        assert response.status == 200, response
        self.id = response.get("Mcp-Session-Id")
        assert self.id, response
        return response
