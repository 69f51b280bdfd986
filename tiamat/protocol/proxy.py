"""
The PROXY protocol: what a proxy says of a connection, before its first byte.

Version 1 is a line of text, version 2 is binary and has room for more (TLVs).

Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.proxy_tlvs import NOTHING, Details, parse_tlvs

Endpoint: TypeAlias = tuple[str, int]

V1: Final = "v1"
V2: Final = "v2"

_LINE: Final = b"PROXY "
_LONGEST_LINE: Final = (
    107  # 2.1: with its CRLF, "so a 108-byte buffer is always enough"
)
_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED: Final = 16  # bytes of version 2 that every header has

# Those of HAProxy with a client's certificate and all TLVs are below 9 kB. nginx
# takes 4 KiB, the protocol has room for 64.
_LONGEST: Final = 16384

_LOCAL, _PROXY = 0, 1

# Family and transport (2.2): the size of both addresses with their ports.
_SIZES: Final = {0x11: 12, 0x12: 12, 0x21: 36, 0x22: 36, 0x31: 216, 0x32: 216}


class InvalidProxyHeader(ProtocolError):
    """It is none; the connection is to be closed without an answer (2)."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """
    What a proxy says.

    Attributes:
        version: 1 or 2.
        source: Who has connected to the proxy; None if it doesn't say, or if it
            speaks for itself: the connection's own peer then.
        destination: Where to; None as above.
        details: What else it says.
    """

    version: int
    source: Endpoint | None = None
    destination: Endpoint | None = None
    details: Details = NOTHING

    def shown(self) -> Mapping[str, Any]:
        """What an application gets of it."""
        return MappingProxyType({"version": self.version, **self.details.shown()})


class HeaderReader:
    """
    Reads a header, in whatever pieces it comes.

    Args:
        versions: Those that are expected: ``V1``, ``V2`` or both. There is no "if it
            has one": who guesses can be told anything by anybody (2).

    Attributes:
        header: What it says, once it is complete.
    """

    def __init__(self, versions: Mapping[str, bytes] | None = None) -> None:
        self.header: ProxyHeader | None = None
        self._beginnings = BEGINNINGS["auto"] if versions is None else versions
        self._seen = b""

    def take(self, data: bytes) -> int:
        """
        Read on.

        Args:
            data: What comes next, at least one byte.

        Returns:
            How many of these bytes belong to the header; all, unless it ends here.

        Raises:
            InvalidProxyHeader: These bytes can't become a header any more.
        """
        before = len(self._seen)
        seen = self._seen = self._seen + data
        size = self._size(seen)
        if not 0 < size <= len(seen):
            return len(data)
        parse = parse_v1 if seen.startswith(_LINE) else parse_v2
        self.header = parse(seen[:size])
        return size - before

    def _size(self, seen: bytes) -> int:
        """How long the header is in all; 0 if that can't be told yet."""
        for version, beginning in self._beginnings.items():
            if seen[: len(beginning)] == beginning[: len(seen)]:
                return (_size_v1 if version == V1 else _size_v2)(seen)
        raise InvalidProxyHeader(f"no PROXY header: begins with {seen[:12]!r}")


BEGINNINGS: Final[Mapping[str, Mapping[str, bytes]]] = {
    "v1": {V1: _LINE},
    "v2": {V2: _SIGNATURE},
    "auto": {V1: _LINE, V2: _SIGNATURE},
}
"""How headers begin, by the value of the setting."""


def _size_v1(seen: bytes) -> int:
    end = seen.find(b"\n", 0, _LONGEST_LINE)
    if end < 0 and len(seen) >= _LONGEST_LINE:
        raise InvalidProxyHeader("a PROXY line of more than 107 bytes")
    return end + 1


def _size_v2(seen: bytes) -> int:
    if len(seen) < _FIXED:
        return 0
    size = _FIXED + int.from_bytes(seen[14:16], "big")
    if size > _LONGEST:
        raise InvalidProxyHeader(f"a PROXY header of {size} bytes")
    return size


def parse_v1(line: bytes) -> ProxyHeader:
    """
    Read a line of version 1 (2.1), with its end.

    Raises:
        InvalidProxyHeader: It is none.
    """
    if not line.endswith(b"\r\n") or line.count(b"\r") > 1:
        raise InvalidProxyHeader("a PROXY line that does not end with CRLF")
    words = line[:-2].decode("latin-1").split(" ")
    if words[1] == "UNKNOWN":
        return ProxyHeader(1)  # whatever follows is to be ignored
    # Python would take an address with a zone, behind "%".
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6") or b"%" in line:
        raise InvalidProxyHeader(f"a PROXY line {line[:-2]!r}")
    kind = IPv4Address if words[1] == "TCP4" else IPv6Address
    try:
        source, destination = (_text_of(kind(word)) for word in words[2:4])
    except ValueError:
        raise InvalidProxyHeader(f"no addresses: {line[:-2]!r}") from None
    ports = [_port(word) for word in words[4:]]
    return ProxyHeader(1, (source, ports[0]), (destination, ports[1]))


def _port(word: str) -> int:
    """A port in its one canonical form, as the line demands it (2.1)."""
    if word.isascii() and word.isdecimal() and len(word) <= 5:
        port = int(word)
        if port <= 65535 and str(port) == word:
            return port
    raise InvalidProxyHeader(f"{word!r} is no port of a PROXY line")


def parse_v2(data: bytes) -> ProxyHeader:
    """
    Read a header of version 2 (2.2), whole.

    Raises:
        InvalidProxyHeader: It is none, or its checksum says that it is broken.
    """
    version, command = divmod(data[12], 16)
    if version != 2 or command > _PROXY:
        raise InvalidProxyHeader(f"version and command {data[12]:#04x}")
    kind = data[13]
    # A proxy that speaks for itself, or of what it has no words for: "the receiver
    # must use the real connection endpoints and must discard the protocol block".
    if command == _LOCAL:
        return ProxyHeader(2)
    if not kind & 0x0F or not kind & 0xF0:
        if kind > 0x32 or kind & 0x0F > 2:
            raise InvalidProxyHeader(f"family and transport {kind:#04x}")
        return ProxyHeader(2)
    if kind not in _SIZES:
        raise InvalidProxyHeader(f"family and transport {kind:#04x}")
    size = _SIZES[kind]
    if len(data) < _FIXED + size:
        raise InvalidProxyHeader("a PROXY header that is too short for its addresses")
    details = parse_tlvs(data, _FIXED + size)
    if kind & 0xF0 == 0x30:
        # A path on the proxy's machine is no address that means anything here.
        return ProxyHeader(2, details=details)
    form, make = ("!4s4sHH", IPv4Address) if size == 12 else ("!16s16sHH", IPv6Address)
    source, destination, *ports = struct.unpack_from(form, data, _FIXED)
    return ProxyHeader(
        2,
        (_text_of(make(source)), ports[0]),
        (_text_of(make(destination)), ports[1]),
        details,
    )


def _text_of(address: IPv4Address | IPv6Address) -> str:
    """An address as text; IPv4 in IPv6's clothes is IPv4."""
    return str(getattr(address, "ipv4_mapped", None) or address)
