"""The server on an asyncio loop, over real sockets."""

import asyncio
import contextvars
import socket
import time
from typing import Any

import pytest
from drivers.aio_loops import PATIENT, hello, run, until

from tiamat.drivers.service import Timeouts

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(autouse=True)
def kind(aio_loop: str) -> str:
    """On each loop, and not on the evented driver, of which there are kinds."""
    return aio_loop


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


def test_who_streams_without_end_is_told_and_may_end() -> None:
    """Also when the time is over already: the response is whole."""

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        listening = asyncio.ensure_future(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not listening.done():
            await send({"type": "http.response.body", "body": b".", "more_body": True})
            await asyncio.wait((listening,), timeout=0.01)
        assert listening.result() == {"type": "http.disconnect"}
        await send({"type": "http.response.body", "body": b"end"})

    async def client(reader: Any, writer: Any) -> None:
        writer.write(GET)
        await reader.readuntil(b"1\r\n.\r\n")
        await servers[0].drain(time.monotonic())
        assert (await reader.read()).endswith(b"3\r\nend\r\n0\r\n\r\n")

    servers: list[Any] = []
    run(stream, client, made=servers.append)


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


def test_max_requests_is_noticed_with_the_request_that_reaches_it() -> None:
    """Not with a sweep, which comes up to a second later."""
    told = []

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        server.enough = 3
        server.had_enough = lambda: told.append(server.handled)
        for number in range(5):
            writer.write(GET)
            await reader.readuntil(b"GET /a 0\n")
            assert told == [3, 4, 5][: max(0, number - 1)]

    servers: list[Any] = []
    run(hello, client, timeouts=PATIENT, made=servers.append)

    assert [3, 4, 5] == told


def test_the_age_of_a_stream_is_logged_as_such(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once, and as nothing to be warned of; ``request_timeout`` still ends it."""
    caplog.set_level("INFO")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.Event().wait()

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        writer.write(GET)
        await reader.readuntil(b"x\r\n")
        for _ in range(2):
            server._look_at_running(time.monotonic() + 50)
        server._look_at_running(time.monotonic() + 200)
        assert b"" == await reader.read()

    servers: list[Any] = []
    timeouts = Timeouts(slow=30, request=100)
    run(app, client, timeouts=timeouts, made=servers.append)

    lines = [record for record in caplog.records if "for 50." in record.message]
    assert ["INFO"] == [record.levelname for record in lines]
    assert "GET /a streams" in lines[0].message


def test_a_stop_closes_who_comes_late_and_says_nothing() -> None:
    """Connections from the kernel's queue are idle ones, too."""

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        writer.write(GET)
        await reader.readuntil(b"GET /a 0\n")
        sock = socket.create_connection(writer.get_extra_info("peername"))
        server.accept_all(server.acceptor._listeners, time.monotonic() + 30)
        drained = asyncio.ensure_future(server.drain(time.monotonic() + 30))
        await until(lambda: len(server.connections) == 2)
        for connection in server.connections:
            connection.sweep(time.monotonic() + 3)
        await drained
        sock.close()

    servers: list[Any] = []
    run(hello, client, made=servers.append)
