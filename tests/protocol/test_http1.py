"""One connection: what its driver sees of it, besides what the corpus tells."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol.wire import PARSERS, corpus, read

from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser import Reading

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

WIRES = [case.wire for case in corpus()]

PIECES = [
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b"\0", b":", b";", b"\xff", b"_",
    b"Host: a\r\n", b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: upgrade\r\nUpgrade: x\r\n", b"Connection: close\r\n", b"0\r\n\r\n",
]  # fmt: skip


def waits(connection: Connection) -> tuple[bool, bool]:
    """Whether *connection* is empty and whether it is paused, as of now."""
    return connection.empty, connection.paused


def connect(parser: str, **limits: int) -> Connection:
    """Make a connection with the limits named, the others being defaults."""
    return Connection(Limits(**limits), PARSERS[parser], Names("drop"))


both_parsers = pytest.mark.parametrize("parser", PARSERS)


@both_parsers
def test_a_new_connection_is_empty(parser: str) -> None:
    """Nothing came, nothing is wrong, and the next byte is a request's first."""
    connection = connect(parser)

    assert waits(connection) == (True, False)
    assert not connection.eof
    assert connection.requests == []
    assert connection.error is None


@both_parsers
def test_part_of_a_head_is_not_empty(parser: str) -> None:
    """So the driver's deadline is that of a head, not that of keep-alive."""
    connection = connect(parser)
    connection.receive_data(GET[:3])
    assert waits(connection) == (False, False)

    connection.receive_data(GET[3:])
    assert waits(connection) == (True, False)
    assert len(connection.requests) == 1


@both_parsers
def test_a_request_has_begun_before_its_body(parser: str) -> None:
    """It is there with its head, and complete with its last byte."""
    connection = connect(parser)
    connection.receive_data(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab"
    )
    (request,) = connection.requests
    assert request.length == 4
    assert [False] == [request.complete for request in connection.requests]

    connection.receive_data(b"cd")
    assert [True] == [request.complete for request in connection.requests]
    assert request.body is not None
    assert request.body.take() == b"abcd"
    assert connection.reading is Reading.HEAD


@both_parsers
def test_a_body_cut_off_is_never_complete(parser: str) -> None:
    """The end of the connection is not the end of a body."""
    connection = connect(parser)
    connection.receive_data(CHUNKED + b"5\r\nhello\r\n")
    connection.receive_eof()

    assert connection.eof
    assert not connection.requests[0].complete
    assert connection.reading is Reading.NOTHING


@both_parsers
def test_only_a_few_requests_wait(parser: str) -> None:
    """The rest stays bytes until one was taken, and none is lost."""
    connection = connect(parser, pipelined=2)
    connection.receive_data(GET * 5)
    assert waits(connection) == (False, True)
    assert len(connection.requests) == 2
    assert not connection.empty_behind

    taken = 0
    while connection.requests:
        connection.requests.pop(0)
        taken += 1
        connection.resume()
        assert len(connection.requests) <= 2
    assert taken == 5
    assert waits(connection) == (True, False)
    assert connection.empty_behind


@both_parsers
def test_nothing_is_read_behind_a_close(parser: str) -> None:
    """That something came is known: the close has to linger."""
    connection = connect(parser)
    connection.receive_data(b"GET / HTTP/1.0\r\n\r\n" + GET)

    assert len(connection.requests) == 1
    assert connection.error is None
    assert connection.surplus


@both_parsers
def test_nothing_is_read_behind_an_error(parser: str) -> None:
    """A request that follows one that was refused is never served."""
    connection = connect(parser)
    connection.receive_data(b"GET / HTTP/1.1\r\n\r\n" + GET)
    connection.receive_data(GET)

    assert connection.requests == []
    assert connection.error is not None
    assert connection.reading is Reading.NOTHING
    assert connection.surplus


@both_parsers
def test_an_endless_chunk_extension_ends(parser: str) -> None:
    """CVE-2024-22019: it is no content, so no limit of a body holds it."""
    connection = connect(parser)
    connection.receive_data(CHUNKED + b"5;")
    for _ in range(100):
        connection.receive_data(b"a" * 1000)

    assert connection.error is not None
    assert connection.error.status == 431


@both_parsers
def test_an_endless_chunk_size_ends(parser: str) -> None:
    """Leading zeros don't count for the number, but they do for us."""
    connection = connect(parser)
    connection.receive_data(CHUNKED)
    for _ in range(100):
        connection.receive_data(b"0" * 1000)

    assert connection.error is not None
    assert connection.error.status == 431


@both_parsers
def test_endless_trailers_end(parser: str) -> None:
    """By their number, as a head does."""
    connection = connect(parser)
    connection.receive_data(CHUNKED + b"0\r\n")
    for _ in range(10_000):
        connection.receive_data(b"a: b\r\n")

    assert connection.error is not None
    assert connection.error.status == 431


@both_parsers
def test_a_body_of_small_chunks_is_no_attack(parser: str) -> None:
    """Each byte of content may cost sixteen; one-byte chunks cost six."""
    connection = connect(parser)
    connection.receive_data(CHUNKED)
    for _ in range(100):
        connection.receive_data(b"1\r\na\r\n" * 1000)
    connection.receive_data(b"0\r\n\r\n")
    (request,) = connection.requests

    assert connection.error is None
    assert request.complete
    assert request.body is not None
    assert request.body.size == 100_000


@both_parsers
def test_endless_blank_lines_end(parser: str) -> None:
    """They are skipped, but not for ever."""
    connection = connect(parser)
    for _ in range(20_000):
        connection.receive_data(b"\r\n\r\n")
    assert connection.error is not None

    connection = connect(parser)
    connection.receive_data(b"\r\n" * 40_000)

    assert connection.error is not None
    assert connection.error.status == 431


