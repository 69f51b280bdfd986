"""Files that the kernel sends on an asyncio loop, behind what waits there."""

import asyncio
import math
import os
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from tiamat.gateways.asgi import Disconnected

if TYPE_CHECKING:
    from tiamat.drivers.aio_connection import AioConnection

# One call sends so much of a file, so that others get their turn.
_SLICE: Final = 1 << 20

_NEVER: Final = math.inf


async def send_file(
    connection: "AioConnection", fileno: int, offset: int, count: int
) -> None:
    """
    Send *count* bytes of a file from *offset* on; returns when the socket has them.

    Raises:
        Disconnected: The client has gone, or the file became shorter.
    """
    transport = connection.transport
    transport.set_write_buffer_limits(high=0)
    try:
        while transport.get_write_buffer_size() and not connection.gone:
            connection.full = True
            await connection.more()
        if connection.gone:
            raise Disconnected("the client has gone")
        # The loop watches its own descriptor of the socket; we watch another.
        sock = os.dup(transport.get_extra_info("socket").fileno())
        try:
            await _send_slices(connection, sock, fileno, offset, count)
        finally:
            os.close(sock)
    finally:
        if not connection.gone:
            transport.set_write_buffer_limits()


async def _send_slices(
    connection: "AioConnection", sock: int, fileno: int, offset: int, count: int
) -> None:
    while count:
        # Our descriptor would take more of it even when the loop's is closed.
        if connection.gone:
            raise Disconnected("the client has gone")
        try:
            sent = os.sendfile(sock, fileno, offset, min(count, _SLICE))
        except BlockingIOError:
            await _writable(connection, sock)
            continue
        except OSError as error:
            connection.abort()
            raise Disconnected("the client has gone") from error
        if not sent:
            connection.abort()
            raise Disconnected("the file became shorter while it was sent")
        offset += sent
        count -= sent
        connection.deadline = _NEVER
        await asyncio.sleep(0)


async def _writable(connection: "AioConnection", sock: int) -> None:
    """Wait until *sock* takes more, or something happened to the connection."""
    server = connection.server
    connection.deadline = time.monotonic() + server.service.timeouts.write
    writable = server.loop.create_future()
    connection.waiters.append(writable)
    server.loop.add_writer(sock, partial(_settle, writable))
    try:
        await writable
    finally:
        server.loop.remove_writer(sock)
        connection.waiters.forget(writable)


def _settle(future: "asyncio.Future[None]") -> None:
    with suppress(asyncio.InvalidStateError):
        future.set_result(None)
