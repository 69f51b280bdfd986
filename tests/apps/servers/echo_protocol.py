"""A protocol of asyncio that echoes."""

import asyncio
import os


class Echo(asyncio.Protocol):
    """What came goes back; ``pid`` is answered with the worker's."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"%d\n" % os.getpid() if data == b"pid\n" else data)


def run(config: object) -> object:
    """The factory."""
    return Echo
