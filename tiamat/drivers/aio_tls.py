"""
One HTTP/1 connection on an asyncio loop over the loop's own TLS.

A client that ends its side of TLS has ended both: the loop sends nothing behind it.
"""

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final

from tiamat.drivers.aio_connection import AioConnection
from tiamat.gateways.asgi import Disconnected
from tiamat.gateways.tls import has_tls

if TYPE_CHECKING:
    from tiamat.drivers.aio import AioServer
    from tiamat.types import Scope

_PART: Final = 65536  # bytes that are read of a file at a time


def connect(server: "AioServer", base: "Scope", name: Any) -> AioConnection:
    """A connection: with TLS, if that is spoken on its listener."""
    return (SecureAioConnection if has_tls(base) else AioConnection)(server, base, name)


class SecureAioConnection(AioConnection):
    """What is otherwise where the loop encrypts."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is done."""
        security = self.server.service.security
        self.base = security.scope(self.base, transport.get_extra_info("ssl_object"))
        super().connection_made(transport)

    def eof_received(self) -> bool:
        """The peer sends no more; the loop closes."""
        super().eof_received()
        return False

    async def send_file(self, fileno: int, offset: int, count: int) -> None:
        """Send a part of a file: it has to be read; raises Disconnected."""
        while count:
            await self.drain()
            data = os.pread(fileno, min(count, _PART), offset)
            if not data:
                self.abort()
                raise Disconnected("the file became shorter while it was sent")
            self.write_on(data)
            offset += len(data)
            count -= len(data)
            await asyncio.sleep(0)
