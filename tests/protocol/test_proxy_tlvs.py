"""What a PROXY header says besides the addresses."""

import pytest
from protocol.proxies import SSL, tlv, v2

from tiamat.protocol.proxy_tlvs import TLS, Details, InvalidTLVs, crc32c, parse_tlvs

ADDRESSES = bytes(12)


def parse(tlvs: bytes) -> Details:
    """Of a header around *tlvs*."""
    return parse_tlvs(v2(ADDRESSES + tlvs), 28)


def summed(tlvs: bytes) -> bytes:
    """With a checksum of the whole header in front."""
    blank = v2(ADDRESSES + tlv(3, bytes(4)) + tlvs)
    return tlv(3, crc32c(blank).to_bytes(4, "big")) + tlvs


def test_a_checksum_is_castagnolis() -> None:
    """RFC 3720, B.4, and the one that every description of it has."""
    assert 0xE3069283 == crc32c(b"123456789")
    assert 0x8A9136AA == crc32c(bytes(32))


def test_values_are_named() -> None:
    """What isn't known is there by its number."""
    details = parse(
        tlv(1, b"h2") + tlv(2, b"example.org") + tlv(5, b"\x01\x02")
        + tlv(0x30, b"blue") + tlv(4, b"padding") + tlv(0xEA, b"\x01vpce-1")
    )  # fmt: skip

    assert (b"h2", "example.org", b"\x01\x02", "blue") == (
        details.alpn, details.authority, details.unique_id, details.netns
    )  # fmt: skip
    assert b"\x01vpce-1" == details.others[0xEA]
    assert 4 not in details.others
    assert details.tls is None


def test_tls_is_what_the_client_has_spoken() -> None:
    """Version, cipher, the name in a certificate, and whether that is good."""
    expected = TLS("TLSv1.3", "TLS_AES_256_GCM_SHA384", "Jörg", True, True)

    assert expected == parse(SSL).tls


@pytest.mark.parametrize(
    ("client", "verify", "shown", "verified"),
    [(1, 0, False, False), (3, 0, True, True), (3, 1, True, False), (5, 0, True, True)],
)
def test_a_certificate_is_verified_only_if_there_is_one(
    client: int, verify: int, shown: bool, verified: bool
) -> None:
    """The field for it is 0 as well when none was shown."""
    tls = parse(tlv(0x20, bytes([client]) + verify.to_bytes(4, "big"))).tls
    assert tls is not None

    assert (shown, verified) == (tls.client_certificate, tls.verified)


def test_who_came_without_tls_has_none() -> None:
    """The value may be there all the same, and says so."""
    assert parse(tlv(0x20, bytes(5))).tls is None


def test_a_good_checksum_passes() -> None:
    """It covers the whole header, itself left out."""
    assert "a" == parse(summed(tlv(2, b"a"))).authority


@pytest.mark.parametrize(
    "tlvs",
    [
        b"\x01",
        b"\x01\x00",
        b"\x01\x00\x01",
        b"\x01\xff\xff" + bytes(100),
        tlv(3, b"abc"),
        tlv(3, b"abcd"),
        summed(tlv(2, b"a"))[:-1] + b"b",
        tlv(5, bytes(129)),
        tlv(0x20, bytes(4)),
        tlv(0x20, b"\x01\0\0\0\0\x21\x00\x09TLS"),
    ],
)
def test_what_cannot_be_read_is_refused(tlvs: bytes) -> None:
    """A length that doesn't fit, or a checksum: the whole header is broken."""
    with pytest.raises(InvalidTLVs):
        parse(tlvs)
