"""Requests that gunicorn's code reads from a connection."""

from typing import Any

import pytest

from tiamat.compat.gunicorn.config import Config
from tiamat.compat.gunicorn.http.errors import InvalidHeader, NoMoreData
from tiamat.compat.gunicorn.http.message import Message, Request
from tiamat.compat.gunicorn.http.unreader import IterUnreader

POST = (
    b"POST /a%20b?x=1 HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\n",
    b"hel",
    b"lo",
)


def request(*pieces: bytes) -> Any:
    """One that comes in these pieces."""
    return Request(Config(), IterUnreader(pieces), ("192.0.2.7", 4711))


def test_a_request_has_gunicorns_attributes() -> None:
    """The first line, the headers, and who has sent it."""
    found = request(*POST)

    assert ("POST", "/a%20b?x=1", "/a%20b", "x=1", (1, 1)) == (
        found.method,
        found.uri,
        found.path,
        found.query,
        found.version,
    )
    assert [("HOST", "shop"), ("CONTENT-LENGTH", "5")] == found.headers
    assert ("192.0.2.7", 4711) == found.remote_addr == found.peer_addr
    assert "http" == found.scheme


def test_its_body_is_read_as_it_comes() -> None:
    """And it ends where the length says."""
    found = request(*POST, b"more")

    assert (b"hello", b"") == (found.body.read(), found.body.read())


@pytest.mark.parametrize(
    ("line", "closes"), [(b"", False), (b"Connection: close\r\n", True)]
)
def test_the_connection_goes_on_or_not(line: bytes, closes: bool) -> None:
    """As the client says."""
    found = request(b"GET / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n")

    assert closes is found.should_close()


def test_the_connection_is_made_to_end() -> None:
    """By a worker."""
    found = request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

    found.force_close()

    assert found.should_close()


def test_a_broken_request_is_refused() -> None:
    """With gunicorn's exception."""
    with pytest.raises(InvalidHeader):
        request(b"GET / HTTP/1.1\r\nHost: a\r\nbad header: x\r\n\r\n")


def test_a_request_that_breaks_off() -> None:
    """Is another one."""
    with pytest.raises(NoMoreData):
        request(b"GET / HT")


def test_a_body_that_breaks_off() -> None:
    """Is not taken for a whole one."""
    found = request(*POST[:2])

    with pytest.raises(NoMoreData):
        found.body.read()


def test_no_request_is_no_error() -> None:
    """The client has just gone."""
    with pytest.raises(StopIteration):
        request()


def test_a_message_is_read_by_a_subclass() -> None:
    """It does not know how."""
    with pytest.raises(NotImplementedError):
        Message(Config(), IterUnreader([]), None)
