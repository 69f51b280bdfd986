"""An ASGI server on a real loop, and a client: for the tests of its driver."""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from tiamat.drivers.aio import AioServer
from tiamat.drivers.service import ASGIService, Timeouts
from tiamat.gateways.asgi import ASGIGateway
from tiamat.gateways.asgi_scope import Scopes
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.headers import Names
from tiamat.protocol.http1 import ParserFactory
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser_httptools import Parser
from tiamat.system.scoreboard import Scoreboard
from tiamat.types import ASGIApp

LOG = logging.getLogger("tests.aio")

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
) -> AioServer:
    """Serve *app* to the clients, one after the other; then drain and close."""

    async def main() -> AioServer:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            server = make(app, listener, parser, timeouts, limit, limits)
            if names is not None:  # an empty table is false
                server.service.names = names
            server.accept()
            for client in clients:
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                async with asyncio.timeout(45):
                    await client(reader, writer)
                writer.close()
            await server.drain(time.monotonic() + 5)
            server.close()
            return server

    return asyncio.run(main())


def make(
    app: ASGIApp,
    listener: socket.socket,
    parser: Any,
    timeouts: Timeouts | None,
    limit: int,
    limits: Limits | None,
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
    )
    row = Scoreboard(1).take()
    loop = asyncio.get_running_loop()
    return AioServer([listener], service, row, loop, limit=limit)
