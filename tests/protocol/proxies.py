"""PROXY headers as proxies send them, put together by hand."""

import struct
from socket import AF_INET, AF_INET6, inet_pton

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
V1_V6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n"


def v2(
    block: bytes, *, command: int = 0x21, kind: int = 0x11, size: int | None = None
) -> bytes:
    """A header of version 2 around a block."""
    length = len(block) if size is None else size
    return SIGNATURE + struct.pack("!BBH", command, kind, length) + block


def tlv(kind: int, value: bytes) -> bytes:
    """Type, length, value."""
    return struct.pack("!BH", kind, len(value)) + value


IPV4 = (
    inet_pton(AF_INET, "192.0.2.7")
    + inet_pton(AF_INET, "198.51.100.1")
    + struct.pack("!HH", 56324, 443)
)
IPV6 = (
    inet_pton(AF_INET6, "2001:db8::7")
    + inet_pton(AF_INET6, "2001:db8::1")
    + struct.pack("!HH", 56324, 443)
)
SSL = tlv(
    0x20,
    b"\x07\x00\x00\x00\x00"
    + tlv(0x21, b"TLSv1.3")
    + tlv(0x22, b"J\xc3\xb6rg")
    + tlv(0x23, b"TLS_AES_256_GCM_SHA384"),
)
V2 = v2(IPV4)
V2_SSL = v2(IPV4 + SSL)
LOCAL = v2(b"", command=0x20, kind=0)
