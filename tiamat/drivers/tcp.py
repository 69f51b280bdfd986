"""
Listening sockets in the hands of a server that is not ours, on an event loop.

A connection costs what it costs that server: it is accepted here, and nothing of ours
is between it and its protocol.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final, Protocol

from tiamat.system.sockets import EXHAUSTED

if TYPE_CHECKING:
    import ssl

_PAUSE: Final = 0.5  # seconds without a look at the listeners, for want of descriptors
_MOMENT: Final = 0.05  # seconds between two looks whether connections have ended
_LEAVE: Final = 0.5  # seconds that a server has behind the deadline


class Security(Protocol):
    """Certificates."""

    @property
    def context(self) -> "ssl.SSLContext": ...
    def look(self, now: float, /) -> object: ...
    def secures(self, listener: socket.socket, /) -> bool: ...


def stream_protocol(
    handler: Callable[..., Awaitable[object]], loop: asyncio.AbstractEventLoop
) -> Callable[[], asyncio.BaseProtocol]:
    """What makes protocols of ``async def handler(reader, writer)``."""

    def make() -> asyncio.BaseProtocol:
        reader = asyncio.StreamReader(loop=loop)
        return asyncio.StreamReaderProtocol(reader, handler, loop=loop)  # type: ignore[arg-type]

    return make


class Protocols:
    """
    Accepts connections for what makes protocols of asyncio.

    Attributes:
        handled: how many connections there were.
        limit: at so many open ones no more are taken; 0 is no limit.
    """

    def __init__(
        self,
        make: Callable[[], asyncio.BaseProtocol],
        listeners: Sequence[socket.socket],
        loop: asyncio.AbstractEventLoop,
        log: Any,
        limit: int = 0,
        security: Security | None = None,
    ) -> None:
        self.handled = 0
        self.limit = limit
        self._security = security
        self._make = make
        streams = [sock for sock in listeners if sock.type == socket.SOCK_STREAM]
        self._listeners = streams
        self._datagrams = [sock for sock in listeners if sock not in streams]
        self._endpoints: set[asyncio.DatagramTransport] = set()
        self._loop = loop
        self._log = log
        self._open: set[asyncio.BaseTransport] = set()
        self._arriving: set[asyncio.Task[Any]] = set()
        self._watching = False
        self._paused_until = 0.0

    @property
    def connections(self) -> int:
        """How many are open, as of the last look."""
        return len(self._open) + len(self._arriving)

    def begin(self) -> None:
        """Take connections from now on."""
        if not self._watching:
            self._watching = True
            for listener in self._listeners:
                self._loop.add_reader(listener.fileno(), self._welcome, listener)
        while self._datagrams:
            self._start(self._receive(self._datagrams.pop()))

    async def _receive(self, listener: socket.socket) -> None:
        """Have a protocol of its own get the datagrams of one address."""
        try:
            made = await self._loop.create_datagram_endpoint(
                self._make,
                sock=listener.dup(),
            )
        except Exception as error:
            self._log.error("datagrams can't be received", exc_info=error)
        else:
            self._endpoints.add(made[0])

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    def _pause(self) -> None:
        if self._watching:
            self._watching = False
            for listener in self._listeners:
                with suppress(OSError, ValueError):
                    self._loop.remove_reader(listener.fileno())

    def _welcome(self, listener: socket.socket) -> None:
        """Take one connection: nobody else was woken for it."""
        if self.limit and self.connections >= self.limit:
            self.look()
            if self.connections >= self.limit:
                self._pause()
                return
        self.take(listener)

    def take(self, listener: socket.socket) -> bool:
        """Take one connection; False if there was none."""
        try:
            sock, _ = listener.accept()
        except OSError as error:
            if error.errno in EXHAUSTED:
                self._log.warning("accept: %s, pausing", error.strerror)
                self._pause()
                self._paused_until = self._loop.time() + _PAUSE
            return False
        sock.setblocking(False)
        self.handled += 1
        self._start(self._connect(sock, self._context_of(listener)))
        return True

    def take_all(self, listeners: Sequence[socket.socket]) -> None:
        """Take every connection that the kernel still holds for these."""
        for listener in listeners:
            while self.take(listener):
                pass

    def _context_of(self, listener: socket.socket) -> "ssl.SSLContext | None":
        security = self._security
        if security is None or not security.secures(listener):
            return None
        return security.context

    async def _connect(
        self, sock: socket.socket, context: "ssl.SSLContext | None"
    ) -> None:
        try:
            made = await self._loop.connect_accepted_socket(
                self._make, sock, ssl=context
            )
        except OSError as error:  # it went away, or speaks no TLS
            sock.close()
            self._log.debug("a connection failed: %s", error)
        except Exception as error:
            sock.close()
            self._log.error("a connection failed", exc_info=error)
        else:
            self._open.add(made[0])

    def look(self) -> None:
        """Once a second: forget who has gone, and go on if there is room."""
        if self._security is not None:
            self._security.look(time.monotonic())
        self._open = {one for one in self._open if not one.is_closing()}
        if (
            self._listeners
            and not self._watching
            and self._loop.time() >= self._paused_until
            and not (self.limit and self.connections >= self.limit)
        ):
            self.begin()

    def close_listeners(self) -> None:
        """Take no more; datagrams that wait are another worker's."""
        self._pause()
        self._listeners = []
        for endpoint in self._endpoints:
            endpoint.close()

    async def drain(self, until: float) -> int:
        """
        Wait for connections to end, then close the rest.

        Args:
            until: when to, by the loop's clock.

        Returns:
            How many were cut off.
        """
        self.look()
        while self.connections and self._loop.time() < until:
            await asyncio.sleep(_MOMENT)
            self.look()
        cut = list(self._open)
        for transport in cut:
            transport.abort()  # type: ignore[attr-defined]
        for task in self._arriving:
            task.cancel()
        await asyncio.sleep(0)
        return len(cut)


