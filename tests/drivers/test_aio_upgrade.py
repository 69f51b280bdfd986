"""A connection becomes a WebSocket in its turn, or hears what is wrong."""

import asyncio
from typing import Any

import pytest
from drivers.aio_loops import until
from drivers.test_aio_websocket import echo, raises, run, serving
from protocol.handshakes import HEAD
from protocol.test_websocket import frame
from protocol.wire import PARSERS

TEXT = 1


@pytest.fixture(autouse=True)
def kind(aio_loop: str) -> str:
    """On each loop, and not on the evented driver, of which there are kinds."""
    return aio_loop


@pytest.mark.parametrize("parser", PARSERS)
def test_a_handshake_behind_a_request(parser: str) -> None:
    """Pipelined, with the first message behind it: all is answered in order."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await echo(scope, receive, send)
            return
        await asyncio.sleep(0)  # so that the rest waits
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    async def test() -> None:
        async with serving(app, parser) as served:
            get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
            reader, writer = await served.open(get + HEAD + frame(TEXT, b"early"))
            assert b"204" in await reader.readuntil(b"\r\n\r\n")
            assert b"101" in await reader.readuntil(b"\r\n\r\n")
            assert b"\x81\x05early" == await reader.readexactly(7)
            writer.write(frame(TEXT, b"late"))
            assert b"\x81\x04late" == await reader.readexactly(6)
            writer.close()

    run(test)


@pytest.mark.parametrize("parser", PARSERS)
def test_a_wrong_handshake_is_a_400(parser: str) -> None:
    """The application never hears of it."""

    async def test() -> None:
        async with serving(raises, parser) as served:
            reader, writer = await served.open(HEAD.replace(b"13", b"8"))
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"sec-websocket-version: 13\r\n" in answer
            assert [400] == [report[1].status for report in served.reports]
            writer.close()

    run(test)


@pytest.mark.parametrize("parser", PARSERS)
def test_what_comes_behind_a_wrong_handshake_keeps_nothing_open(parser: str) -> None:
    """It is read and dropped, so the end of the client is seen."""

    async def test() -> None:
        async with serving(raises, parser) as served:
            reader, writer = await served.open(HEAD.replace(b"13", b"8") + b"more")
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 400 ")
            writer.close()
            await until(lambda: not served.server.connections)

    run(test)
