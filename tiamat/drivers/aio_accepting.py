"""
Listeners of an asyncio loop: when connections are taken from them, and when not.

The descriptors are watched, and one connection is taken per call: uvloop's own servers
call ``listen`` again on the sockets that all workers share.
"""

import asyncio
import errno
import heapq
import math
import socket
import time
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from tiamat.drivers.crowd import Crowd
from tiamat.drivers.opening import Opener, Opening
from tiamat.drivers.service import ASGIService
from tiamat.gateways.tls import has_tls
from tiamat.system import backlog
from tiamat.system.sockets import EXHAUSTED
from tiamat.types import Scope


class Swept(Protocol):
    """A connection of any kind, as the sweep and the drain see it."""

    @property
    def waits_since(self) -> float: ...
    def sweep(self, now: float, /) -> None: ...
    def retire(self, idle_until: float, /) -> None: ...
    def abort(self) -> None: ...


class Arriving:
    """
    A connection that was taken, and that the loop has yet to begin.

    Attributes:
        waits_since: When it was taken, on the monotonic clock.
    """

    __slots__ = ("_sock", "waits_since")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.waits_since = time.monotonic()

    def abort(self) -> None:
        """Close it: the loop, whose it is, sees its end."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


class AioAcceptor:
    """
    Takes new connections.

    Args:
        listeners: Where from.
        service: How many there may be, and what those of a listener have in common.
        loop: Whose they will be.
        connections: Those that are there.
        make: Makes the protocol of one, of what its listener's scopes have in common
            and of the peer's address.

    Attributes:
        begin: What becomes of an accepted socket: called with it, the peer's address,
            and what the scopes on its listener have in common.
        accepting: The listeners are watched.
        arriving: Those that were taken, and that the loop has yet to begin.
        crowd: Who has how many connections; None if that is not limited.
        arrived: Called when one of them has begun, or failed.
        joins, leaves: Called of each socket of which more has to be known before.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        service: ASGIService,
        loop: asyncio.AbstractEventLoop,
        connections: Set[Swept],
        make: Callable[[Scope, Any], asyncio.BaseProtocol],
    ) -> None:
        self.accepting = False
        self.arriving: dict[asyncio.Future[Any], Arriving] = {}
        self.arrived: Callable[[], object] = lambda: None
        self.crowd: Crowd | None = None
        self._listeners = list(listeners)
        self._service = service
        self._loop = loop
        self._connections = connections
        self._make = make
        self._probes = True  # the next connection is asked how long it has waited
        self._waited = 0.0
        self.joins: Callable[[Swept], object] = lambda swept: None
        self.leaves: Callable[[Swept], object] = lambda swept: None
        self.begin: Callable[[socket.socket, Any, Scope], object] = (
            self.adopt if service.opener is None else partial(self.open, service.opener)
        )

    def watch(self) -> None:
        """Take connections from now on."""
        if not self.accepting:
            self.accepting = True
            for listener in self._listeners:
                self._loop.add_reader(listener.fileno(), self._welcome, listener)

    def unwatch(self) -> None:
        """Leave them to other workers, until they are watched again."""
        if self.accepting:
            self.accepting = False
            for listener in self._listeners:
                with suppress(OSError, ValueError):  # the helper has closed it
                    self._loop.remove_reader(listener.fileno())

    def close(self) -> None:
        """Take no more connections. From any thread."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            if self.accepting:
                with suppress(OSError, ValueError, RuntimeError):
                    self._loop.remove_reader(listener.fileno())
            listener.close()
        if listeners:
            self.accepting = False

    def take(self, listener: socket.socket) -> bool:
        """Take one connection; False if there was none."""
        try:
            sock, name = listener.accept()
        except OSError as error:
            if error.errno in EXHAUSTED:
                self._service.log.warning("accept: %s, pausing", error.strerror)
                self.unwatch()  # the next sweep watches them again
                if error.errno == errno.EMFILE:
                    self._evict(len(self._connections) // 10)
            return False
        sock.setblocking(False)
        if self._probes:
            self._probes = False
            self._waited = backlog.waited(sock)
        self.begin(sock, name, self._service.bases[listener.fileno()])
        return True

    def adopt(self, sock: socket.socket, name: Any, base: Scope) -> None:
        """Serve an accepted socket, which does not block."""
        make = partial(self._make, base, name)
        crowd = self.crowd
        if crowd is not None:
            if not crowd.admits(sock, name):
                sock.close()
                return
            make = partial(placed, make, sock)
        arriving = asyncio.ensure_future(
            self._loop.connect_accepted_socket(make, sock, **self._tls(base)),
            loop=self._loop,
        )
        self.arriving[arriving] = Arriving(sock)
        arriving.add_done_callback(self._arrived)
        if crowd is not None:
            arriving.add_done_callback(partial(leave_early, crowd, sock))

    # Openings

    def open(self, opener: Opener, sock: socket.socket, name: Any, base: Scope) -> None:
        """Look at the first bytes of an accepted socket, before it is served."""
        secure = has_tls(base)
        Opening(self, opener, sock, name, base, secure=secure).begin()

    def wait_for(self, opening: Opening) -> None:
        """Have it look again when more has come."""
        self.joins(opening)
        self._loop.add_reader(opening.fileno, opening.look)

    def opened(self, opening: Opening) -> None:
        """Enough is known: serve it."""
        self.adopt(opening.sock, opening.address, opening.base)
        self.forget_opening(opening)  # behind that: else there seems to be nobody left

    def forget_opening(self, opening: Opening) -> None:
        """It is over."""
        if opening in self._connections:
            self._loop.remove_reader(opening.fileno)
            self.leaves(opening)

    def _tls(self, base: Scope) -> dict[str, Any]:
        """What the loop has to know of TLS."""
        security = self._service.security
        if security is None or not has_tls(base):
            return {}
        return {
            "ssl": security.context,
            "ssl_handshake_timeout": self._service.timeouts.header,
            "ssl_shutdown_timeout": self._service.timeouts.linger,
        }

    def waited(self) -> float:
        """
        How many seconds a new connection has waited in the kernel.

        One of those that were taken since the last call; 0 if there was none.
        """
        waited = 0.0 if self._probes else self._waited
        self._probes = True
        return waited

    def welcome(self) -> None:
        """Take a connection of each listener, if one waits, though none is watched."""
        for listener in self._listeners:
            self._welcome(listener)

    def _welcome(self, listener: socket.socket) -> None:
        """Take one connection if there is room for it; it stays in the queue if not."""
        if self._service.gateway.stopping():
            return  # uvloop goes round once more behind a signal's SystemExit
        limit = self._service.limit_connections
        full = limit and len(self._connections) + len(self.arriving) >= limit
        if full and not self._evict(limit // 100):
            self.unwatch()  # until a connection closes
        else:
            self.take(listener)

    def _arrived(self, arriving: "asyncio.Future[Any]") -> None:
        del self.arriving[arriving]
        self.arrived()
        if not arriving.cancelled() and (error := arriving.exception()):
            self._service.log.debug("a connection failed: %s", error)

    def _evict(self, count: int) -> int:
        """
        Make room: close those that have waited longest without a request.

        Some at once, so that looking for them is paid for by many. Who is being
        answered, or has a WebSocket, is not closed for a newcomer.

        Returns:
            How many were closed.
        """
        idle: list[Swept | Arriving] = [
            c for c in self._connections if c.waits_since < math.inf
        ]
        if self._service.security is not None:  # handshakes may last
            idle += self.arriving.values()
        oldest = heapq.nsmallest(max(1, count), idle, key=lambda c: c.waits_since)
        for connection in oldest:
            connection.abort()
        return len(oldest)


def placed(make: Callable[[], Any], sock: socket.socket) -> Any:
    """A connection that knows by what it was counted."""
    connection = make()
    connection.place = sock
    return connection


def leave_early(
    crowd: Crowd, sock: socket.socket, arriving: "asyncio.Future[Any]"
) -> None:
    """What has not become a connection counts no more."""
    if arriving.cancelled() or arriving.exception() is not None:
        crowd.leaves(sock)
