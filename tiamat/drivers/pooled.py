"""
The selector loop and its connections, where a pool of threads serves.

A connection belongs to one thread at a time. ``taken`` says that it is a
server's: it waits in the queue, or a thread runs the application for it. The
thread that leads the loop then neither reads nor closes it. Events are not
switched off for that, which would be two system calls for each request: only
when one comes, which is seldom, is the connection taken out of the poller.

What a slow reader has not taken is the one thing that both touch, the server
that adds and the leader that sends. It has a lock, made when it is needed.
"""

import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import ClassVar, cast

from tiamat.drivers.connection import EventedConnection
from tiamat.drivers.evented import (
    IN_HAND,
    MAX_EVENTS,
    READ_SIZE,
    EventedLoop,
    Handle,
    Row,
)
from tiamat.drivers.outgoing import Outgoing
from tiamat.drivers.service import WSGIService
from tiamat.drivers.transport import WRITE, Loop, SocketTransport
from tiamat.system.poller import EXCLUSIVE, GONE, IN, OUT, PollPoller
from tiamat.types import Environ


class PooledConnection(EventedConnection):
    """
    A connection that threads of a pool serve, one at a time.

    Attributes:
        home: The selector loop; ``loop`` is who serves it.
        disarmed: It was taken out of the poller meanwhile.
        mask: What is waited for, when it is in the poller.
        sending: Held by who touches what waits for the reader.
    """

    __slots__ = ("disarmed", "home", "mask", "sending")

    sending: threading.Lock

    def __init__(
        self, loop: Loop, sock: socket.socket, peer: tuple[str, str], base: Environ
    ) -> None:
        super().__init__(loop, sock, peer, base)
        self.home = loop
        self.disarmed = False
        self.mask = IN

    # A reader that is slow

    def waiting(self) -> Outgoing:
        """The queue for what the socket doesn't take, with its lock."""
        if self.out is None:
            self.sending = threading.Lock()
        return super().waiting()

    def keep(self, out: Outgoing, data: memoryview) -> None:
        """Keep *data* for the reader; the leader sends it."""
        with self.sending:
            out.put(data)
            self._expect()

    def keep_file(self, out: Outgoing, fileno: int, offset: int, count: int) -> None:
        """Keep a part of a file for the reader; the leader sends it."""
        with self.sending:
            out.put_file(fileno, offset, count)
            self._expect()

    def _expect(self) -> None:
        """The leader may have sent all, and looks no more."""
        if self.disarmed or self.mask != OUT:
            self.loop.watch(self, OUT)

    def send(self, out: Outgoing) -> bool:
        """Send what the socket takes."""
        with self.sending:
            return out.send(self.sock)

    def flush_now(self, out: Outgoing) -> None:
        """Send at once; that all is sent is found when the application has ended."""
        try:
            self.send(out)
        except BlockingIOError:
            pass  # OUT tells when
        except OSError:
            self.broken = True

    def send_meanwhile(self) -> bool:
        """
        Send for an application that goes on; the leader calls it.

        Returns:
            Whether there was nothing to send, so that nothing is to be waited for.
        """
        out = self.out
        if out is None:
            return True
        with self.sending:
            if not self.taken:
                return False  # it has ended just now: the next turn does all
            self.wait = WRITE
            self.deadline = self.home.now + self.home.service.timeouts.write
            try:
                out.send(self.sock)
            except BlockingIOError:
                return False
            except OSError:
                self.broken = True
                return True
            if out.empty:
                # Within the lock: who adds more must find it disarmed.
                self.disarm()
            return False

    def settle(self) -> bool:
        """
        The application has ended: has the reader taken everything?

        Else the leader goes on, and what follows the last byte is its business.
        """
        out = self.out
        if out is not None:
            self.loop = self.home
            with self.sending:
                if not out.empty:
                    self.taken = False
                    if self.disarmed or self.mask != OUT:
                        self.home.watch(self, OUT)
                    return False
            self.all_sent()
            self.responded()
        return True

    def disarm(self) -> None:
        """Take it out of the poller until its server has ended."""
        cast(PooledLoop, self.home).disarm(self)


