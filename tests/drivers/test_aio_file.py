"""Files that the kernel sends, on an asyncio loop."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any

import pytest
from drivers.aio_loops import run, until

SIZE = 1 << 26
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(autouse=True)
def kind(aio_loop: str) -> str:
    """On each loop, and not on the evented driver, of which there are kinds."""
    return aio_loop


@pytest.fixture
def file() -> Iterator[IO[bytes]]:
    """One that no socket takes at once."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(SIZE)
        yield file


def app_for(file: IO[bytes], seen: list[str]) -> Any:
    """Sends the file, behind a piece that waits in the transport."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            await send(
                {"type": "http.response.zerocopysend", "file": file, "more_body": True}
            )
            await send(
                {"type": "http.response.zerocopysend", "file": file, "offset": 0}
            )
        except OSError as error:
            seen.append(str(error))
            raise

    return app


def test_a_slow_reader_gets_all_and_nobody_waits_any_more(file: IO[bytes]) -> None:
    """Each slice waits until the socket takes it; no waiter is left of it."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(GET.replace(b"1.1", b"1.0"))
        await reader.readuntil(b"\r\n\r\n")
        (connection,) = servers[0].connections
        size = 0
        while data := await reader.read(1 << 20):
            size += len(data)
            assert len(connection.waiters) <= 1
        assert size == 2 * SIZE
        assert not connection.waiters

    servers: list[Any] = []
    run(app_for(file, []), client, made=servers.append)


def cut(file: IO[bytes], how: Callable[[Any], object]) -> list[str]:
    """What the application hears when this happens to the connection meanwhile."""
    seen: list[str] = []

    async def client(reader: Any, writer: Any) -> None:
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        (connection,) = servers[0].connections
        await until(lambda: connection.waiters)
        how(connection)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(2 * SIZE)
        await until(lambda: seen)

    servers: list[Any] = []
    run(app_for(file, seen), client, made=servers.append)
    return seen


def test_a_file_that_became_shorter_breaks_the_connection(file: IO[bytes]) -> None:
    """The client must not take what it has for the whole."""
    seen = cut(file, lambda connection: os.ftruncate(file.fileno(), 0))

    assert ["the file became shorter while it was sent"] == seen


def test_a_connection_that_is_aborted_sends_no_more(file: IO[bytes]) -> None:
    """The kernel would go on: the descriptor that we send on is another one."""
    seen = cut(file, lambda connection: connection.abort())

    assert ["the client has gone"] == seen
