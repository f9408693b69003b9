# SPDX-License-Identifier: Apache-2.0
"""What the kernel holds of a connection, for tests of what does not fit into it."""

import pathlib

from harness.deadline import wait_until


def untaken_bytes(port, peer_port):
    """What was sent from one port of 127.0.0.1 to the other, and the other side's kernel has not taken."""
    return _queues(port, peer_port)[0]


def unread_bytes(port, peer_port):
    """What has come to one port of 127.0.0.1 from the other, and nobody has read."""
    return _queues(port, peer_port)[1]


def _queues(port, peer_port):
    ends = (f":{port:04X}", f":{peer_port:04X}")
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if (words[1][-5:], words[2][-5:]) == ends:
            return [int(word, 16) for word in words[4].split(":")]
    return [0, 0]


ROOMY = 'buffer_bytes = "256KiB"'  # what the daemon keeps behind a full kernel then stops nobody


def send_until_full(send, untaken, chunked=True):
    """Sends through the daemon until the kernel, where it says `untaken()`, takes no more, so that the daemon keeps
    the last bytes; says how many there were."""
    piece = bytes(32000)
    sent = held = 0
    while True:
        send(b"7d00\r\n" + piece + b"\r\n" if chunked else piece)
        sent += len(piece)
        try:
            before = held
            held = wait_until(lambda: other_than(before, untaken()), "room in the kernel", 0.3)
        except AssertionError:
            if held > 0:
                return sent


def other_than(before, now):
    return now if now != before else 0
