"""h11 behind the parser interface, by itself."""

import itertools

import pytest
from protocol.wire import PARSERS, read

from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser_h11 import Parser, parse_fields

LINE = b"GET / HTTP/1.1"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def connect() -> Connection:
    """A connection that h11 reads."""
    return Connection(Limits(), PARSERS["h11"], Names("drop"))


def test_fields_come_as_they_were_written() -> None:
    """In order, in their case, with the whitespace around values gone."""
    fields = b"B: 1\r\na:\t2 \r\nB:\r\n"

    assert [(b"B", b"1"), (b"a", b"2"), (b"B", b"")] == parse_fields(LINE, fields)


def test_h11_draws_no_conclusions() -> None:
    """Fields that frame come out as often as they came; ours is the verdict."""
    fields = (
        b"Content-Length: 5, 5\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n"
        b"Host: a\r\nHost: b\r\nConnection: upgrade\r\nUpgrade: x\r\n"
    )

    assert len(parse_fields(LINE, fields)) == 7


@pytest.mark.parametrize(
    "fields",
    [
        b": a\r\n", b"a\r\n", b"a : b\r\n", b" a: b\r\n", b"a: b\r\n c\r\n",
        b"a b: c\r\n", b"\xe9: a\r\n", b"\r\n",
    ],
)  # fmt: skip
def test_fields_that_are_none_are_refused(fields: bytes) -> None:
    """As a ProtocolError, so that nobody needs to know h11's."""
    with pytest.raises(ProtocolError):
        parse_fields(LINE, fields)


@pytest.mark.parametrize(
    "line",
    [b"", b"GET", b"GET /", b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b"GET / HTTP/1.11"],
)
def test_a_line_that_is_none_is_refused(line: bytes) -> None:
    """A method, a target and a version, with one space between them."""
    with pytest.raises(ProtocolError):
        parse_fields(line, b"")


@pytest.mark.parametrize("byte", [b"\0", b"\n", b"\r\r", b"\x7f", b"\x0b"])
def test_a_forbidden_byte_is_refused_at_once(byte: bytes) -> None:
    """Not only when the head is whole, which it may never be."""
    parser = Parser(connect())
    parser.feed_data(b"GET / HTTP/1.1\r\nHost: a")
    with pytest.raises(ProtocolError):
        parser.feed_data(byte)


@pytest.mark.parametrize("data", [b"\x16\x03", b"GET\\", b"GET / x", b"{"])
def test_what_begins_no_request_is_refused_at_once(data: bytes) -> None:
    """TLS on a plain port, say: its client waits for an answer."""
    connection = connect()
    connection.receive_data(data)

    assert connection.error is not None


@pytest.mark.parametrize("data", [b"x", b"5 ", b"-", b"5\n", b"5;\0", b"5\r5"])
def test_a_wrong_chunk_is_refused_at_once(data: bytes) -> None:
    """Before its line is whole."""
    connection = connect()
    connection.receive_data(CHUNKED + data)

    assert connection.error is not None
    assert connection.error.status == 400


@pytest.mark.parametrize("method", ["BREW", "get", "X-Y", "A" * 30])
def test_any_method_is_served(method: str) -> None:
    """What llhttp answers with 501."""
    verdict = read(connect(), [b"%s / HTTP/1.1\r\nHost: a\r\n\r\n" % method.encode()])

    assert [method] == [request.method for request in verdict.requests]


def test_several_messages_may_come_at_once() -> None:
    """The connection cuts what it feeds; the parser doesn't depend on that."""
    connection = connect()
    Parser(connection)
    verdict = read(connection, [CHUNKED + b"1\r\na\r\n0\r\nX: y\r\n\r\n" + CHUNKED])

    assert [True, False] == [request.complete for request in verdict.requests]


def test_chunk_extensions_are_those_of_the_other_parser() -> None:
    """Both take, and both refuse, whatever could begin or end one in four bytes."""
    for size in range(5):
        for written in itertools.product(b';="a \\\t\x80', repeat=size):
            line = b"1;" + bytes(written)
            wire = CHUNKED + line + b"\r\nx\r\n0\r\n\r\n"
            taken = {accepts(wire, name) for name in PARSERS}

            assert 1 == len(taken), line


def accepts(wire: bytes, parser: str) -> bool:
    """Whether a request is complete."""
    connection = Connection(Limits(), PARSERS[parser], Names("drop"))
    connection.receive_data(wire)
    return connection.error is None and connection.requests[0].complete
