"""
Back-pressure on an asyncio transport: reading that stops, writing that waits.

What a connection of HTTP/1 and a WebSocket do with the transport that one takes over
from the other.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from tiamat.drivers.waiters import Waiters
from tiamat.gateways.asgi import Disconnected
from tiamat.system.queues import unsent

if TYPE_CHECKING:
    from tiamat.drivers.aio import AioServer

# Transports have it by themselves: asyncio's and uvloop's.
_HIGH: Final = 65536


class FlowControl(asyncio.Protocol):
    """
    A transport, and how fast it is read and written.

    Attributes:
        gone: Nothing can be sent any more.
        full: The transport holds more than its high mark.
        paused: Reading stands still.
        peer: Its address, for logs.
        place: By what it was counted, where connections of a peer are limited.
        waiters: To be woken when there is room to write, and at the end.
    """

    __slots__ = (
        "_unsent", "full", "gone", "paused", "peer", "place", "server", "transport",
        "waiters",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, server: "AioServer") -> None:
        self.server = server
        self.peer = ("", "")
        self.place: Any = None
        self.gone = False
        self.full = False
        self.paused = False
        self.waiters = Waiters()
        self._unsent = 0  # bytes that waited for the peer when we last looked

    # What the loop calls

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.full = False
        self.waiters.wake()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self.waiters.wake()

    # Writing

    def write_on(self, *buffers: bytes) -> None:
        """
        Send, or have the transport keep what the socket doesn't take.

        A socket that has failed shows only here to who streams without a break: the
        loop has no turn in which to tell of it.
        """
        transport = self.transport
        if transport.is_closing():
            self.full = True  # who sends waits, and is told
            return
        if len(buffers) == 1:
            transport.write(buffers[0])
            return
        transport.writelines(buffers)
        # Python 3.12 and 3.13 forget to look at the mark there.
        if not self.full and transport.get_write_buffer_size() > _HIGH:
            transport.set_write_buffer_limits()

    async def drain(self) -> None:
        """Wait until the reader has taken enough; raises Disconnected."""
        while self.full and not self.gone:
            await self.waiters.wait(self.server.loop)
        if self.gone:
            raise Disconnected("the client has gone")

    def look_at_unsent(self) -> tuple[int, bool]:
        """How many bytes wait for the peer, and whether that has changed since."""
        size = self.transport.get_write_buffer_size()
        if size:
            size += unsent(self.fileno)
        changed, self._unsent = size != self._unsent, size
        return size, changed

    @property
    def fileno(self) -> int:
        """The socket's descriptor; -1 if it is closed already."""
        number: int = self.transport.get_extra_info("socket").fileno()
        return number

    # Reading

    def pause_reading(self) -> None:
        """Let what comes wait in the kernel, until its peer has to."""
        self.paused = True
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take again what comes, if that stood still."""
        if self.paused:
            self.paused = False
            if not self.gone:
                self.transport.resume_reading()

    # Ending

    def end_writing(self) -> None:
        """End our side behind our last byte; where there are no halves, both."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def abort(self) -> None:
        """Close now."""
        self.transport.abort()
