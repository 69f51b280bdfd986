"""What is kept of a header section says the same as reading it again."""

import pytest
from protocol.wire import PARSERS, Verdict, corpus, read

from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.section import Section

SECTION = b"\r\nHost: a\r\nX-One: 1\r\nCookie: a=b\r\n\r\n"

both_parsers = pytest.mark.parametrize("parser", PARSERS)


def connect(parser: str, **limits: int) -> Connection:
    """Make a connection with the limits named, the others being defaults."""
    return Connection(Limits(**limits), PARSERS[parser], Names("drop"))


def warmed(parser: str, section: bytes, **limits: int) -> Connection:
    """A connection on which a section has come twice."""
    connection = connect(parser, **limits)
    for path in (b"/one", b"/two"):
        read(connection, [b"GET %s HTTP/1.1" % path + section])
    return connection


def kept(connection: Connection) -> Section | None:
    """What it keeps."""
    return connection._section


def ask(connection: Connection, data: bytes) -> tuple[Verdict, bool]:
    """What *data* is read to, and whether by what was kept."""
    connection.receive_data(data)
    repeated = any(request.section is not None for request in connection.requests)
    return read(connection, [b""]), repeated


@both_parsers
def test_a_section_that_came_twice_is_kept(parser: str) -> None:
    """The third head that ends in it is read by it, and has the same fields."""
    connection = warmed(parser, SECTION)
    connection.receive_data(b"HEAD /three?x=1 HTTP/1.1" + SECTION)
    request = connection.requests[0]

    assert request.section is kept(connection) is not None
    assert ("HEAD", b"/three?x=1", "1.1") == (
        request.method,
        request.target,
        request.version,
    )
    assert [(b"host", b"a"), (b"x-one", b"1"), (b"cookie", b"a=b")] == request.headers
    assert {b"host": b"a", b"x-one": b"1", b"cookie": b"a=b"} == request.fields
    assert b"HEAD /three?x=1 HTTP/1.1" + SECTION == request.head
    assert request.complete
    assert request.keep_alive


@both_parsers
def test_one_that_came_once_is_not_kept(parser: str) -> None:
    """A client that never repeats itself costs nothing but its last head."""
    connection = connect(parser)
    read(connection, [b"GET / HTTP/1.1" + SECTION])

    assert kept(connection) is None


@both_parsers
def test_an_idle_connection_keeps_nothing(parser: str) -> None:
    """The sweep of its driver tells it to forget; then it reads as ever."""
    connection = warmed(parser, SECTION)
    connection.forget()
    _, repeated = ask(connection, b"GET / HTTP/1.1" + SECTION)

    assert not repeated


@both_parsers
@pytest.mark.parametrize("byte", range(256))
def test_any_byte_in_a_request_line_means_what_it_always_means(
    parser: str, byte: int
) -> None:
    """In the target, in the method, in the version, and in place of a space."""
    for line in (
        b"GET /a%cb HTTP/1.1", b"GET %cb HTTP/1.1", b"G%cT / HTTP/1.1",
        b"GET%c/ HTTP/1.1", b"GET /%cHTTP/1.1", b"GET / HTTP/%c.1", b"GET / HTTP/1.1%c",
        b"%cGET / HTTP/1.1",
    ):  # fmt: skip
        data = line % byte + SECTION
        expected = read(connect(parser), [data])

        assert expected == read(warmed(parser, SECTION), [data]), data


@both_parsers
def test_a_case_of_the_corpus_is_read_the_same(parser: str) -> None:
    """Behind two requests with its own header section, where those are valid."""
    for case in corpus():
        at = case.wire.find(b"\r\n")
        end = case.wire.find(b"\r\n\r\n") + 4
        if not 0 <= at < end:
            continue
        before = [b"GET / HTTP/1.1" + case.wire[at:end]] * 2
        warm = case.run(parser, before)
        whole = [r for r in warm.requests if r.complete and not r.body]
        if len(whole) < 2 or not warm.waits:
            continue
        expected = case.run(parser, [case.wire])
        verdict = case.run(parser, [*before, case.wire])

        assert expected.requests == verdict.requests[2:], case.name
        assert expected.waits == verdict.waits, case.name
        assert expected.status == verdict.status, case.name


@both_parsers
@pytest.mark.parametrize(
    "field",
    [
        b"Content-Length: 0",
        b"Expect: 100-continue",
        b"Connection: close",
        b"Upgrade: websocket",
        b"Connection: upgrade\r\nUpgrade: websocket",
        b"X: " + 4096 * b"x",
    ],
)
def test_what_depends_on_more_than_its_bytes_is_not_kept(
    parser: str, field: bytes
) -> None:
    """Nor what is so long that it isn't worth its memory."""
    connection = warmed(parser, b"\r\nHost: a\r\n%s\r\n\r\n" % field)

    assert kept(connection) is None


@both_parsers
def test_limits_hold_for_a_head_that_is_read_by_it(parser: str) -> None:
    """A request line may be too long, and so may a head."""
    connection = warmed(parser, SECTION, request_line=100)
    verdict, _ = ask(connection, b"GET /%s HTTP/1.1" % (100 * b"x") + SECTION)

    assert verdict.status == 414


@both_parsers
def test_two_heads_at_once_are_two_requests(parser: str) -> None:
    """What comes in front of a kept section is not hidden behind it."""
    head = b"GET /three HTTP/1.1" + SECTION
    connection = warmed(parser, SECTION)
    verdict = read(connection, [head + head, head])

    assert ["/three"] * 3 == [request.target for request in verdict.requests]


@both_parsers
def test_a_request_with_a_body_may_come_between(parser: str) -> None:
    """What was kept stays good."""
    connection = warmed(parser, SECTION)
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    posted = read(connection, [post])
    _, repeated = ask(connection, b"GET / HTTP/1.1" + SECTION)

    assert posted.requests[0].body == "abc"
    assert repeated
