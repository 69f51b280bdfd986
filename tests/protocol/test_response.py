"""Responses as bytes: heads, framing, and what an application can't break."""

import pytest
from protocol.wire import PARSERS

from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.errors import InvalidResponse
from tiamat.protocol.headers import Field, Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.response import Response, refusal

COMMON = b"Server: tiamat\r\nDate: today\r\n"


def response(method: str = "GET", version: str = "1.1", *fields: str) -> Response:
    """Answer a request with this beginning."""
    connection = Connection(Limits(), PARSERS["httptools"], Names("drop"))
    lines = [f"{method} / HTTP/{version}", "Host: a", *fields, "", ""]
    connection.receive_data("\r\n".join(lines).encode())
    return Response(connection.requests[0])


def head(data: bytes) -> list[bytes]:
    """The lines of a head, which ends as heads do."""
    assert data.endswith(b"\r\n\r\n")
    return data[:-4].split(b"\r\n")


def test_a_known_size_gives_content_length() -> None:
    """And everything else in its place: status, ours, theirs, framing."""
    answer = response()
    lines = head(answer.start("200 OK", [("X", "y")], COMMON, size=5))

    assert lines == [
        b"HTTP/1.1 200 OK",
        b"Server: tiamat",
        b"Date: today",
        b"X: y",
        b"Content-Length: 5",
    ]
    assert answer.data(b"hello") == (b"hello",)
    assert answer.end() == b""
    assert answer.keep_alive
    assert answer.status == 200
    assert answer.sent == 5


def test_an_unknown_size_gives_chunks() -> None:
    """In 1.1; an empty piece is no chunk, since that would be the last."""
    answer = response()

    assert b"Transfer-Encoding: chunked" in head(answer.start(200, [], COMMON))
    assert answer.data(b"") == ()
    assert b"".join(answer.data(b"a" * 26)) == b"1a\r\n" + b"a" * 26 + b"\r\n"
    assert answer.end() == b"0\r\n\r\n"
    assert answer.sent == 26
    assert answer.keep_alive


def test_trailers_follow_the_chunks() -> None:
    """Checked as headers are."""
    answer = response()
    answer.start(200, [], COMMON)

    assert answer.end([("X", "y")]) == b"0\r\nX: y\r\n\r\n"
    with pytest.raises(InvalidResponse):
        answer.end([("X", "y\r\n")])


def test_an_unknown_size_closes_in_1_0() -> None:
    """The end of the connection is the end of the body, whatever was asked."""
    answer = response("GET", "1.0", "Connection: keep-alive")
    lines = head(answer.start(200, [], COMMON))

    assert b"Connection: close" in lines
    assert b"Transfer-Encoding: chunked" not in lines
    assert answer.data(b"abc") == (b"abc",)
    assert answer.end() == b""
    assert not answer.keep_alive


def test_1_0_is_told_that_it_may_go_on() -> None:
    """Keep-alive isn't what it would expect."""
    answer = response("GET", "1.0", "Connection: keep-alive")

    assert b"Connection: keep-alive" in head(answer.start(200, [], COMMON, size=0))
    assert answer.keep_alive


def test_a_close_is_said() -> None:
    """RFC 9112, 9.6: if the client asked, or the driver will."""
    asked = response("GET", "1.1", "Connection: close")
    assert b"Connection: close" in head(asked.start(200, [], COMMON, size=0))

    ours = response()
    ours.keep_alive = False
    assert b"Connection: close" in head(ours.start(200, [], COMMON, size=0))


def test_more_than_content_length_is_cut() -> None:
    """What is cut is counted, and the connection stays in step."""
    answer = response()
    answer.start(200, [("Content-Length", "3")], COMMON)

    assert answer.data(b"ab") == (b"ab",)
    assert answer.data(b"cdef") == (b"c",)
    assert answer.data(b"g") == ()
    assert answer.excess == 4
    assert answer.sent == 3
    answer.end()
    assert answer.keep_alive


