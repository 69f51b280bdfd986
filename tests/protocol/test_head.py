"""What a head says, and whether it may."""

import pytest

from tiamat.protocol.errors import (
    HeadTooLarge,
    NotImplementedMethod,
    ProtocolError,
    TargetTooLong,
    UnsupportedVersion,
)
from tiamat.protocol.framing import CHUNKED
from tiamat.protocol.head import read_head
from tiamat.protocol.headers import Names
from tiamat.protocol.limits import Limits
from tiamat.protocol.request import Request

HOST = (b"host", b"example.com")


def read(line: bytes, *headers: tuple[bytes, bytes], **limits: int) -> Request:
    """Read a head as a parser has found it."""
    head = line + b"\r\n" + b"".join(b"%s: %s\r\n" % field for field in headers)
    return read_head(head + b"\r\n", list(headers), Limits(**limits), Names("drop"))


def test_a_plain_request_is_complete_with_its_head() -> None:
    """
    Method, target and version are the three words of the line; no body comes.
    """
    request = read(b"GET /a?b HTTP/1.1", HOST)

    assert ("GET", b"/a?b", "1.1") == (request.method, request.target, request.version)
    assert (0, True, True) == (request.length, request.complete, request.keep_alive)


@pytest.mark.parametrize(
    ("field", "length"),
    [((b"content-length", b"5"), 5), ((b"transfer-encoding", b"chunked"), CHUNKED)],
)
def test_framing_says_that_a_body_comes(
    field: tuple[bytes, bytes], length: int
) -> None:
    """
    With Content-Length or chunks a request is not complete yet.
    """
    request = read(b"POST / HTTP/1.1", HOST, field)

    assert (length, False) == (request.length, request.complete)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"GET  / HTTP/1.1", ProtocolError),
        (b"GET /", ProtocolError),
        (b"GET / HTTP/2.0", UnsupportedVersion),
        (b"GET / RTSP/1.0", ProtocolError),
        (b"GET /#a HTTP/1.1", ProtocolError),
        (b"G@T / HTTP/1.1", ProtocolError),
        (b"CONNECT a:1 HTTP/1.1", NotImplementedMethod),
        (b"GET /%s HTTP/1.1" % (b"a" * 5000), TargetTooLong),
    ],
)
def test_a_line_that_is_none_of_ours_is_refused(
    line: bytes, error: type[ProtocolError]
) -> None:
    """
    Each with its status: 400, 414, 501, 505.
    """
    with pytest.raises(error):
        read(line, HOST)


def test_limits_are_exact() -> None:
    """
    The longest that is allowed passes, one byte more does not.
    """
    field = (b"x", b"y" * 95)  # with ": " and its line end, 98 without
    read(b"GET / HTTP/1.1", HOST, field, request_field_size=98)

    with pytest.raises(HeadTooLarge):
        read(b"GET / HTTP/1.1", HOST, field, request_field_size=97)
    with pytest.raises(HeadTooLarge):
        read(b"GET / HTTP/1.1", HOST, field, request_fields=1)


def test_an_absolute_target_names_the_host() -> None:
    """
    Its authority takes the place of the Host field.
    """
    request = read(b"GET http://other:81/x HTTP/1.1", HOST)

    assert (b"/x", b"other:81") == (request.target, request.fields[b"host"])
