"""ASGI without an event loop: messages on the left, bytes on the right."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tiamat.gateways.asgi import ASGIGateway, Cycle, Disconnected
from tiamat.gateways.asgi_scope import Scopes
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.request import Request


class Stream:
    """A connection that keeps what is written."""

    draining = False

    def __init__(self) -> None:
        self.gone = False
        self.ended = False
        self.full = False
        self.data = b""

    def write(self, *buffers: bytes) -> None:
        self.data += b"".join(buffers)

    write_on = write

    def taken(self) -> None: ...
    def invite(self) -> None: ...
    def streaming(self, cycle: Cycle) -> None: ...
    def responded(self, cycle: Cycle) -> None: ...
    def left(self, cycle: Cycle) -> None: ...

    async def more(self) -> None:
        raise AssertionError("it would wait")

    async def more_body(self, cycle: Cycle) -> None:
        raise AssertionError("it would wait")

    async def drain(self) -> None: ...
    async def send_file(self, fileno: int, offset: int, count: int) -> None: ...


def run(app: Any, fields: dict[bytes, bytes] | None = None) -> tuple[Stream, Cycle]:
    """Run *app* on one request, to its end."""
    common = CommonHeaders(b"t")
    common.lines = b""
    scopes = Scopes()
    gateway = ASGIGateway(app, common, logging.getLogger("tests.asgi"), scopes)
    request = Request(
        "GET", b"/a", "1.1", list((fields or {}).items()), fields or {}, b""
    )
    stream = Stream()
    scope = scopes.http(request, scopes.base(("a", 80), "http"), None)
    cycle = Cycle(gateway, stream, request, scope)
    with pytest.raises(StopIteration):
        cycle.run().send(None)
    return stream, cycle


def answering(*messages: dict[str, Any]) -> Callable[..., Any]:
    """An application that sends these."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return app


START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}
BODY: dict[str, Any] = {"type": "http.response.body", "body": b"abc"}


def test_one_chunk_gets_its_length() -> None:
    """Head and body are one piece."""
    stream, _ = run(answering(START, BODY))

    assert stream.data == b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"


def test_several_chunks_are_chunked() -> None:
    """Nobody knows the length beforehand."""
    stream, _ = run(answering(START, BODY | {"more_body": True}, BODY))

    assert stream.data == (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n"
    )


def test_headers_may_be_lists() -> None:
    """The specification asks for iterables of two."""
    stream, _ = run(answering(START | {"headers": [[b"x-a", b"1"]]}, BODY))

    assert b"x-a: 1\r\n" in stream.data


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (START,),
        (START | {"headers": [(b"x", b"a\r\nb: c")]}, BODY),
        (START | {"headers": [("x", "text")], "status": None}, BODY),
        (BODY,),
        (START, START),
    ],
)
def test_what_can_not_be_sent_is_a_500(messages: Any) -> None:
    """Whatever the application gets wrong before its head."""
    stream, _ = run(answering(*messages))

    assert stream.data.startswith(b"HTTP/1.1 500 ")


def test_an_exception_behind_the_head_closes() -> None:
    """Nothing but the end of the connection can tell the client."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(BODY | {"more_body": True})
        raise ValueError

    _, cycle = run(app)

    assert not cycle.response.keep_alive
    assert cycle.over


def test_nothing_is_sent_behind_the_end() -> None:
    """It is the application's mistake, and the client has its answer."""
    stream, cycle = run(answering(START, BODY, BODY))

    assert stream.data.endswith(b"\r\n\r\nabc")
    assert cycle.over


def test_send_raises_for_nobody() -> None:
    """ASGI 2.4: an OSError."""
    raised = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        cycle = receive.__self__
        cycle.stream.gone = cycle.stream.ended = True
        try:
            await send(START)
        except Disconnected as error:
            raised.append(error)

    stream, _ = run(app)

    assert stream.data == b""
    assert len(raised) == 1


def test_trailers_go_to_who_takes_them() -> None:
    """Only with ``TE: trailers``; the body ends in any case."""
    messages = (
        START | {"trailers": True},
        BODY,
        {"type": "http.response.trailers", "headers": [(b"x-sum", b"7")]},
    )
    taken, _ = run(answering(*messages), {b"te": b"trailers"})
    left, _ = run(answering(*messages))

    assert taken.data.endswith(b"3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n")
    assert left.data.endswith(b"3\r\nabc\r\n0\r\n\r\n")


def test_early_hints_come_before_the_response() -> None:
    """``http.response.early_hint``, and gunicorn's message for any 1xx."""
    stream, _ = run(
        answering(
            {"type": "http.response.early_hint", "links": [b"</a>; rel=preload"]},
            {
                "type": "http.response.informational",
                "status": 103,
                "headers": [(b"link", b"</b>")],
            },
            START,
            BODY,
        )
    )

    assert stream.data.startswith(
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nlink: </b>\r\n\r\nHTTP/1.1 200 OK\r\n"
    )
