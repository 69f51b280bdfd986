"""PROXY headers by the letter, whole and in pieces."""

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol.proxies import (
    IPV4,
    IPV6,
    LOCAL,
    SIGNATURE,
    V1,
    V1_V6,
    V2,
    V2_SSL,
    tlv,
    v2,
)

from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.proxy import (
    BEGINNINGS,
    HeaderReader,
    InvalidProxyHeader,
    ProxyHeader,
)

STEADY = settings(max_examples=200, deadline=None, derandomize=True)

V4 = ("192.0.2.7", 56324), ("198.51.100.1", 443)
V6 = ("2001:db8::7", 56324), ("2001:db8::1", 443)

LONGEST = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n".replace(
    b"ffff:f...f:ffff", b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
)


def read(data: bytes, versions: str = "auto", cuts: tuple[int, ...] = ()) -> Any:
    """
    What comes of bytes in pieces: a header and what isn't its own, or an error.

    None is that more would be needed.
    """
    reader = HeaderReader(BEGINNINGS[versions])
    edges = [0, *cuts, len(data)]
    taken = 0
    for begin, end in pairwise(edges):
        if reader.header is None and begin < end:
            try:
                size = reader.take(data[begin:end])
            except ProtocolError:
                return "refused"
            taken += size
    if reader.header is None:
        assert taken == len(data)
        return None
    return reader.header, data[taken:]


@pytest.mark.parametrize(
    ("data", "ends"),
    [(V1, V4), (V1_V6, V6), (V2, V4), (v2(IPV6, kind=0x21), V6)],
)
def test_both_ends_are_named(data: bytes, ends: tuple[object, object]) -> None:
    """Whichever the version and the family; and the rest is left alone."""
    read_ = read(data + b"GET /")
    assert isinstance(read_, tuple)
    header, rest = read_

    assert ends == (header.source, header.destination)
    assert b"GET /" == rest


@pytest.mark.parametrize(
    "data",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN whatever it says\r\n",
        LONGEST,
        LOCAL,
        v2(IPV4, command=0x20),
        v2(b"\xff" * 7, command=0x20, kind=0x77),
        v2(b"", kind=0x00),
        v2(b"junk", kind=0x01),
        v2(bytes(216), kind=0x31),
    ],
)
def test_a_proxy_may_name_nobody(data: bytes) -> None:
    """It speaks for itself, or has no words: then the connection's own ends count."""
    read_ = read(data + b"x")
    assert isinstance(read_, tuple)
    header, rest = read_

    assert header.source is None
    assert header.destination is None
    assert b"x" == rest


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY\r\n",
        b"PROXY \r\n",
        b"PROXY\tTCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        b"PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4\r1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1_0\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 \xb2 2\r\n",
        b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
        b"PROXY TCP6 [::1] ::1 1 2\r\n",
        b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY UNKNOWNS\r\n",
        LONGEST[:-2] + b"1234\r\n",
        b"PROXY UNKNOWN" + b" " * 200,
        SIGNATURE[:-1] + b"\r",
        v2(IPV4, command=0x11),
        v2(IPV4, command=0x22),
        v2(IPV4, command=0x31),
        v2(IPV4, kind=0x13),
        v2(IPV4, kind=0x41),
        v2(IPV4, kind=0x03),
        v2(IPV4[:-1]),
        v2(IPV4, kind=0x21),
        v2(IPV4, kind=0x31),
        v2(b"", size=16369),
        v2(IPV4 + b"\x01"),
        v2(IPV4 + b"\x01\x00\x02x"),
    ],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    """Nothing is guessed: neither that there might be none, nor what was meant."""
    assert "refused" == read(data)
    assert "refused" == read(data, cuts=tuple(range(len(data))))


@pytest.mark.parametrize(
    ("versions", "data", "accepted"),
    [
        ("v1", V1, True),
        ("v1", V2, False),
        ("v2", V2, True),
        ("v2", V1, False),
        ("auto", V1, True),
        ("auto", V2, True),
    ],
)
def test_only_the_version_that_is_expected_is_read(
    versions: str, data: bytes, accepted: bool
) -> None:
    """Who has set one up means that one."""
    assert accepted is (read(data, versions) != "refused")


def test_a_mapped_address_is_the_ipv4_address() -> None:
    """Lists of networks name it so, and so do applications."""
    read_ = read(b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n")
    assert isinstance(read_, tuple)

    assert ("192.0.2.7", 1) == read_[0].source


def test_what_an_application_sees_cannot_be_changed() -> None:
    """All requests of a connection have the same object."""
    read_ = read(V2_SSL)
    assert isinstance(read_, tuple)
    shown = read_[0].shown()

    assert (2, True) == (shown["version"], shown["tls"])
    with pytest.raises(TypeError):
        shown["version"] = 3


HEADERS = [V1, V1_V6, V2, V2_SSL, LOCAL, LONGEST, v2(IPV4 + tlv(4, b"pad"))]

PIECES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(HEADERS),
        st.sampled_from(
            [b"PROXY ", SIGNATURE, b"\r\n", b"TCP4 ", b" 1.2.3.4", b"\x21\x11"]
        ),
    ),
    max_size=6,
).map(b"".join)


@STEADY
@given(data=PIECES, seed=st.integers())
def test_pieces_make_no_difference(data: bytes, seed: int) -> None:
    """Whatever comes: an error of ours or a header, and the same however it is cut."""
    cuts = sorted(random.Random(seed).choices(range(len(data) + 1), k=4))
    whole = read(data)

    assert whole == read(data, cuts=tuple(range(len(data))))
    assert whole == read(data, cuts=tuple(cuts))


@STEADY
@given(
    at=st.integers(0, 10_000), byte=st.integers(0, 255), header=st.sampled_from(HEADERS)
)
def test_one_wrong_byte_is_an_error_of_ours_or_none(
    at: int, byte: int, header: bytes
) -> None:
    """Nothing else ever comes out of a reader."""
    wrong = bytearray(header)
    wrong[at % len(wrong)] = byte
    whole = read(bytes(wrong))

    assert whole == read(bytes(wrong), cuts=tuple(range(len(wrong))))


def test_errors_say_what_came() -> None:
    """The log names the first bytes, by which one sees what was sent instead."""
    with pytest.raises(InvalidProxyHeader, match="begins with b'GET / HTTP/1'"):
        HeaderReader().take(b"GET / HTTP/1.1\r\n\r\n")


def test_a_header_that_says_nothing_has_no_details() -> None:
    """Every key is there all the same: nobody has to ask."""
    assert "" == ProxyHeader(1).shown()["authority"]
    assert {} == ProxyHeader(1).shown()["tlvs"]