@both_parsers
def test_line_ends_that_end_nothing_cost_little(parser: str) -> None:
    """Each CR LF CR LF cuts what came; a megabyte of them is still one pass."""
    connection = connect(parser)
    content = b"\r\n" * 500_000
    connection.receive_data(
        CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content) + GET
    )
    first, second = connection.requests

    assert first.body is not None
    assert content == first.body.take()
    assert second.complete


@both_parsers
def test_a_body_may_be_taken_while_it_comes(parser: str) -> None:
    """A driver that spools takes pieces; the sizes go on counting."""
    connection = connect(parser, request_body=6)
    connection.receive_data(CHUNKED + b"3\r\nabc\r\n")
    body = connection.requests[0].body
    assert body is not None
    assert body.take() == b"abc"

    connection.receive_data(b"3\r\ndef\r\n")
    assert body.take() == b"def"
    assert body.size == 6

    connection.receive_data(b"1\r\ng\r\n")
    assert connection.error is not None
    assert connection.error.status == 413


@both_parsers
def test_an_upgrade_is_offered_and_http_goes_on(parser: str) -> None:
    """RFC 9110, 7.8: it may be ignored; body and next request are as ever."""
    connection = connect(parser)
    connection.receive_data(
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n"
        b"Content-Length: 2\r\n\r\nab" + GET
    )
    first, second = connection.requests

    assert first.fields[b"upgrade"] == b"x"
    assert first.body is not None
    assert first.body.take() == b"ab"
    assert second.complete


WEBSOCKET = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
    b"Upgrade: WebSocket\r\n\r\n"
)


@both_parsers
def test_a_websocket_is_handed_over(parser: str) -> None:
    """What came behind its head is kept as it came, however it was cut."""
    wire = GET + WEBSOCKET + b"\x81\x80\r\n\r\n" + GET
    for at in range(1, len(wire)):
        connection = connect(parser)
        connection.upgrades = True
        connection.receive_data(wire[:at])
        connection.receive_data(wire[at:])
        first, second = connection.requests

        assert [b"", b"websocket"] == [first.upgrade, second.upgrade]
        assert b"\x81\x80\r\n\r\n" + GET == connection.unread
        assert connection.reading is Reading.OTHER
        assert connection.holding
        assert not second.keep_alive


@both_parsers
def test_a_websocket_waits_for_its_turn(parser: str) -> None:
    """Behind more requests than may wait it is bytes as they are."""
    connection = connect(parser, pipelined=2)
    connection.upgrades = True
    connection.receive_data(GET * 2 + WEBSOCKET + b"\x81\x80")
    assert connection.unread == b""

    connection.requests.clear()
    connection.resume()
    (request,) = connection.requests

    assert request.upgrade == b"websocket"
    assert connection.unread == b"\x81\x80"


@both_parsers
def test_without_a_websocket_layer_it_is_http(parser: str) -> None:
    """The connection goes on behind it."""
    connection = connect(parser)
    connection.receive_data(WEBSOCKET + GET)
    first, second = connection.requests

    assert first.upgrade == second.upgrade == b""
    assert first.keep_alive
    assert waits(connection) == (True, False)


@both_parsers
@pytest.mark.parametrize(
    "wire",
    [
        WEBSOCKET.replace(b"GET", b"POST"),
        WEBSOCKET.replace(b"HTTP/1.1", b"HTTP/1.0"),
        WEBSOCKET.replace(b"WebSocket", b"h2c"),
        WEBSOCKET.replace(b"WebSocket", b"websocket, h2c"),
        WEBSOCKET.replace(b", Upgrade", b""),
        WEBSOCKET.replace(b"Host", b"Content-Length: 2\r\nHost") + b"ab",
        WEBSOCKET.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost")
        + b"0\r\n\r\n",
    ],
)
def test_what_asks_for_more_than_a_websocket_is_http(parser: str, wire: bytes) -> None:
    """With the other method, version, protocol, option or a body it stays HTTP."""
    connection = connect(parser)
    connection.upgrades = True
    connection.receive_data(wire)
    (request,) = connection.requests

    assert request.upgrade == b""
    assert request.complete
    assert connection.error is None
    assert connection.unread == b""


def mutate(wire: bytes, chance: random.Random) -> bytes:
    """Change *wire* in up to four places."""
    changed = bytearray(wire)
    for _ in range(chance.randint(0, 4)):
        at = chance.randint(0, len(changed))
        piece = chance.choice(PIECES)
        end = at + chance.choice((0, 0, 1, len(piece)))
        changed[at:end] = piece if chance.random() < 0.8 else b""
    return bytes(changed)


@given(
    st.one_of(
        st.binary(max_size=300),
        st.builds(
            lambda wire, more, chance: mutate(wire + more, chance),
            st.sampled_from(WIRES),
            st.sampled_from([b"", *WIRES]),
            st.randoms(use_true_random=False),
        ),
    ),
    st.integers(0, 400),
)
@settings(max_examples=500, deadline=None)
def test_whatever_comes_is_refused_or_a_request(wire: bytes, at: int) -> None:
    """Never another exception, and both parsers agree on what was complete."""
    seen = []
    for parser in PARSERS:
        verdict = read(
            connect(parser), [part for part in (wire[:at], wire[at:]) if part]
        )
        if verdict.status == 501 and parser == "httptools":
            return  # the documented difference
        seen.append([request for request in verdict.requests if request.complete])

    assert seen[0] == seen[1]
