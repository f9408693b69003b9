# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 by Debian's python3-h2: an independent reading of the rules. It raises where the other side breaks one."""

import json

from harness import h2_frames  # finds Debian's packages

import h2.config
import h2.connection
import h2.events
import h2.exceptions


class LibraryClient:
    """One exchange at a time."""

    def __init__(self, sock, scheme="http"):
        self.socket, self.scheme = sock, scheme
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="latin-1"))
        self.h2.initiate_connection()
        self._flush()

    def _flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def ask(self, method, path, body=b"", fields=()):
        """Status, fields, body; an exception of the library where the rules are broken."""
        id = self.h2.get_next_available_stream_id()
        pseudo = h2_frames.request_fields(method, path, fields, self.scheme)
        self.h2.send_headers(id, pseudo, end_stream=not body)
        self._flush()
        head, got, is_over = None, b"", False
        while not is_over:
            body = self._send_some(id, body)
            for event in self._events():
                if isinstance(event, h2.events.ResponseReceived):
                    head = dict(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    got += event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamReset):
                    raise AssertionError(f"reset: {event}")
                elif isinstance(event, h2.events.StreamEnded):
                    is_over = True
            self._flush()
        return int(head[":status"]), head, got

    def _send_some(self, id, body):
        while body:
            size = min(len(body), self.h2.local_flow_control_window(id), self.h2.max_outbound_frame_size)
            if size == 0:
                break
            self.h2.send_data(id, body[:size], end_stream=size == len(body))
            body = body[size:]
        self._flush()
        return body

    def _events(self):
        data = self.socket.recv(1 << 16)
        assert data, "the connection ended"
        return self.h2.receive_data(data)

    def close(self):
        self.h2.close_connection()
        self._flush()
        self.socket.close()


class LibraryServed:
    """The behaviour of a replica: says the path and how many bytes came. `breaches` is what the library refused."""

    def __init__(self):
        self.breaches = []

    def __call__(self, peer):
        config = h2.config.H2Configuration(client_side=False, header_encoding="latin-1", validate_inbound_headers=True)
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        peer.send(connection.data_to_send())
        paths, sizes = {}, {}
        while data := peer.socket.recv(1 << 16):
            try:
                events = connection.receive_data(data)
            except h2.exceptions.ProtocolError as breach:
                self.breaches.append(repr(breach))
                return
            for event in events:
                if isinstance(event, h2.events.RequestReceived):
                    paths[event.stream_id], sizes[event.stream_id] = dict(event.headers)[":path"], 0
                elif isinstance(event, h2.events.DataReceived):
                    sizes[event.stream_id] += len(event.data)
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    self._answer(connection, event.stream_id, paths, sizes)
            peer.send(connection.data_to_send())

    @staticmethod
    def _answer(connection, id, paths, sizes):
        if paths[id] == "/head":
            return connection.send_headers(id, [(":status", "200")], end_stream=True)
        body = json.dumps({"target": paths[id], "bytes": sizes[id]}).encode()
        connection.send_headers(id, [(":status", "200"), ("content-length", str(len(body)))])
        connection.send_data(id, body, end_stream=True)


__all__ = ["LibraryClient", "LibraryServed"]
