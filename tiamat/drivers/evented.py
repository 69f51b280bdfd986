"""
A selector loop that serves complete requests, one at a time.

The loop owns the sockets, the clock and the deadlines; a connection owns its
protocol state. Deadlines are numbers on the connections, looked at once a
second: nothing is armed or cancelled per request.
"""

import errno
import heapq
import os
import select
import socket
import time
import weakref
from collections.abc import Callable, Iterable, MutableSequence, Sequence
from contextlib import suppress
from functools import partial
from typing import ClassVar, Final, Protocol

from tiamat.drivers.connection import EventedConnection
from tiamat.drivers.service import WSGIService
from tiamat.drivers.transport import IDLE, LINGER, WRITE, SocketTransport
from tiamat.gateways.wsgi import WSGIResponse
from tiamat.system.poller import EXCLUSIVE, GONE, IN, make_poller
from tiamat.types import Environ

MAX_EVENTS: Final = 256

# One turn reads so much of each connection before anybody is served.
READ_SIZE: Final = 16384

# Bytes that may be in hand before those who sent them are served. glibc gives
# memory back from 128 KiB on (M_TRIM_THRESHOLD), and a body is here three times.
IN_HAND: Final = 49152

_SWEEP: Final = 1.0  # seconds between two looks at all deadlines

# accept() can't go on for want of something that others may give back. nginx
# pauses 500 ms.
_EXHAUSTED: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_ACCEPT_PAUSE: Final = 0.5

Handle = Callable[[WSGIResponse, EventedConnection, Environ], None]


class Row(Protocol):
    """This process's place in the scoreboard."""

    @property
    def note(self) -> Callable[[float, float, bytes], object]: ...

    def beat(self, now: float, /) -> None: ...
    def set_idle(self, idle: bool, /) -> None: ...
    def end(self) -> None: ...


