"""Back-pressure on a transport of the loop's, over real sockets."""

from typing import Any

import pytest
from drivers.aio_loops import PATIENT, hello, run, until

from tiamat.system.queues import readable

MEGABYTE = 1 << 20


@pytest.fixture(autouse=True)
def kind(aio_loop: str) -> str:
    """On each loop, and not on the evented driver, of which there are kinds."""
    return aio_loop


async def large(scope: Any, receive: Any, send: Any) -> None:
    """Respond with more than any socket takes, in small pieces."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(16):
        piece = {"body": bytes(MEGABYTE), "more_body": True}
        await send({"type": "http.response.body", **piece})
    await send({"type": "http.response.body", "body": b"end"})


def test_who_writes_waits_for_a_reader_that_reads_nothing() -> None:
    """No more is kept than the high mark and a piece; it goes on when he reads."""

    async def client(reader: Any, writer: Any) -> None:
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await until(lambda: servers[0].connections)
        [connection] = servers[0].connections
        await until(lambda: connection.full)
        size, _ = connection.look_at_unsent()
        assert 0 < connection.transport.get_write_buffer_size() < 3 * MEGABYTE
        assert size > connection.transport.get_write_buffer_size()
        assert (await reader.read()).endswith(b"end\r\n0\r\n\r\n")

    servers: list[Any] = []
    run(large, client, timeouts=PATIENT, made=servers.append)


def test_reading_stands_still_until_it_goes_on() -> None:
    """What comes meanwhile waits in the kernel, and is not lost."""

    async def client(reader: Any, writer: Any) -> None:
        await until(lambda: servers[0].connections)
        [connection] = servers[0].connections
        connection.pause_reading()
        writer.write(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: readable(connection.fileno))
        assert connection.paused
        assert not connection.http.requests
        connection.resume_reading()
        await reader.readuntil(b"GET /a 0\n")
        assert not connection.paused

    servers: list[Any] = []
    run(hello, client, timeouts=PATIENT, made=servers.append)