def test_less_than_content_length_closes() -> None:
    """The client waits for the rest, and would take the next head for it."""
    answer = response()
    answer.start(200, [("Content-Length", "3")], COMMON)
    answer.data(b"a")
    answer.end()

    assert not answer.keep_alive
    assert answer.missing == 2


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("POST", 204)]
)
def test_some_responses_have_no_body(method: str, status: int) -> None:
    """RFC 9110, 6.4.1: whatever the application gives for one."""
    answer = response(method)
    lines = head(answer.start(status, [("Content-Length", "5")], COMMON))

    assert (b"Content-Length: 5" in lines) == (status != 204)
    assert b"Transfer-Encoding: chunked" not in lines
    assert answer.data(b"hello") == ()
    assert answer.end() == b""
    assert answer.keep_alive
    assert answer.sent == 0


def test_a_file_is_framed_around() -> None:
    """As much of it as Content-Length still promises."""
    answer = response()
    answer.start(200, [("Content-Length", "10")], COMMON)
    answer.data(b"ab")

    assert answer.file(100) == 8
    assert answer.sent == 10
    assert answer.missing == 0


@pytest.mark.parametrize(
    "field",
    [
        ("X", "a\r\nb"), ("X\n", "a"), ("X", "\u20ac"), ("X", "a\0"), ("", "a"),
        ("Content-Length", "-1"), ("Content-Length", "1, 1"),
    ],
)  # fmt: skip
def test_a_bad_header_begins_nothing(field: Field) -> None:
    """The answer can still be a clean 500."""
    answer = response()
    with pytest.raises(InvalidResponse):
        answer.start(200, [field], COMMON)

    assert answer.status == 0
    assert answer.start(500, [], COMMON, size=0).startswith(b"HTTP/1.1 500 ")


def test_two_lengths_must_agree() -> None:
    """One goes out, or none."""
    same = [("Content-Length", "5"), ("content-length", "5")]
    lines = head(response().start(200, same, COMMON))
    assert 1 == sum(line.lower().startswith(b"content-length") for line in lines)

    other = [("Content-Length", "5"), ("Content-Length", "6")]
    with pytest.raises(InvalidResponse):
        response().start(200, other, COMMON)


@pytest.mark.parametrize(
    "name",
    ["Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE", "Trailer"],
)
def test_hop_by_hop_fields_are_not_passed_on(name: str) -> None:
    """PEP 3333: the application doesn't see the connection it would speak of."""
    answer = response()
    lines = head(answer.start(200, [(name, "x")], COMMON, size=0))

    assert not any(line.startswith(name.encode()) for line in lines)
    assert [name.lower().encode()] == list(answer.dropped)


def test_an_application_may_close() -> None:
    """``Connection: close`` is honoured, said once, and no mistake."""
    answer = response()
    lines = head(answer.start(200, [("Connection", "close")], COMMON, size=0))

    assert lines.count(b"Connection: close") == 1
    assert not answer.keep_alive
    assert not answer.dropped


def test_an_application_s_server_and_date_win() -> None:
    """There is never a second one."""
    fields = [("Server", "mine"), ("date", "never")]
    lines = head(response().start(200, fields, COMMON, size=0))

    assert b"Server: mine" in lines
    assert b"date: never" in lines
    assert b"Server: tiamat" not in lines
    assert b"Date: today" not in lines


def test_interim_responses_come_before_the_head() -> None:
    """RFC 9110, 15.2: never behind it, and never to 1.0."""
    answer = response()
    assert answer.interim(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    hints = answer.interim(103, [("Link", "</a>; rel=preload")])
    assert hints == b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"

    answer.start(200, [], COMMON, size=0)
    assert answer.interim(100) == b""
    assert response("GET", "1.0").interim(100) == b""


@pytest.mark.parametrize("status", [400, 408, 413, 414, 417, 431, 500, 501, 503, 505])
def test_a_refusal_is_whole(status: int) -> None:
    """It closes, and its length is right."""
    common = CommonHeaders(b"tiamat")
    common.refresh(0)
    lines, _, body = refusal(status, common.lines).partition(b"\r\n\r\n")

    assert lines.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Length: %d" % len(body) in lines.split(b"\r\n")
    assert b"Connection: close" in lines.split(b"\r\n")
