"""Whose turn it is on an asyncio loop, over real sockets."""

import asyncio
import time
from functools import partial
from typing import Any

import pytest
from drivers.aio_loops import PATIENT, hello, reset, run, until

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(autouse=True)
def kind(aio_loop: str) -> str:
    """On each loop, and not on the evented driver, of which there are kinds."""
    return aio_loop


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

    assert not server.turns.running
    assert not server.turns.streaming
    assert server.turns.room == 1


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
        return len(server[0].turns.waiting) == count

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
        await until(lambda: len(server.turns.waiting) == 1)
        third.write(GET.replace(b"/a", b"/gone"))
        await until(lambda: len(server.turns.waiting) == 2)
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


def test_who_waits_for_its_body_has_no_place() -> None:
    """Slow senders would lock everybody out; whoever has its body counts again."""

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        writer.write(b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx")
        await until(lambda: server.turns.streaming)
        assert not server.turns.running
        answer, other = await asyncio.open_connection(
            *writer.get_extra_info("peername")
        )
        other.write(GET)
        await answer.readuntil(b"GET /a 0\n")
        other.close()
        writer.write(b"y")
        await reader.readuntil(b"POST /b 2\n")
        assert not server.turns.streaming

    servers: list[Any] = []
    run(hello, client, limit=1, made=servers.append)
