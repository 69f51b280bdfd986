"""
Answers every question for an address with 127.0.0.1, over UDP (RFC 1035).

    tiamat -s examples/servers/dns.py -b udp://127.0.0.1:5353
"""

import asyncio
import struct

HEADER = struct.Struct("!6H")
A, IN = 1, 1
RESPONSE, NOT_IMPLEMENTED = 0x8400, 4  # 4.1.1: QR and AA; RCODE
LOCAL = bytes((127, 0, 0, 1))
TTL = 60


def answer(query):
    """The response to a query; nothing if it is none."""
    if len(query) < HEADER.size:
        return b""
    number, flags, questions, *_ = HEADER.unpack_from(query)
    end = query.find(b"\0", HEADER.size) + 5
    if flags & 0x8000 or questions != 1 or not HEADER.size < end <= len(query):
        return b""
    question = query[HEADER.size : end]
    kind, network = struct.unpack("!2H", question[-4:])
    flags = RESPONSE | flags & 0x0100
    if flags & 0x7800:
        return HEADER.pack(number, flags | NOT_IMPLEMENTED, 1, 0, 0, 0) + question
    if (kind, network) != (A, IN):
        return HEADER.pack(number, flags, 1, 0, 0, 0) + question
    record = struct.pack("!3HIH", 0xC00C, A, IN, TTL, len(LOCAL)) + LOCAL
    return HEADER.pack(number, flags, 1, 1, 0, 0) + question + record


class Resolver(asyncio.DatagramProtocol):
    """One for each address of each worker."""

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        if response := answer(data):
            self.transport.sendto(response, address)


def run(config):
    """What makes protocols."""
    return Resolver