class Serving:
    """
    An object that accepts by itself: ``async def serve(sockets)``.

    Its ``drain()`` is called when it shall accept no more and finish; without one,
    ``serve`` is cancelled. ``in_flight`` says for how many to wait then, and
    ``close()`` is the end.
    """

    def __init__(
        self,
        server: Any,
        listeners: Sequence[socket.socket],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.handled = 0
        self.failure: BaseException | None = None
        self.ended: Callable[[], object] = lambda: None
        self._server = server
        self._listeners = list(listeners)
        self._loop = loop
        self._task: asyncio.Task[object] | None = None

    @property
    def connections(self) -> int:
        """How many it has, if it says so."""
        return in_flight(self._server)

    def begin(self) -> None:
        """Let it serve."""
        self._task = self._loop.create_task(self._server.serve(self._listeners))
        self._task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[object]") -> None:
        if not task.cancelled():
            self.failure = task.exception()
        self.ended()

    def take_all(self, listeners: Sequence[socket.socket]) -> None:
        """It does what it does."""

    def look(self) -> None:
        """Nothing of it is ours."""

    def close_listeners(self) -> None:
        """They are its own."""

    async def drain(self, until: float) -> int:
        """Have it finish, and end."""
        task = self._task
        if task is None:
            return 0
        drain = getattr(self._server, "drain", None)
        if drain is None:
            task.cancel()
        else:
            result = drain()
            if isawaitable(result):
                with suppress(TimeoutError):
                    await asyncio.wait_for(result, max(0.0, until - self._loop.time()))
        while in_flight(self._server) and self._loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(_MOMENT)
        cut = in_flight(self._server)
        close = getattr(self._server, "close", None)
        if close is not None and isawaitable(result := close()):
            await result
        await asyncio.wait([task], timeout=max(0.0, until - self._loop.time()))
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_LEAVE)
        return cut


def in_flight(server: Any) -> int:
    """How many requests or connections a server has, if it says so."""
    value = getattr(server, "in_flight", 0)
    return int(value() if callable(value) else value)
