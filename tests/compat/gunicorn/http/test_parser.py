"""The requests of a connection."""

import socket

from tiamat.compat.gunicorn.config import Config
from tiamat.compat.gunicorn.http import get_parser
from tiamat.compat.gunicorn.http.parser import RequestParser

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
POST = (
    b"POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n"
)
LAST = b"GET /%d HTTP/1.0\r\n\r\n"


def paths(*pieces: bytes) -> list[str]:
    """Which requests are found in these."""
    parser = RequestParser(Config(), pieces, ("192.0.2.7", 1))
    return [f"{request.req_number} {request.path}" for request in parser]


def test_they_come_one_after_the_other() -> None:
    """Whatever the pieces are."""
    assert ["1 /7", "2 /8"] == paths((GET % 7) + (GET % 8)[:9], (GET % 8)[9:])


def test_a_body_that_nobody_reads_is_thrown_away() -> None:
    """It is no request."""
    assert ["1 /7", "2 /8"] == paths(POST % 7 + GET % 8)


def test_the_last_one_ends_it() -> None:
    """What comes behind it is not read."""
    assert ["1 /7"] == paths(LAST % 7 + GET % 8)


def test_a_body_may_be_too_long_to_throw_away() -> None:
    """Then it is not."""
    parser = RequestParser(Config(), [POST % 7], ("192.0.2.7", 1))
    next(parser)

    assert not parser.finish_body(max_bytes=3)


def test_a_connection_is_read() -> None:
    """By what chooses the parser."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(GET % 7)

        assert "/7" == next(get_parser(Config(), here, "")).path
