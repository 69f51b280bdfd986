"""An ASGI server on a real loop, and a client: for the tests of its driver."""

import asyncio
import logging
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast

import uvloop

from tiamat.drivers.aio import AioServer
from tiamat.drivers.opening import Behind, Opener
from tiamat.drivers.service import ASGIService, Timeouts
from tiamat.gateways.asgi import ASGIGateway
from tiamat.gateways.asgi_scope import Scopes
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.headers import Names
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser import ParserFactory
from tiamat.protocol.parser_httptools import Parser
from tiamat.system.scoreboard import Scoreboard
from tiamat.types import ASGIApp

LOG = logging.getLogger("tests.aio")

LIMIT = 45.0
"""Seconds that anything may take."""

Result = TypeVar("Result")

PATIENT = Timeouts(header=60.0, keepalive=60.0)
"""On a busy machine client and server stand still for seconds, and both are here."""

LOOPS: dict[str, Any] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
factory: Any = asyncio.new_event_loop
"""What the fixture ``aio_loop`` has chosen."""

Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what it was asked: method, path, and the size of the body."""
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    text = f"{scope['method']} {scope['path']} {size}\n".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text})


def run(
    app: ASGIApp,
    *clients: Client,
    parser: Any = Parser,
    timeouts: Timeouts | None = None,
    limit: int = 1000,
    limits: Limits | None = None,
    names: Names | None = None,
    opener: Callable[[Behind], Opener] | None = None,
    made: Callable[[AioServer], object] = lambda server: None,
) -> AioServer:
    """Serve *app* to the clients, one after the other; then drain and close."""

    async def main() -> AioServer:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            server = make(app, listener, parser, timeouts, limit, limits, opener)
            if names is not None:  # an empty table is false
                server.service.names = names
            made(server)
            server.accept()
            for client in clients:
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                async with asyncio.timeout(LIMIT):
                    await client(reader, writer)
                writer.close()
            await server.drain(time.monotonic() + 5)
            server.close()
            return server

    return run_on_loop(main())


def run_on_loop(main: Coroutine[Any, Any, Result]) -> Result:
    """Run on the loop that ``factory`` makes."""
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


async def until(condition: Callable[[], object]) -> None:
    """Let others run until something holds."""
    async with asyncio.timeout(LIMIT):
        while not condition():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.001)


def reset(writer: asyncio.StreamWriter) -> None:
    """Go without a word: the peer gets a reset."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def reset_now(sock: socket.socket) -> None:
    """The same for a plain socket, before this returns."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def make(
    app: ASGIApp,
    listener: socket.socket,
    parser: Any,
    timeouts: Timeouts | None,
    limit: int,
    limits: Limits | None,
    opener: Callable[[Behind], Opener] | None = None,
) -> AioServer:
    """A server on the running loop."""
    common = CommonHeaders(b"tiamat")
    common.refresh(0)
    scopes = Scopes()
    base = scopes.base(listener.getsockname(), "http")
    service = ASGIService(
        gateway=ASGIGateway(app, common, LOG, scopes),
        bases={listener.fileno(): base},
        log=LOG,
        limits=limits or Limits(),
        names=Names("drop"),
        parser=cast(ParserFactory, parser),
        timeouts=timeouts or Timeouts(),
        opener=opener and opener(scopes.behind),
    )
    row = Scoreboard(1).take()
    loop = asyncio.get_running_loop()
    return AioServer([listener], service, row, loop, limit=limit)
