"""The server on an asyncio loop, over real sockets."""

import asyncio
import contextvars
import socket
import time
from functools import partial
from typing import Any

import pytest
from drivers.aio_loops import PATIENT, hello, reset, run, until

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


def test_streams_need_no_room() -> None:
    """
    ``worker_connections`` bounds requests that have not begun to answer.

    With room for one, a hundred endless streams are served beside each other, and a
    normal request too.
    """
    open_streams = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal open_streams
        if scope["path"] == "/a":
            await hello(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        open_streams += 1
        await receive()
        while (await receive())["type"] != "http.disconnect":
            pass
        open_streams -= 1

    async def client(reader: Any, writer: Any) -> None:
        host, port = writer.get_extra_info("peername")
        streams = [await asyncio.open_connection(host, port) for _ in range(100)]
        for _, other in streams:
            other.write(GET.replace(b"/a", b"/events"))
        for answer, _ in streams:
            assert (await answer.readline()).startswith(b"HTTP/1.1 200")
        await until(lambda: open_streams == 100)
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        for _, other in streams:
            other.close()
        await until(lambda: open_streams == 0)

    server = run(app, client, limit=1, timeouts=PATIENT)

    assert not server.running
    assert not server.streaming
    assert server.room == 1


def test_many_that_wait_have_their_turn() -> None:
    """One behind the other and in their order, with no stack that grows with them."""
    gate = asyncio.Event()
    order = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        order.append(scope["path"])
        if scope["path"] == "/first":
            await gate.wait()
        await hello(scope, receive, send)

    async def client(reader: Any, writer: Any) -> None:
        host, port = writer.get_extra_info("peername")
        writer.write(GET.replace(b"/a", b"/first"))
        others = [await asyncio.open_connection(host, port) for _ in range(300)]
        await until(lambda: order)
        for number, (_, other) in enumerate(others):
            other.write(GET.replace(b"/a", b"/%d" % number))
            await until(partial(waits, number + 1))
        gate.set()
        for answer, other in others:
            assert (await answer.readline()).startswith(b"HTTP/1.1 200")
            other.close()

    def waits(count: int) -> bool:
        return len(server[0].waiting) == count

    server: list[Any] = []
    run(app, client, limit=1, timeouts=PATIENT, made=server.append)

    assert ["/first", *(f"/{number}" for number in range(300))] == order


def test_what_waits_for_its_turn_is_one_request() -> None:
    """
    Its body may come meanwhile, also in pieces; its client may go; a stop waits.
    """
    gate = asyncio.Event()
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        if scope["path"] == "/a":
            await gate.wait()
        await hello(scope, receive, send)

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        host, port = writer.get_extra_info("peername")
        writer.write(GET)
        await until(lambda: seen)
        answer, other = await asyncio.open_connection(host, port)
        _, third = await asyncio.open_connection(host, port)
        await until(lambda: len(server.connections) == 3)
        other.write(b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
        await until(lambda: len(server.waiting) == 1)
        third.write(GET.replace(b"/a", b"/gone"))
        await until(lambda: len(server.waiting) == 2)
        for _ in range(20):
            other.write(bytes(10_000))
            await other.drain()
            await asyncio.sleep(0)
        other.write_eof()
        reset(third)
        await until(lambda: len(server.connections) == 2)
        drained = asyncio.ensure_future(server.drain(time.monotonic() + 30))
        await asyncio.sleep(0)
        for connection in server.connections:
            connection.sweep(time.monotonic() + 5)  # idle ones would be closed
        gate.set()
        assert (await answer.read()).endswith(b"POST /b 200000\n")
        writer.close()
        other.close()
        await drained

    servers: list[Any] = []
    run(app, client, limit=1, made=servers.append)

    assert ["/a", "/b"] == seen


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


def test_who_waits_for_its_body_has_no_place() -> None:
    """Slow senders would lock everybody out; whoever has its body counts again."""

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        writer.write(b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx")
        await until(lambda: server.streaming)
        assert not server.running
        answer, other = await asyncio.open_connection(
            *writer.get_extra_info("peername")
        )
        other.write(GET)
        await answer.readuntil(b"GET /a 0\n")
        other.close()
        writer.write(b"y")
        await reader.readuntil(b"POST /b 2\n")
        assert not server.streaming

    servers: list[Any] = []
    run(hello, client, limit=1, made=servers.append)
