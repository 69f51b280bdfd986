"""
What a PROXY header of version 2 says besides the addresses: types, lengths, values.

Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, 2.2.1 to 2.2.7
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from tiamat.protocol.errors import ProtocolError

ALPN: Final = 0x01
AUTHORITY: Final = 0x02
CRC32C: Final = 0x03
NOOP: Final = 0x04
UNIQUE_ID: Final = 0x05
SSL: Final = 0x20
SSL_VERSION: Final = 0x21
SSL_CN: Final = 0x22
SSL_CIPHER: Final = 0x23
NETNS: Final = 0x30

_CLIENT_SSL: Final = 0x01
_CLIENT_CERTIFICATE: Final = 0x02 | 0x04  # on this connection, or in this session
_LONGEST_ID: Final = 128

_POLYNOMIAL: Final = 0x82F63B78  # Castagnoli's, bits reversed (RFC 3309, appendix B.1)


class InvalidTLVs(ProtocolError):
    """A header of version 2 whose rest can't be read, or is broken."""


@dataclass(frozen=True, slots=True)
class TLS:
    """
    What the proxy says of the client's TLS.

    Attributes:
        version: As OpenSSL calls it: "TLSv1.3".
        cipher: Its name.
        client_name: The common name in the client's certificate.
        client_certificate: The client has shown one.
        verified: One was shown, and it is good.
    """

    version: str = ""
    cipher: str = ""
    client_name: str = ""
    client_certificate: bool = False
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Details:
    """
    Everything but the addresses; what isn't said is empty.

    Attributes:
        alpn: The protocol that the client has agreed upon.
        authority: The host that the client has named: SNI.
        unique_id: Of the connection, by which a log of the proxy's finds it.
        netns: The namespace of the proxy.
        tls: None if the client came without.
        others: All values, by type; of one that comes twice the last.
    """

    alpn: bytes = b""
    authority: str = ""
    unique_id: bytes = b""
    netns: str = ""
    tls: TLS | None = None
    others: Mapping[int, bytes] = field(default_factory=lambda: MappingProxyType({}))

    def shown(self) -> dict[str, Any]:
        """The same as an application gets it."""
        tls = self.tls or TLS()
        return {
            "alpn": self.alpn,
            "authority": self.authority,
            "unique_id": self.unique_id,
            "netns": self.netns,
            "tls": self.tls is not None,
            "tls_version": tls.version,
            "tls_cipher": tls.cipher,
            "client_name": tls.client_name,
            "client_verified": tls.verified,
            "tlvs": self.others,
        }


NOTHING: Final = Details()


def parse_tlvs(data: bytes, begin: int) -> Details:
    """
    Read what stands behind the addresses.

    Args:
        data: The whole header, since a checksum is made of all of it.
        begin: Where the first one is.

    Raises:
        InvalidTLVs: One is longer than what there is, or the checksum is wrong.
    """
    if begin == len(data):
        return NOTHING
    values: dict[int, bytes] = {}
    for kind, at, value in _split(data, begin):
        if kind == CRC32C:
            _check(data, at, value)
        if kind != NOOP:
            values[kind] = value
    if len(values.get(UNIQUE_ID, b"")) > _LONGEST_ID:
        raise InvalidTLVs("a unique id of more than 128 bytes")
    ssl = values.get(SSL)
    return Details(
        values.get(ALPN, b""),
        _text(values.get(AUTHORITY, b"")),
        values.get(UNIQUE_ID, b""),
        _text(values.get(NETNS, b"")),
        None if ssl is None else _tls(ssl),
        MappingProxyType(values),
    )


def _split(data: bytes, begin: int) -> Iterator[tuple[int, int, bytes]]:
    """Type, place of the value, and value, of each."""
    while begin < len(data):
        at = begin + 3
        end = at + int.from_bytes(data[begin + 1 : at], "big")
        if end > len(data) or at > len(data):
            raise InvalidTLVs("a TLV that is longer than the header")
        yield data[begin], at, data[at:end]
        begin = end


def _check(data: bytes, at: int, value: bytes) -> None:
    """2.2.3: "the receiver MUST calculate the checksum […] and abort"."""
    whole = data[:at] + bytes(4) + data[at + 4 :]
    if len(value) != 4 or int.from_bytes(value, "big") != crc32c(whole):
        raise InvalidTLVs("a wrong checksum")


def _tls(value: bytes) -> TLS | None:
    """What 2.2.6 calls pp2_tlv_ssl."""
    if len(value) < 5:
        raise InvalidTLVs("a TLV of TLS that is too short")
    client = value[0]
    if not client & _CLIENT_SSL:
        return None
    values = {kind: text for kind, _, text in _split(value, 5)}
    certificate = bool(client & _CLIENT_CERTIFICATE)
    return TLS(
        _text(values.get(SSL_VERSION, b"")),
        _text(values.get(SSL_CIPHER, b"")),
        _text(values.get(SSL_CN, b"")),
        certificate,
        certificate and not any(value[1:5]),
    )


def _text(value: bytes) -> str:
    """Names are UTF-8, of whoever has written a certificate."""
    return value.decode("utf-8", "replace")


def _table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (_POLYNOMIAL if number & 1 else 0)
        table.append(number)
    return table


_TABLE: Final = _table()


def crc32c(data: bytes) -> int:
    """The checksum of RFC 3309; zlib has another one."""
    crc = 0xFFFFFFFF
    table = _TABLE
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
