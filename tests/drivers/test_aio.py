"""The server on an asyncio loop, over real sockets."""

import asyncio
import contextvars
from typing import Any

import pytest
from drivers.aio_loops import hello, run

from tiamat.drivers.service import Timeouts

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(autouse=True)
def kind() -> None:
    """Nothing here runs on the evented driver, of which there are kinds."""


def test_a_request_is_answered_and_counted() -> None:
    """One connection, one request, one response."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(GET)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert await reader.readline() == b"GET /a 0\n"

    assert run(hello, client).handled == 1


def test_a_request_that_takes_too_long_is_cancelled() -> None:
    """``request_timeout``: the client hears 503, the application is cancelled."""
    cancelled = []

    async def stuck(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(scope["path"])
            raise

    async def client(reader: Any, writer: Any) -> None:
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 503")

    run(stuck, client, timeouts=Timeouts(slow=0.1, request=0.2))

    assert cancelled == ["/a"]


def test_over_the_limit_requests_wait_their_turn() -> None:
    """With ``worker_connections`` = 1 no two requests are in the application."""
    inside = 0
    most = 0

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.01)
        inside -= 1
        await hello(scope, receive, send)

    async def client(reader: Any, writer: Any) -> None:
        host, port = writer.get_extra_info("peername")
        others = [await asyncio.open_connection(host, port) for _ in range(5)]
        for _, other in others:
            other.write(GET)
        for answer, other in others:
            assert (await answer.readline()).startswith(b"HTTP/1.1 200")
            other.close()

    run(slow, client, limit=1)

    assert most == 1


def test_drain_lets_a_request_finish() -> None:
    """Who is being served when the worker stops gets a whole answer."""
    answers: list[asyncio.Future[bytes]] = []

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        entered.set()
        await asyncio.sleep(0.05)
        await hello(scope, receive, send)

    async def client(reader: Any, writer: Any) -> None:
        writer.write(GET)
        writer.write_eof()
        answers.append(asyncio.ensure_future(reader.read()))
        await entered.wait()

    entered = asyncio.Event()
    server = run(slow, client)

    assert server.handled == 1


@pytest.mark.parametrize("count", [1, 3])
def test_pipelined_requests_are_answered_in_order(count: int) -> None:
    """Each waits for the one before it."""

    async def client(reader: Any, writer: Any) -> None:
        for number in range(count):
            writer.write(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
        for number in range(count):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readline() == b"GET /%d 0\n" % number

    assert run(hello, client).handled == count


def test_a_request_sees_no_context_variables_of_another() -> None:
    """
    Neither of the one before it on its connection, nor of the one it waited for.
    """
    number = contextvars.ContextVar("number", default="none")
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["path"], number.get()))
        number.set(scope["path"])
        await hello(scope, receive, send)

    async def upload(writer: Any, size: int) -> None:
        writer.write(
            b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
        )
        writer.write(bytes(size))
        await writer.drain()

    async def client(reader: Any, writer: Any) -> None:
        await upload(writer, 2_000_000)  # so much that reading pauses in between
        await reader.readuntil(b" 2000000\n")
        writer.write(GET + GET)
        for _ in range(2):
            await reader.readuntil(b"GET /a 0\n")
        host, port = writer.get_extra_info("peername")
        other, others = await asyncio.open_connection(host, port)
        await upload(writer, 3)
        others.write(GET)
        await reader.readuntil(b" 3\n")
        await other.readuntil(b"GET /a 0\n")
        others.close()

    run(app, client, limit=1)

    assert {"none"} == {value for _, value in seen}
    assert ["/a", "/a", "/a", "/b", "/b"] == sorted(path for path, _ in seen)
