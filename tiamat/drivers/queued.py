"""
The selector loop and its connections, where others serve what it reads.

What is complete waits in a queue, for a thread of a pool or for a greenlet. A
connection belongs to one of them at a time. ``taken`` says so: it waits in the
queue, or the application runs for it. The loop then neither reads nor closes it.
Events are not switched off for that, which would be two system calls for each
request: only when one comes, which is seldom, is the connection taken out of the
poller.
"""

import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, ClassVar

from tiamat.drivers.accepting import Row
from tiamat.drivers.connection import EventedConnection
from tiamat.drivers.evented import MAX_EVENTS, EventedLoop, Handle
from tiamat.drivers.service import WSGIService
from tiamat.drivers.transport import Loop, SocketTransport
from tiamat.system.poller import GONE, IN, OUT
from tiamat.types import Environ


class QueuedConnection(EventedConnection):
    """
    A connection that others serve, one at a time.

    Attributes:
        disarmed: It was taken out of the poller meanwhile.
        mask: What is waited for, when it is in the poller.
    """

    __slots__ = ("disarmed", "mask")

    def __init__(
        self, loop: Loop, sock: socket.socket, peer: tuple[str, str], base: Environ
    ) -> None:
        super().__init__(loop, sock, peer, base)
        self.disarmed = False
        self.mask = IN


class QueuedLoop(EventedLoop):
    """
    Accepts, reads and times out; others serve.

    Attributes:
        queue: Connections that wait to be served; all of them are taken.
        free: Whether somebody could serve at once.
        changed: Called when what is polled for has changed meanwhile.
    """

    connection_class: ClassVar[type[EventedConnection]] = QueuedConnection

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        service: WSGIService,
        row: Row,
        handle: Handle,
        *,
        others_idle: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__(listeners, service, row, handle, others_idle=others_idle)
        self.ready: deque[EventedConnection] = deque()
        self.queue: deque[Any] = deque()
        self.free: Callable[[], bool] = bool
        self.changed: Callable[[], object] = bool
        self._arming = self.make_lock()

    def make_lock(self) -> AbstractContextManager[object]:
        """Held by who is at the poller; here it is always the same thread."""
        return nullcontext()

    def turn(self, timeout: float) -> None:
        """
        Wait for something, and put what is complete into the queue.

        Hot: once per turn.
        """
        events = self._poller.poll(timeout, MAX_EVENTS)
        now = self.now = self.clock()
        if now >= self.refresh_at:
            self.refresh()
        self.always_keeps = self.accepting and self.keepalive > 0 and self.free()
        # What is read first can't be a descriptor that is new in this turn.
        self.look_at(events)
        if self.accepting:
            self.accept_first(events)
        if now >= self._sweep_at:
            self.sweep()
        if self.ready:
            self.serve_ready()

    def meanwhile(self, connection: Any, mask: int) -> None:
        """Something happens on a connection that is being served."""
        if mask & GONE:
            connection.broken = True
        elif mask & OUT and not connection.send_meanwhile():
            return
        self.disarm(connection)

    def serve_ready(self) -> None:
        """Put into the queue who is to be served."""
        ready = self.ready
        while ready:
            # It may stand here twice, be served already, or have been closed.
            connection = ready.popleft()
            requests = connection.http.requests
            if (
                requests
                and (requests[0].complete or connection.streams)
                and connection.out is None
                and not connection.taken
            ):
                connection.taken = True
                self.queue.append(connection)

    # The poller, which other threads may change too

    def watch(self, transport: SocketTransport, mask: int) -> None:
        """Wait for reading or for writing. From any thread."""
        connection: Any = transport
        with self._arming:
            if self.gone(connection):
                return
            if connection.disarmed:
                connection.disarmed = False
                self._poller.register(connection.fileno, mask)
            elif connection.mask != mask:
                self._poller.modify(connection.fileno, mask)
            connection.mask = mask
        self.changed()

    def unwatch(self, transport: SocketTransport) -> None:
        """Hear nothing of it any more. From the thread that serves it."""
        self.disarm(transport)

    def disarm(self, connection: Any) -> None:
        """Hear nothing of a connection until its server is done with it."""
        with self._arming:
            if connection.disarmed or self.gone(connection):
                return
            with suppress(OSError):  # it was closed just now
                self._poller.unregister(connection.fileno)
                connection.disarmed = True
            if connection.disarmed and not connection.taken:
                # Its server has looked at it before we said so.
                connection.disarmed = False
                self._poller.register(connection.fileno, connection.mask)

    def arm(self, connection: Any) -> None:
        """Hear of a connection again."""
        if connection.disarmed:
            self.watch(connection, connection.mask)

    def gone(self, connection: EventedConnection) -> bool:
        """Whether its descriptor is closed, or about to be: perhaps another's."""
        return self._connections.get(connection.fileno) is not connection

    def forget(self, connection: EventedConnection) -> None:
        """A connection closes, and not while another thread is at its descriptor."""
        with self._arming:
            super().forget(connection)

    # Accepting

    def pause(self) -> None:
        """Nobody is free: leave new connections to other workers."""
        with self._arming:
            super().pause()
        if self.free():  # since just now
            self.go_on()

    def go_on(self) -> None:
        """Somebody is free: take new connections. From any thread."""
        with self._arming:
            super().go_on()
        self.changed()

    def keeps_alive(self, connection: EventedConnection) -> bool:
        """Whether a connection may stay: it won't wait here while others idle."""
        if not self.keepalive or not self.accepting:
            return False
        others_idle = self._others_idle
        return (
            others_idle is None
            or bool(connection.http.requests)
            or self.free()
            or not others_idle()
        )
