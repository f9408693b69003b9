# SPDX-License-Identifier: Apache-2.0
"""Any client with any replica: HTTP/1 and HTTP/2, plain and over TLS, sixteen pairs behind one daemon."""

import types

from harness import config, tls
from harness.client import Client
from harness.h2 import H2Client, StreamReset
from harness.h2_replica import Served
from harness.message import Closed, Truncated
from harness.replica import say_who

CLIENTS = ("h1", "h1-tls", "h2", "h2-tls")
REPLICAS = ("h1", "h1-tls", "h2", "h2-tls")
QUIET = 'active = { type = "off" }\ninitial = "up"\npassive = { failures = 1000 }\n'


class Crossing:
    """One daemon with two listeners and a pool for each kind of replica, chosen by the path's first segment.
    `handle(peer, request)` answers on all of them; `early` as in Served."""

    def __init__(self, life, handle=say_who, early=False, settings=()):
        self.ca = tls.Authority(f"{life.dir}/ca")
        pair = self.ca.issue("test.example")
        self.replicas = {}
        for kind in REPLICAS:
            context = self.ca.server(pair, ["h2"] if kind == "h2-tls" else ["http/1.1"]) if "tls" in kind else None
            if kind == "h1":
                self.replicas[kind] = life.replica(kind, handle)
            else:
                served = Served(handle, h2=kind == "h2", tls=context, early=early, settings=settings)
                self.replicas[kind] = life.replica(kind, on_connection=served)
        self.daemon = life.prepare(lambda place: self.whole(place, pair)).start()

    def whole(self, place, pair):
        pools, routes = "", ""
        for kind, replica in self.replicas.items():
            keys = 'preset = "web"\nprotocol = "' + ("http2" if "h2" in kind else "http1") + '"'
            secured = {"tls": f'enabled = true\nca = "{self.ca.cert}"\nserver_name = "test.example"'}
            pools += config.pool(kind, [replica], keys, QUIET, **(secured if "tls" in kind else {}))
            routes += f'[[route]]\npath = "/{kind}"\npool = "{kind}"\n'
        port = place.port_of("secure")
        secure = f'[[listener]]\nname = "secure"\nbind = ["127.0.0.1:{port}"]\n' + tls.listener(pair)
        return config.whole(place, pools, routes=secure + routes)

    def open(self, kind):
        """A client of that kind."""
        if kind == "h1":
            return Client(self.daemon.address)
        if kind == "h2":
            return H2Client(self.daemon.address)
        secure = ("127.0.0.1", self.daemon.place.port_of("secure"))
        if kind == "h1-tls":
            return tls.TlsClient(secure, self.ca.client())
        return H2Client(secure, tls=self.ca.client(["h2"]))

    def pairs(self):
        for client in CLIENTS:
            for replica in REPLICAS:
                yield types.SimpleNamespace(client=client, replica=replica, name=f"{client} to {replica}",
                                            path=f"/{replica}", open=lambda kind=client: self.open(kind))

    def each(self, check):
        """Runs `check(pair, client)` for all pairs; shows all that fail."""
        wrong = []
        for pair in self.pairs():
            try:
                with pair.open() as client:
                    check(pair, client)
            except (AssertionError, OSError, StreamReset, Truncated, Closed, KeyError) as fault:
                wrong.append(f"{pair.name}: {type(fault).__name__} {fault}")
        for replica in self.replicas.values():
            wrong += [f"replica {replica.id}: {failure}" for failure in replica.failures]
        assert not wrong, "\n".join(wrong)


def is_h2(client):
    return isinstance(client, H2Client)


def speaks_h2(peer):
    """Whether a handler was given a stream."""
    return hasattr(peer, "endpoint")


__all__ = ["CLIENTS", "Crossing", "REPLICAS", "is_h2", "speaks_h2"]
