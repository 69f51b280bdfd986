"""Connections are taken as long as there is room, and room is made of idle ones."""

import asyncio
from typing import Any

import pytest
from drivers.aio_loops import PATIENT, hello, run, until

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(autouse=True)
def kind(aio_loop: str) -> str:
    """On each loop, and not on the evented driver, of which there are kinds."""
    return aio_loop


def test_limit_connections_closes_who_waits_without_a_request() -> None:
    """The one that has been longest without; and not one that is being answered."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/wait":
            await gate.wait()
        await hello(scope, receive, send)

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        server.service.limit_connections = 3
        address = writer.get_extra_info("peername")
        writer.write(GET.replace(b"/a", b"/wait"))
        await until(lambda: server.turns.running)
        old, first = await asyncio.open_connection(*address)
        first.write(GET)
        await old.readuntil(b"GET /a 0\n")
        await until(lambda: len(server.connections) == 2)
        _, second = await asyncio.open_connection(*address)
        await until(lambda: len(server.connections) == 3)
        new, third = await asyncio.open_connection(*address)
        third.write(GET)
        assert b"" == await old.read()
        await new.readuntil(b"GET /a 0\n")
        gate.set()
        await reader.readuntil(b"GET /wait 0\n")
        for one in (first, second, third):
            one.close()

    gate = asyncio.Event()
    servers: list[Any] = []
    run(app, client, timeouts=PATIENT, made=servers.append)


def test_at_limit_connections_newcomers_wait_when_nobody_is_idle() -> None:
    """Until one closes: no stream is broken for them."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await receive()
            await receive()
        else:
            await hello(scope, receive, send)

    async def client(reader: Any, writer: Any) -> None:
        server = servers[0]
        server.service.limit_connections = 1
        writer.write(GET.replace(b"/a", b"/stream"))
        await reader.readuntil(b"x")
        address = writer.get_extra_info("peername")
        answer, other = await asyncio.open_connection(*address)
        other.write(GET)
        await until(lambda: not server.acceptor.accepting)
        assert len(server.connections) == 1
        writer.close()
        await answer.readuntil(b"GET /a 0\n")
        other.close()

    servers: list[Any] = []
    run(app, client, made=servers.append)
