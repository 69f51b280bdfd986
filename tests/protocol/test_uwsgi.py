"""Packets of uwsgi are read by the rules of HTTP, or refused."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol.packets import PLAIN, pack, packed
from protocol.wire import PARSERS

from tiamat.protocol.headers import Names
from tiamat.protocol.limits import Limits
from tiamat.protocol.request import Request
from tiamat.protocol.uwsgi import SaidSection, UwsgiConnection

STEADY = settings(max_examples=200, deadline=None, derandomize=True)

both_parsers = pytest.mark.parametrize("parser", PARSERS)


def read(
    *pieces: bytes, parser: str = "httptools", **limits: int
) -> tuple[UwsgiConnection, Request | None]:
    """A connection after these pieces, and its request."""
    connection = UwsgiConnection(Limits(**limits), PARSERS[parser], Names("drop"))
    for piece in pieces:
        if piece:
            connection.receive_data(piece)
    requests = connection.requests
    assert len(requests) <= 1
    return connection, requests[0] if requests else None


def found(connection: UwsgiConnection, request: Request | None) -> tuple[object, ...]:
    """All that became of what came."""
    error = None if connection.error is None else connection.error.status
    if request is None:
        return error, connection.empty
    section = request.section
    assert isinstance(section, SaidSection)
    body = None if request.body is None else b"".join(request.body.chunks)
    return (
        error, request.method, request.target, request.headers, section.variables,
        body, request.complete, connection.surplus,
    )  # fmt: skip


@both_parsers
def test_a_packet_is_a_request(parser: str) -> None:
    """Path and query by what the proxy has decided; fields, and all the rest."""
    connection, request = read(packed(), parser=parser)
    assert request is not None
    section = request.section
    assert isinstance(section, SaidSection)

    assert ("GET", b"/a%20b?q=%20", "1.0") == (
        request.method, request.target, request.version
    )  # fmt: skip
    assert [(b"host", b"shop.example:8443"), (b"x-one", b"1")] == request.headers
    assert {"REMOTE_USER", "REMOTE_ADDR", "HTTPS"} <= section.variables.keys()
    assert request.complete
    assert not request.keep_alive
    assert connection.error is None


@both_parsers
def test_a_body_is_as_long_as_its_variable_says(parser: str) -> None:
    """What is behind it is no second request."""
    packet = packed(
        REQUEST_METHOD="POST", CONTENT_LENGTH="5", CONTENT_TYPE="text/plain",
        HTTP_CONTENT_LENGTH="5", HTTP_TRANSFER_ENCODING="chunked",
    )  # fmt: skip
    connection, request = read(packet, b"hel", b"lo" + packed(), parser=parser)
    assert request is not None
    assert request.body is not None

    assert b"hello" == b"".join(request.body.chunks)
    assert request.complete
    assert (b"content-type", b"text/plain") in request.headers
    assert connection.surplus


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"PATH_INFO": None}, b"/x/../a%20b?q=%20"),
        ({"PATH_INFO": "", "QUERY_STRING": ""}, b"/"),
        ({"PATH_INFO": "/\xc3\xa9%?#", "QUERY_STRING": ""}, b"/%C3%A9%25%3F%23"),
        ({"SCRIPT_NAME": "/shop", "PATH_INFO": "/a"}, b"/shop/a?q=%20"),
        ({"SCRIPT_NAME": "/shop", "PATH_INFO": "/shop/a"}, b"/shop/a?q=%20"),
        ({"SCRIPT_NAME": "/shop", "PATH_INFO": "/shops"}, b"/shop/shops?q=%20"),
    ],
)
def test_the_path_is_the_proxys(changes: dict[str, str | None], target: bytes) -> None:
    """Decoded, with its dots resolved; REQUEST_URI counts where there is no other."""
    _, request = read(packed(**changes))
    assert request is not None

    assert target == request.target


def test_what_comes_later_overrides_what_came() -> None:
    """nginx sends both, the site's own last."""
    pairs = [*PLAIN.items(), ("REMOTE_ADDR", "203.0.113.9")]
    _, request = read(pack(pairs))
    assert request is not None
    assert isinstance(request.section, SaidSection)

    assert "203.0.113.9" == request.section.variables["REMOTE_ADDR"]


