"""
A selector loop that serves complete requests, one at a time.

The loop owns the sockets, the clock and the deadlines; a connection owns its
protocol state. Deadlines are numbers on the connections, looked at once a
second: nothing is armed or cancelled per request.
"""

import socket
import time
from collections.abc import Callable, MutableSequence, Sequence
from typing import Any, ClassVar, Final

from tiamat.drivers.accepting import Row, peer_of
from tiamat.drivers.connection import EventedConnection
from tiamat.drivers.overload import dated
from tiamat.drivers.service import FOREVER, WSGIService
from tiamat.drivers.sweeping import Sweeper
from tiamat.drivers.transport import SocketTransport
from tiamat.gateways.wsgi import WSGIResponse
from tiamat.system.poller import GONE, IN, Poller, make_poller
from tiamat.types import Environ

MAX_EVENTS: Final = 256

# One turn reads so much of each connection before anybody is served.
READ_SIZE: Final = 16384

# Bytes that may be in hand before those who sent them are served. glibc gives
# memory back from 128 KiB on (M_TRIM_THRESHOLD), and a body is here three times.
IN_HAND: Final = 49152

Handle = Callable[[WSGIResponse, Any, Environ], None]
"""Runs the application, and writes what it answers to a connection."""


class EventedLoop(Sweeper):
    """
    Accepts, reads, serves and times out.

    Attributes:
        handled: Requests that were answered by the application.
        seconds: How long the application had them, together.
        tally: How many there were, by ``scoreboard.cell``.
        ready: Connections with a complete request that is to be served.
        always_keeps: No connection needs to close behind its response.
        refresh_at: When the Date of responses is to follow.
    """

    connection_class: ClassVar[type[EventedConnection]] = EventedConnection

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        service: WSGIService,
        row: Row,
        handle: Handle,
        *,
        others_idle: Callable[[], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(listeners, service, row, self.make_poller(), clock)
        self.common = service.gateway.common
        self.handle = handle
        self.handled = 0
        self.seconds = 0.0
        self.tally = row.tally
        self.ready: MutableSequence[EventedConnection] = []
        self.always_keeps = False
        self._others_idle = others_idle
        # Looked up once, since each request calls them.
        self.note = row.note
        self.environ = service.environs.make
        self.reports = service.finished is not None
        self._wakeups: dict[int, Callable[[], object]] = {}
        kind = self.connection_class
        if service.max_queue_time < FOREVER:
            kind = dated(kind)
        self._connect: Callable[..., EventedConnection] = kind
        if service.security is not None:
            self._connect = service.security.connect(kind)
        self.refresh_at = 0.0

    def make_poller(self) -> Poller:
        """What tells who is ready."""
        return make_poller()

    # The turn

    def turn(self, timeout: float) -> None:
        """
        Wait for something, at most *timeout* seconds, and do it.

        First everybody is read, then everybody is served: the same code runs for
        many in a row, which the processor's caches reward with a third of the
        time, and responses follow one another so closely that a client doesn't
        fall asleep between them.

        The listener is looked at first and one connection accepted, whatever
        else is ready: with EPOLLEXCLUSIVE nobody else was woken for it.
        """
        self.row.end()
        self.row.beat(self.now)
        events = self._poller.poll(0 if self.ready else timeout, MAX_EVENTS)
        now = self.now = self.clock()
        if now >= self.refresh_at:
            self.refresh()
        if self.accepting:
            self.accept_first(events)
        self.look_at(events)
        if self.ready:
            self.serve_ready()
        if self.now >= self._sweep_at:
            self.sweep()

    def look_at(self, events: list[tuple[int, int]]) -> None:
        """
        Read from everybody, then take what came; write where it is waited for.

        When so much is in hand that the allocator would give memory back to the
        kernel behind each turn, those who sent it are served first.

        A mistake of ours ends one connection, not all of this process.
        """
        connections = self._connections
        received: list[tuple[EventedConnection, bytes]] = []
        size = 0
        for fileno, mask in events:
            connection = connections.get(fileno)
            if connection is None:
                self._wakeups.get(fileno, bool)()
            elif connection.taken:
                self.meanwhile(connection, mask)
            elif mask & GONE:
                connection.abort()  # nobody is left to read an answer
            elif mask & IN:
                try:
                    data = connection.sock.recv(READ_SIZE)
                except BlockingIOError:
                    continue
                except OSError:
                    connection.abort()
                    continue
                received.append((connection, data))
                size += len(data)
                if size > IN_HAND:
                    self._take(received)
                    if not self.make_room():
                        return
                    received = []
                    size = 0
            else:
                self._write(connection)
        self._take(received)

    def _take(self, received: list[tuple[EventedConnection, bytes]]) -> None:
        """Have connections take apart what came for them."""
        for connection, data in received:
            try:
                connection.on_received(data)
            except Exception as error:
                self.failed(connection, error)

    def make_room(self) -> bool:
        """
        Much is in hand: serve those who sent it.

        Returns:
            Whether more may be read in this turn.
        """
        self.serve_ready()
        return True

    def meanwhile(self, connection: Any, mask: int) -> None:
        """Something happens on a connection that another one serves; here none do."""

    def _write(self, connection: EventedConnection) -> None:
        try:
            connection.on_writable()
        except Exception as error:
            self.failed(connection, error)

    def serve_ready(self) -> None:
        """Run the application for one request of each connection that has some."""
        ready, self.ready = self.ready, []
        self.row.set_idle(False)
        for connection in ready:
            # It may stand here twice, or have been closed meanwhile.
            requests = connection.http.requests
            if requests and requests[0].complete and connection.out is None:
                try:
                    connection.serve(requests.pop(0))
                except Exception as error:
                    self.failed(connection, error)

    def failed(self, connection: EventedConnection, error: BaseException) -> None:
        self.service.log.error("a connection failed", exc_info=error)
        connection.abort()

    def refresh(self) -> None:
        """Another second has begun: the Date of responses follows."""
        self.refresh_at = self.now + 1.0 - self.now % 1.0
        self.common.refresh(int(time.time()))

    def watch_wakeup(self, fileno: int, call: Callable[[], object]) -> None:
        """Call *call* in the turn in which *fileno* becomes readable."""
        self._wakeups[fileno] = call
        self._poller.register(fileno, IN)

    def forget_wakeup(self, fileno: int) -> None:
        """Look at it no more."""
        del self._wakeups[fileno]
        self._poller.unregister(fileno)

    # Accepting

    def accept(self) -> None:
        """Begin to take connections."""
        super().accept()
        self.always_keeps = self.keepalive > 0 and self._others_idle is None

    def adopt(self, sock: socket.socket, address: Any, base: Environ) -> None:
        """Serve an accepted socket, which does not block."""
        fileno = sock.fileno()
        if self.crowd is not None and not self.crowd.admits(fileno, address):
            sock.close()
            return
        connection = self._connect(self, sock, peer_of(address), base)
        self._connections[fileno] = connection
        self._poller.register(fileno, IN)
        self.look_at([(fileno, IN)])  # who connects has mostly said something

    def close_listeners(self) -> None:
        """Take no more connections. From any thread."""
        self.always_keeps = False
        super().close_listeners()

    # What connections call

    def keeps_alive(self, connection: EventedConnection) -> bool:
        """
        Whether a connection may stay behind its response.

        Not while another worker is idle: it would wait here behind the
        requests of others. Hot: once per request.
        """
        if not self.keepalive or not self.accepting:
            return False
        others_idle = self._others_idle
        return (
            others_idle is None or bool(connection.http.requests) or not others_idle()
        )

    def nobody_else(self) -> bool:
        """Whether no other worker is idle, that would take a new connection."""
        return self._others_idle is None or not self._others_idle()

    def watch(self, transport: SocketTransport, mask: int) -> None:
        """Wait for reading or for writing."""
        if transport.fileno in self._connections:
            self._poller.modify(transport.fileno, mask)

    def unwatch(self, transport: SocketTransport) -> None:
        """Hear nothing of it any more."""
        self._poller.unregister(transport.fileno)

    # Ending

    def drain(self, deadline: float) -> None:
        """
        Serve what is here until it is done, or until *deadline*.

        An idle connection stays for its next request, which is answered with
        ``Connection: close``: closing it at once would race with that request.
        """
        self.hasten()
        while self.connections and self.clock() < deadline:
            self.sweep_soon()
            self.turn(min(0.2, max(0.0, deadline - self.clock())))

    def close(self) -> None:
        """Close everything now."""
        for connection in list(self._connections.values()):
            connection.abort()
        for opening in list(self.openings):
            opening.abort()
        self.close_listeners()
        self._poller.close()
