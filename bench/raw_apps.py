"""
An echo of bytes, for streams and for protocols of asyncio.

``python -m bench.raw_apps PORT KIND`` serves it by hand: what Tiamat is compared with.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

READ_SIZE = 1 << 16


class Echo(asyncio.Protocol):
    """Each piece goes back as it came."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self.transport.write(data)


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, until its end."""
    with suppress(ConnectionError):  # clients leave in the middle of a message
        while data := await reader.read(READ_SIZE):
            writer.write(data)
            await writer.drain()
    writer.close()


def streams() -> object:
    """Return what a worker script would."""
    return handle


def protocol() -> object:
    """Return what a worker script would."""
    return Echo


async def by_hand(port: int, kind: str) -> None:
    """Serve as the manual of asyncio does."""
    if kind == "streams":
        server = await asyncio.start_server(handle, "127.0.0.1", port)
    else:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(by_hand(int(sys.argv[1]), sys.argv[2]))