@both_parsers
@pytest.mark.parametrize(
    ("packet", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x00", 400),
        (pack(PLAIN, modifier=5), 400),
        (b"\x00\x03\x00\x00\x05\x00a", 400),
        (b"\x00\x01\x00\x00\x05", 400),
        (b"\x00\x04\x00\x00\x01\x00a\x05", 400),
        (pack({}), 400),
        (packed(REQUEST_METHOD=None), 400),
        (packed(REQUEST_METHOD="GET /x"), 400),
        (packed(REQUEST_METHOD=""), 400),
        (packed(PATH_INFO="a"), 400),
        (packed(PATH_INFO="http://evil/"), 400),
        (packed(PATH_INFO="*"), 400),
        (packed(PATH_INFO=None, REQUEST_URI="http://evil/"), 400),
        (packed(PATH_INFO=None, REQUEST_URI="/a b"), 400),
        (packed(QUERY_STRING="a b"), 400),
        (packed(QUERY_STRING="a#b"), 400),
        (packed(QUERY_STRING="a\r\nX: y"), 400),
        (packed(HTTP_X_TWO="a\r\nX-Three: y"), 400),
        (packed(HTTP_X_TWO="a\nb"), 400),
        (packed(HTTP_X_TWO="a\0b"), 400),
        (packed(REMOTE_USER="a\0b"), 400),
        (packed(**{"HTTP_A\r\nB": "x"}), 400),
        (packed(**{"HTTP_A:B": "x"}), 400),
        (packed(HTTP_="x"), 400),
        (packed(**{"": "x"}), 400),
        (packed(HTTP_HOST="a b"), 400),
        (packed(**{"HTTP-HOST": "b"}), None),
        (pack([*PLAIN.items(), ("HTTP_HOST", "other")]), 400),
        (packed(CONTENT_LENGTH="5", HTTP_CONTENT_LENGTH="6"), 400),
        (packed(HTTP_CONTENT_LENGTH="6"), 400),
        (packed(CONTENT_LENGTH="-1"), 400),
        (packed(CONTENT_LENGTH="5x"), 400),
        (pack([*PLAIN.items(), ("CONTENT_LENGTH", "7")]), 400),
        (pack([*PLAIN.items(), ("REQUEST_METHOD", "POST")]), 400),
        (packed(PATH_INFO="/" + "a" * 5000), 414),
        (packed(HTTP_COOKIE="a" * 9000), 431),
        (packed(**{f"HTTP_X{number}": "1" for number in range(200)}), 431),
        (packed(CONTENT_LENGTH=str(2 << 30)), 413),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(
    packet: bytes, status: int | None, parser: str
) -> None:
    """With the status that HTTP has for it, and its limits."""
    whole, request = read(packet, parser=parser)
    pieces, _ = read(*(bytes([byte]) for byte in packet), parser=parser)

    assert status == (None if whole.error is None else whole.error.status)
    assert status == (None if pieces.error is None else pieces.error.status)
    assert status is None or request is None


VALUES = st.text(st.characters(max_codepoint=255), max_size=8) | st.sampled_from(
    ["", "5", "GET", "/", "a.example", "on", "chunked", "a\r\nb"]
)
NAMES_ = st.sampled_from([*PLAIN, "SCRIPT_NAME", "HTTP_TE", "HTTP_X-Y"]) | VALUES


@STEADY
@given(
    st.lists(st.tuples(NAMES_, VALUES), max_size=5),
    st.binary(max_size=12),
    st.booleans(),
    st.integers(),
)
def test_pieces_make_no_difference(
    pairs: list[tuple[str, str]], behind: bytes, plain: bool, seed: int
) -> None:
    """Whatever comes: an error of ours or one request, however it is cut."""
    data = pack([*(PLAIN.items() if plain else ()), *pairs]) + behind
    chosen = random.Random(seed)
    cuts = sorted(chosen.choices(range(len(data) + 1), k=4))
    whole = found(*read(data))

    assert whole == found(*read(*(bytes([byte]) for byte in data)))
    assert whole == found(
        *read(*(data[a:b] for a, b in pairwise([0, *cuts, len(data)])))
    )
    assert whole == found(*read(data, parser="h11"))


@STEADY
@given(st.binary(max_size=64))
def test_no_bytes_raise(data: bytes) -> None:
    """Noise is refused, or is the beginning of something."""
    assert found(*read(data)) == found(*read(*(bytes([byte]) for byte in data)))
