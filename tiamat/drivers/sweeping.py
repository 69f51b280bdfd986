"""
Who is connected, and for how much longer.

Deadlines are numbers on the connections, looked at once a second: nothing is armed
or cancelled per request.
"""

import heapq
import os
import socket
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from tiamat.drivers.accepting import Acceptor, Row
from tiamat.drivers.connection import EventedConnection
from tiamat.drivers.crowd import Crowd
from tiamat.drivers.service import WSGIService
from tiamat.drivers.transport import IDLE, LINGER, WRITE
from tiamat.system.poller import IN, Poller
from tiamat.system.unpatched import unpatched

if TYPE_CHECKING:
    from tiamat.drivers.opening import Opening

_SWEEP: Final = 1.0  # seconds between two looks at all deadlines

AWAY: Final = 2.0
"""Beyond so many seconds between two looks somebody else had the processor."""


class Sweeper(Acceptor):
    """
    The half of a loop that keeps connections.

    Attributes:
        now: The monotonic clock, read behind each poll and each application call.
        crowd: Who has how many connections; None if that is not limited.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        service: WSGIService,
        row: Row,
        poller: Poller,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(listeners, service, row, poller)
        self.clock = clock
        self.now = clock()
        limit = service.limit_connections_per_ip
        self.crowd = Crowd(limit, row.counts, service.log, clock) if limit else None
        self.keepalive = service.timeouts.keepalive
        self._connections: dict[int, EventedConnection] = {}
        self._sweep_at = self.now + _SWEEP
        self._swept_at = self.now
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
        for opening in self.openings:
            opening.sock.close()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections) + len(self.openings)

    def ours(self) -> list[EventedConnection]:
        """The connections that this loop may close: nobody else serves them."""
        return [c for c in list(self._connections.values()) if not c.taken]

    def forget(self, connection: EventedConnection) -> None:
        """A connection closes."""
        self._connections.pop(connection.fileno, None)
        if self.crowd is not None:
            self.crowd.leaves(connection.fileno)

    def pause_for(self, error: OSError) -> None:
        """Out of descriptors or memory: leave it to others for a moment."""
        super().pause_for(error)
        if self._resume_at:
            self._sweep_at = min(self._sweep_at, self._resume_at)

    def sweep(self) -> None:
        """Look at every deadline."""
        now = self.now
        self._sweep_at = now + _SWEEP
        away = now - self._swept_at - AWAY
        self._swept_at = now
        self.resume_accepting()
        self.probe_again()
        self._look_at_new()
        late = []
        for connection in list(self._connections.values()):
            if connection.wait is IDLE and not connection.taken:
                connection.http.forget()
            if away > 0:
                connection.excuse(away)
            if connection.deadline <= now:
                late.append(connection)
        if not late:
            return
        # A worker that was long in the application must not hold that against
        # clients whose bytes wait in the kernel: only silence expires.
        poll = unpatched("select", "poll")()
        for connection in late:
            if connection.wait is not WRITE:
                poll.register(connection.fileno, IN)
        speaking = {fileno for fileno, _ in poll.poll(0)}
        for connection in late:
            if connection.fileno not in speaking or connection.wait is LINGER:
                connection.expire()

    def _look_at_new(self) -> None:
        """Openings that last too long, and certificates for who comes next."""
        if self.service.security is not None:
            self.service.security.look(self.now)
        for opening in list(self.openings):
            opening.sweep(self.now)

    def sweep_soon(self) -> None:
        """Look at every deadline in the next turn: there are new ones."""
        self._sweep_at = 0.0

    def evict(self, count: int) -> None:
        """
        Make room: close those that have waited longest without a request.

        Some at once, so that looking for them is paid for by many. Readers of a
        response only if there is nobody else, and at least one.
        """
        ours = self.ours()
        waiting: list[EventedConnection | Opening] = [*self.openings]
        waiting += [c for c in ours if c.out is None and not c.servable]
        for connection in heapq.nsmallest(
            max(1, count), waiting or ours, key=lambda c: c.deadline
        ):
            connection.abort()

    def hasten(self) -> None:
        """Idle connections may stay for a moment only."""
        idle_until = self.clock() + min(self.keepalive, 3.0)
        for opening in list(self.openings):
            opening.retire(idle_until)
        for connection in self.ours():
            if connection.out is None and connection.http.empty:
                connection.deadline = min(connection.deadline, idle_until)


def _abandon(reference: "weakref.ref[Sweeper]") -> None:
    """Nobody can be told that a loop is gone: a fork's handlers stay."""
    loop = reference()
    if loop is not None:
        loop.abandon()
