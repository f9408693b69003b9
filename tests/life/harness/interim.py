# SPDX-License-Identifier: Apache-2.0
"""A replica that thinks before it asks for a request's body with 100 Continue."""

from harness.deadline import PATIENCE, seconds


def asking_after(thought):
    """Its on_connection: asks when the event `thought` is set, and never for a request to /stall."""
    def serve(peer):
        if peer.head().target == "/stall":
            return peer.wait_for_end()
        assert thought.wait(seconds(PATIENCE))
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.answer(200, peer.stream.exactly(5))
    return serve