class PooledLoop(EventedLoop):
    """
    Accepts, reads and times out, in whichever thread leads; others serve.

    Attributes:
        queue: Connections that wait to be served; all of them are taken.
        paused: No thread is free, so new connections are left to other workers.
        free: Whether a thread could serve at once.
        changed: Called when what is polled for has changed meanwhile.
    """

    connection_class: ClassVar[type[EventedConnection]] = PooledConnection

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
        self.queue: deque[PooledConnection] = deque()
        self.paused = False
        self.free: Callable[[], bool] = bool
        self.changed: Callable[[], object] = bool
        self._arming = threading.Lock()

    def turn(self, timeout: float) -> None:
        """Wait for something, and put what is complete into the queue."""
        events = self._poller.poll(timeout, MAX_EVENTS)
        now = self.now = self.clock()
        if now >= self.refresh_at:
            self.refresh()
        self.always_keeps = self.accepting and self.keepalive > 0 and self.free()
        # What is read first can't be a descriptor that is new in this turn.
        self.look_at(events)
        if self.accepting:
            self._accept_first(events)
        if now >= self._sweep_at:
            self._sweep()
        if self.ready:
            self.serve_ready()

    def look_at(self, events: list[tuple[int, int]]) -> None:
        """
        Read from everybody, then take what came; write where it is waited for.

        When much is in hand the rest is left in the kernel until it is served.
        """
        connections = self._connections
        received: list[tuple[EventedConnection, bytes]] = []
        size = 0
        for fileno, mask in events:
            connection = connections.get(fileno)
            if connection is None:
                if fileno in self._wakeups:
                    self._wakeups[fileno]()
            elif connection.taken:
                self._meanwhile(cast(PooledConnection, connection), mask)
            elif mask & GONE:
                connection.abort()
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
                    break
            else:
                self._write(connection)
        self._take(received)

    def _meanwhile(self, connection: PooledConnection, mask: int) -> None:
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
                and requests[0].complete
                and connection.out is None
                and not connection.taken
            ):
                connection.taken = True
                self.queue.append(cast(PooledConnection, connection))

    @property
    def notices(self) -> bool:
        """Whether who polls notices what others change meanwhile, as epoll does."""
        return not isinstance(self._poller, PollPoller)

    # The poller, which other threads change too

    def watch(self, transport: SocketTransport, mask: int) -> None:
        """Wait for reading or for writing. From any thread."""
        connection = cast(PooledConnection, transport)
        with self._arming:
            connection.mask = mask
            if self.gone(connection):
                return
            if connection.disarmed:
                connection.disarmed = False
                self._poller.register(connection.fileno, mask)
            else:
                self._poller.modify(connection.fileno, mask)
        self.changed()

    def unwatch(self, transport: SocketTransport) -> None:
        """Hear nothing of it any more. From the thread that serves it."""
        self.disarm(cast(PooledConnection, transport))

    def disarm(self, connection: PooledConnection) -> None:
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

    def gone(self, connection: PooledConnection) -> bool:
        """Whether its descriptor is closed, or about to be: perhaps another's."""
        return self._connections.get(connection.fileno) is not connection

    def forget(self, connection: EventedConnection) -> None:
        """A connection closes, and not while another thread is at its descriptor."""
        with self._arming:
            super().forget(connection)

    def arm(self, connection: PooledConnection) -> None:
        """Hear of a connection again."""
        if connection.disarmed:
            self.watch(connection, connection.mask)

    # Accepting

    def pause(self) -> None:
        """No thread is free: leave new connections to other workers."""
        with self._arming:
            if self.accepting and not self.paused:
                self.paused = True
                for fileno in self._listeners:
                    with suppress(OSError):
                        self._poller.unregister(fileno)
        if self.free():  # since just now
            self.go_on()

    def go_on(self) -> None:
        """A thread is free: take new connections. From any thread."""
        with self._arming:
            if self.paused:
                self.paused = False
                if self.accepting:
                    for fileno in self._listeners:
                        with suppress(OSError):
                            self._poller.register(fileno, IN | EXCLUSIVE)
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

    # Deadlines

    def ours(self) -> list[EventedConnection]:
        """Those that nobody serves; who reads nothing of the others is given up."""
        idle = []
        for connection in super().ours():
            if not connection.taken:
                idle.append(connection)
            elif connection.out is not None and connection.deadline <= self.now:
                connection.broken = True
        return idle
