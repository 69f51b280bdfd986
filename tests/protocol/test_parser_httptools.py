"""What llhttp's errors mean to a client."""

import httptools
import pytest
from protocol.wire import PARSERS

from tiamat.protocol.errors import (
    BodyTooLarge,
    NotImplementedMethod,
    ProtocolError,
    UnsupportedVersion,
)
from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser_httptools import Parser, translate


class Failing:
    """A protocol of httptools' whose callback raises *error*."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def on_headers_complete(self) -> None:
        raise self.error


def raised(data: bytes, protocol: object = None) -> Exception:
    """What the parser itself raises for *data*."""
    with pytest.raises(httptools.HttpParserError) as found:
        Parser(protocol or object()).feed_data(data)
    return found.value


def test_the_parser_is_httptools_own() -> None:
    """No frame of ours stands between it and the connection."""
    assert Parser is httptools.HttpRequestParser


def test_our_own_error_comes_out_of_a_callback() -> None:
    """httptools wraps what a callback raises."""
    ours = BodyTooLarge("large")
    error = raised(b"GET / HTTP/1.1\r\n\r\n", Failing(ours))

    assert ours is translate(error)


def test_a_bug_of_ours_stays_one() -> None:
    """It is not blamed on the client."""
    bug = ZeroDivisionError()
    error = raised(b"GET / HTTP/1.1\r\n\r\n", Failing(bug))

    assert bug is translate(error)
    assert bug is translate(bug)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"GET / HTTP/1.1\nHost: a\r\n\r\n", ProtocolError),
        (b"GET / HTTP/1.1\r\nA B: c\r\n\r\n", ProtocolError),
        (b"GET / HTTP/1.2\r\n\r\n", UnsupportedVersion),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", UnsupportedVersion),
    ],
)
def test_an_error_of_llhttp_is_the_client_s(
    data: bytes, kind: type[ProtocolError]
) -> None:
    """A version is told by llhttp's text, which a new release might change."""
    assert kind is type(translate(raised(data)))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ([b"BREW / HTTP/1.1\r\n"], NotImplementedMethod),
        ([b"BR", b"EW", b" "], NotImplementedMethod),
        ([b"GETX ", b"/"], NotImplementedMethod),
        ([b"\x16\x03\x01"], ProtocolError),
        ([b"BR", b"\0"], ProtocolError),
        ([b"A" * 40], ProtocolError),
    ],
)
def test_an_unknown_method_is_501_and_garbage_400(
    data: list[bytes], kind: type[ProtocolError]
) -> None:
    """llhttp stops at the same byte for either."""
    connection = Connection(Limits(), PARSERS["httptools"], Names("drop"))
    for piece in data:
        connection.receive_data(piece)

    assert kind is type(connection.error)


def test_part_of_an_unknown_method_is_no_error_yet() -> None:
    """Nobody knows yet what it will be."""
    connection = Connection(Limits(), PARSERS["httptools"], Names("drop"))
    connection.receive_data(b"BRE")

    assert connection.error is None
