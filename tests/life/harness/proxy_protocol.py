# SPDX-License-Identifier: Apache-2.0
"""Headers of the PROXY protocol, versions 1 and 2, written and read."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
TCP4, TCP6 = 0x11, 0x21


def v1(source="203.0.113.7", destination="192.0.2.1", source_port=5000, destination_port=80):
    family = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {family} {source} {destination} {source_port} {destination_port}\r\n".encode()


def v2(source="203.0.113.7", destination="192.0.2.1", source_port=5000, destination_port=80, command=PROXY, more=b""):
    """`more`: TLVs behind the addresses."""
    family = TCP6 if ":" in source else TCP4
    addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    body = addresses + struct.pack(">HH", source_port, destination_port) + more
    if command == LOCAL:
        family, body = 0, more
    return SIGNATURE + struct.pack(">BBH", command, family, len(body)) + body


def tlv(type, value):
    return struct.pack(">BH", type, len(value)) + value


class Header:
    """What a replica was told. `source` is None for LOCAL and UNKNOWN."""

    def __init__(self, version, source=None, source_port=0, destination=None, destination_port=0):
        self.version, self.source, self.source_port = version, source, source_port
        self.destination, self.destination_port = destination, destination_port

    def __repr__(self):
        return f"<PROXY v{self.version} {self.source}:{self.source_port} to {self.destination}:{self.destination_port}>"


def read(peer):
    """The header at the front of a replica's connection; fails where there is none."""
    start = peer.stream.exactly(6)
    if start == b"PROXY ":
        words = peer.stream.line().decode().split(" ")
        if words[0] == "UNKNOWN":
            return Header(1)
        assert words[0] in ("TCP4", "TCP6"), words
        return Header(1, words[1], int(words[3]), words[2], int(words[4]))
    rest = peer.stream.exactly(10)
    assert start + rest[:6] == SIGNATURE, f"no header but {start + rest!r}"
    command, family, size = struct.unpack(">BBH", rest[6:])
    body = peer.stream.exactly(size)
    if command == LOCAL:
        return Header(2)
    width = {TCP4: 4, TCP6: 16}[family]
    ports = struct.unpack(">HH", body[2 * width:2 * width + 4])
    return Header(2, str(ipaddress.ip_address(body[:width])), ports[0],
                  str(ipaddress.ip_address(body[width:2 * width])), ports[1])


__all__ = ["Header", "LOCAL", "read", "tlv", "v1", "v2"]