class EventedLoop:
    """
    Accepts, reads, serves and times out.

    Attributes:
        now: The monotonic clock, read behind each poll and each application call.
        handled: Requests that were answered by the application.
        errors: Of those, with a status of 500 and above.
        ready: Connections with a complete request that is to be served.
        accepting: New connections are taken.
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
        self.service = service
        self.common = service.gateway.common
        self.handle = handle
        self.clock = clock
        self.now = clock()
        self.keepalive = service.timeouts.keepalive
        self.handled = 0
        self.errors = 0
        self.ready: MutableSequence[EventedConnection] = []
        self.accepting = False
        self.always_keeps = False
        self._others_idle = others_idle
        self.row = row
        # Looked up once, since each request calls them.
        self.note = row.note
        self.environ = service.environs.make
        self.reports = service.finished is not None
        self._poller = make_poller()
        self._connections: dict[int, EventedConnection] = {}
        self._listeners = {sock.fileno(): sock for sock in listeners}
        self._bases = {sock.fileno(): self._base(sock) for sock in listeners}
        self._wakeups: dict[int, Callable[[], object]] = {}
        self._resume_at = 0.0
        self.refresh_at = 0.0
        self._sweep_at = self.now + _SWEEP
        os.register_at_fork(after_in_child=partial(_abandon, weakref.ref(self)))

    def abandon(self) -> None:
        """
        Let go of all sockets, in a process that the application forks.

        As long as that process held them, a client would see no end behind our
        last byte, and a socket that we close would stay in our poller.
        """
        self._poller.close()
        for connection in self._connections.values():
            connection.sock.close()

    def _base(self, sock: socket.socket) -> Environ:
        name = sock.getsockname()
        if isinstance(name, tuple):
            return self.service.environs.base(name[0], str(name[1]), "http")
        return self.service.environs.base("localhost", "", "http")

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
            self._accept_first(events)
        self.look_at(events)
        if self.ready:
            self.serve_ready()
        if self.now >= self._sweep_at:
            self._sweep()

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
                if fileno in self._wakeups:
                    self._wakeups[fileno]()
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
                    self.serve_ready()
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

    def _write(self, connection: EventedConnection) -> None:
        try:
            connection.on_writable()
        except Exception as error:
            self.failed(connection, error)

    def _accept_first(self, events: list[tuple[int, int]]) -> None:
        """One connection from each listener that has some."""
        listeners = self._listeners
        for fileno, _ in events:
            if fileno in listeners:
                self._accept(listeners[fileno])

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
        self.accepting = True
        self.always_keeps = self.keepalive > 0 and self._others_idle is None
        for fileno in self._listeners:
            self._poller.register(fileno, IN | EXCLUSIVE)

    def _accept(self, listener: socket.socket) -> bool:
        """Take one connection; False if there was none."""
        try:
            sock, name = listener.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._pause_accepting(error)
            return False
        sock.setblocking(False)
        peer = (name[0], str(name[1])) if isinstance(name, tuple) else ("", "")
        connection = self.connection_class(
            self, sock, peer, self._bases[listener.fileno()]
        )
        limit = self.service.limit_connections
        if limit and len(self._connections) >= limit:
            self.evict(limit // 100)
        fileno = connection.fileno
        self._connections[fileno] = connection
        self._poller.register(fileno, IN)
        self.look_at([(fileno, IN)])  # who connects has mostly said something
        return True

    def _pause_accepting(self, error: OSError) -> None:
        """Out of descriptors or memory: leave it to others for a moment."""
        if not self.accepting:
            return
        self.service.log.warning("accept: %s, pausing", error.strerror)
        if error.errno == errno.EMFILE:
            self.evict(len(self._connections) // 10)
        for fileno in self._listeners:
            self._poller.unregister(fileno)
        self.accepting = False
        self._resume_at = self.now + _ACCEPT_PAUSE
        self._sweep_at = min(self._sweep_at, self._resume_at)

    def evict(self, count: int) -> None:
        """
        Make room: close those that have waited longest without a request.

        Some at once, so that looking for them is paid for by many. Readers of a
        response only if there is nobody else, and at least one.
        """
        everybody = self.ours()
        waiting = [c for c in everybody if c.out is None and not c.servable]
        for connection in heapq.nsmallest(
            max(1, count), waiting or everybody, key=lambda c: c.deadline
        ):
            connection.abort()

    def close_listeners(self) -> None:
        """Take no more connections. From any thread."""
        accepting, self.accepting = self.accepting, False
        self.always_keeps = False
        for fileno, listener in self._listeners.items():
            if accepting:
                with suppress(OSError):  # another thread was first
                    self._poller.unregister(fileno)
            listener.close()
        self._listeners = {}
        self._resume_at = 0.0

    def accept_all(self, listeners: Iterable[socket.socket]) -> None:
        """Take every connection that the kernel still holds for these listeners."""
        for listener in listeners:
            while self._accept(listener):
                self.row.beat(self.now)

    def ours(self) -> list[EventedConnection]:
        """The connections that this loop may close."""
        return list(self._connections.values())

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

    def watch(self, transport: SocketTransport, mask: int) -> None:
        """Wait for reading or for writing."""
        if transport.fileno in self._connections:
            self._poller.modify(transport.fileno, mask)

    def unwatch(self, transport: SocketTransport) -> None:
        """Hear nothing of it any more."""
        self._poller.unregister(transport.fileno)

    def forget(self, connection: EventedConnection) -> None:
        """A connection closes."""
        self._connections.pop(connection.fileno, None)

    # Deadlines

    def _sweep(self) -> None:
        """Look at every deadline."""
        now = self.now
        self._sweep_at = now + _SWEEP
        if self._resume_at and now >= self._resume_at:
            self._resume_at = 0.0
            self.accept()
        late = []
        for connection in self.ours():
            if connection.wait is IDLE:
                connection.http.forget()
            if connection.deadline <= now:
                late.append(connection)
        if not late:
            return
        # A worker that was long in the application must not hold that against
        # clients whose bytes wait in the kernel: only silence expires.
        poll = select.poll()
        for connection in late:
            if connection.wait is not WRITE:
                poll.register(connection.fileno, select.POLLIN)
        speaking = {fileno for fileno, _ in poll.poll(0)}
        for connection in late:
            if connection.fileno not in speaking or connection.wait is LINGER:
                connection.expire()

    # Ending

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def drain(self, deadline: float) -> None:
        """
        Serve what is here until it is done, or until *deadline*.

        An idle connection stays for its next request, which is answered with
        ``Connection: close``: closing it at once would race with that request.
        """
        self.hasten()
        while self._connections and self.clock() < deadline:
            self._sweep_at = 0.0
            self.turn(min(0.2, max(0.0, deadline - self.clock())))

    def hasten(self) -> None:
        """Idle connections may stay for a moment only."""
        idle_until = self.clock() + min(self.keepalive, 3.0)
        for connection in self.ours():
            if connection.out is None and connection.http.empty:
                connection.deadline = min(connection.deadline, idle_until)

    def close(self) -> None:
        """Close everything now."""
        for connection in list(self._connections.values()):
            connection.abort()
        self.close_listeners()
        self._poller.close()


def _abandon(reference: "weakref.ref[EventedLoop]") -> None:
    """Nobody can be told that a loop is gone: a fork's handlers stay."""
    loop = reference()
    if loop is not None:
        loop.abandon()
