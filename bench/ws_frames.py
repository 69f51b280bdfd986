"""
What a WebSocket client says, made beforehand.

Source: RFC 6455 §1.3 (handshake) and §5.2 (frames), RFC 7692 §7.2.1 (deflate).
"""

from __future__ import annotations

import zlib

TEXT, BINARY = 0x1, 0x2
PING, PONG = 0x9, 0xA
FIN, RSV1, MASKED = 0x80, 0x40, 0x80
MASK = b"\x2a\x51\x0c\x77"  # constant: nothing here needs to hide from a proxy
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"


def handshake(*, deflate: bool = False) -> bytes:
    """Return a request for a WebSocket, perhaps with an offer to compress."""
    return HANDSHAKE + (DEFLATE if deflate else b"") + b"\r\n"


def frame(payload: bytes, *, opcode: int = TEXT, deflate: bool = False) -> bytes:
    """Return one message as one masked frame."""
    first = FIN | opcode
    if deflate:
        first |= RSV1
        press = zlib.compressobj(wbits=-15)
        payload = press.compress(payload) + press.flush(zlib.Z_SYNC_FLUSH)
        payload = payload[:-4]
    masked = bytes(byte ^ MASK[i % 4] for i, byte in enumerate(payload))
    return head(first, len(payload), MASKED) + MASK + masked


def pongs(data: bytes) -> bytes:
    """Return the pongs to the pings in *data*, which must be whole small frames."""
    answers = b""
    while len(data) > 1:
        size = data[1]
        if data[0] == FIN | PING:
            answers += frame(data[2 : 2 + size], opcode=PONG)
        data = data[2 + size :]
    return answers


def answer_to(payload: bytes, *, opcode: int = TEXT) -> bytes:
    """Return the beginning of the frame that a server echoes uncompressed."""
    return head(FIN | opcode, len(payload), 0)


def head(first: int, size: int, masked: int) -> bytes:
    """Return a frame's first bytes, up to its mask."""
    if size < 126:
        return bytes((first, masked | size))
    if size < 1 << 16:
        return bytes((first, masked | 126)) + size.to_bytes(2, "big")
    return bytes((first, masked | 127)) + size.to_bytes(8, "big")
