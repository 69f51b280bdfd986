"""
A server on an asyncio loop: one protocol object per connection.

The server owns the clock and the deadlines; a connection owns its protocol state.
Deadlines are numbers on the connections, looked at once a second: no timer, no event
and, from Python 3.12 on, no turn of the loop per request.
"""

import asyncio
import contextvars
import math
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Protocol

from tiamat.drivers.aio_accepting import AioAcceptor, Swept
from tiamat.drivers.aio_connection import AioConnection
from tiamat.drivers.crowd import Crowd
from tiamat.drivers.service import ASGIService
from tiamat.drivers.sweeping import AWAY
from tiamat.drivers.tasks import make_spawn, stack_of
from tiamat.drivers.turns import Running, Turns
from tiamat.gateways.faults import method_and_path
from tiamat.system.scoreboard import QUEUED

if TYPE_CHECKING:
    from tiamat.protocol.request import Request
    from tiamat.types import Scope

_SWEEP: Final = 1.0  # seconds between two looks at all deadlines
_DRAINING_SWEEP: Final = 0.1  # when each of them may be what we wait for

_LONGEST_IDLE: Final = 3.0
"""Seconds that an idle connection may delay a stop."""

_TOLD: Final = 1.0
"""Seconds that who was told to end has in any case, also when we are late."""

_CANCELLED: Final = 0.5
"""Seconds that cancelled requests have to clean up."""


class Row(Protocol):
    """This process's place in the scoreboard."""

    counts: "memoryview[int]"
    times: "memoryview[float]"
    tally: "memoryview[int]"

    @property
    def note(self) -> Callable[[float, float, bytes], object]: ...
    def beat(self, now: float, /) -> None: ...


class Placed(Swept, Protocol):
    """A connection that was counted by its peer's address, as this."""

    @property
    def place(self) -> Any: ...


class AioServer:
    """
    Accepts, and looks after all connections.

    Attributes:
        loop: The event loop that it runs on.
        context: What each request gets a copy of, whoever's task it begins in.
        acceptor: Takes new ones.
        connections: All that are open, of any kind.
        turns: What the application works at, and who waits for it.
        handled: Requests that were answered.
        seconds: How long they took together, without WebSockets.
        tally: How many there were, by ``scoreboard.cell``.
        draining: Nothing new is accepted; connections close behind a response.
        leaving: The time for that is nearly over: who still streams is told.
        enough: At so many handled requests ``had_enough`` is called.
        pre_request: Called before each request; None if nobody wants it.
        swept: Called behind each sweep.
        had_enough: Called behind each request from the one on that is ``enough``.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        service: ASGIService,
        row: Row,
        loop: asyncio.AbstractEventLoop,
        *,
        limit: int = 1000,
    ) -> None:
        self.service = service
        self.loop = loop
        self.context = contextvars.copy_context()
        self.row = row
        self.note = row.note
        self.connections: set[Swept] = set()
        self.turns = Turns(loop, service, row.times, limit)
        self.turns.freed = self._take_more
        self.handled = 0
        self.seconds = 0.0
        self.tally = row.tally
        self.enough: float = math.inf
        self.draining = False
        self.leaving = False
        self.pre_request: Callable[[Request, Scope], object] | None = None
        self.swept: Callable[[], object] = lambda: None
        self.had_enough: Callable[[], object] = lambda: None
        self.spawn = make_spawn(loop)
        self.acceptor = AioAcceptor(
            listeners, service, loop, self.connections, self._maker()
        )
        self.acceptor.arrived = self._look_whether_empty
        self.acceptor.joins = self.opened
        self.acceptor.leaves = self.closed
        self.turns.filled = self.acceptor.unwatch
        most = service.limit_connections_per_ip
        if most:
            self.acceptor.crowd = Crowd(most, row.counts, service.log, time.monotonic)
        self._idle_until = math.inf  # while draining: when idle connections go
        self._swept_at = time.monotonic()
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None

    # Accepting

    def _maker(self) -> "Callable[[Scope, Any], AioConnection]":
        """What makes connections."""
        if self.service.security is None:
            return partial(AioConnection, self)
        from tiamat.drivers.aio_tls import connect

        return partial(connect, self)

    def accept(self) -> None:
        """
        Begin to take connections.

        The descriptors are watched, and one connection taken per call: uvloop's own
        servers call ``listen`` again on the sockets that all workers share.
        """
        self._watch_listeners()
        self.sweep()

    def _watch_listeners(self) -> None:
        if not self.draining:
            self.acceptor.watch()

    def close_listeners(self) -> None:
        """Take no more connections. From any thread."""
        self.acceptor.close()

    def accept_all(self, listeners: Sequence[socket.socket], deadline: float) -> None:
        """Take every connection that the kernel still holds for these listeners."""
        for listener in listeners:
            while time.monotonic() < deadline and self.acceptor.take(listener):
                self.row.beat(time.monotonic())

    # What connections call

    def opened(self, connection: Swept) -> None:
        """A connection is there, or has become another kind of connection."""
        self.connections.add(connection)
        if self.draining:
            connection.retire(self._idle_until)

    def closed(self, connection: Swept) -> None:
        """A connection is gone, or has become another kind of connection."""
        self.connections.discard(connection)
        if not (self.acceptor.accepting or self.turns.waiting):
            self._watch_listeners()  # there is a descriptor again
        if self._emptied is not None:
            self._look_whether_empty()

    def lost(self, connection: Placed) -> None:
        """A connection is gone."""
        self.closed(connection)
        if self.acceptor.crowd is not None:
            self.acceptor.crowd.leaves(connection.place)

    def _take_more(self) -> None:
        """Take new connections again when nobody waits, or one behind those who do."""
        if not self.turns.waiting:
            self._watch_listeners()
        elif not self.draining:
            self.acceptor.welcome()

    # Deadlines

    def sweep(self) -> None:
        """Look at every deadline, show that we live, and do so again in a second."""
        now = time.monotonic()
        self.row.beat(now)
        away = now - self._swept_at - AWAY
        self._swept_at = now
        if away > 0:
            self._excuse(away)
        self.service.gateway.common.refresh(int(time.time()))
        for connection in list(self.connections):
            connection.sweep(now)
        self._look_at_running(now)
        if self.service.security is not None:
            self.service.security.look(now)
        self.turns.sweep(now)
        self.row.times[QUEUED] = self.acceptor.waited()
        if not self.turns.waiting:
            self._watch_listeners()
        self.swept()
        again = _DRAINING_SWEEP if self.draining else _SWEEP - time.time() % _SWEEP
        self._sweeper = self.loop.call_later(max(0.05, again), self.sweep)

    def _excuse(self, seconds: float) -> None:
        """An application had the loop for itself: that was no client's fault."""
        for connection in list(self.connections):
            if isinstance(connection, AioConnection):
                connection.excuse(seconds)

    def _look_at_running(self, now: float) -> None:
        """Log requests that take long, end those that take too long."""
        timeouts = self.service.timeouts
        youngest = now - min(timeouts.slow, timeouts.request)
        turns = self.turns
        if turns.running:
            oldest, began = min(turns.running.items(), key=itemgetter(1))
            self.note(now, began, oldest.request.head)
        for cycle, began in list(turns.running.items()):
            if began <= youngest:
                self._look_at_age(cycle, now - began)
        for cycle, began in list(turns.streaming.items()):
            if began <= youngest and not cycle.endless:
                self._look_at_age(cycle, now - began)

    def _look_at_age(self, cycle: Running, age: float) -> None:
        timeouts = self.service.timeouts
        if age >= timeouts.slow and not cycle.told:
            cycle.told = True
            streams = cycle in self.turns.streaming
            # Whether it is stuck or means to stream for ever, nobody can tell.
            log = self.service.log.info if streams else self.service.log.warning
            log(
                "%s %s for %.1f s%s",
                method_and_path(cycle.request), "streams" if streams else "runs",
                age, stack_of(cycle.task),
            )  # fmt: skip
        if age >= timeouts.request and not cycle.timed_out and not cycle.over:
            self._cancel(cycle, "request_timeout")

    # Ending

    async def drain(self, deadline: float) -> None:
        """
        Serve what is here until it is done, or until *deadline*.

        An idle connection stays for its next request, as in every worker. Who
        streams without end is told shortly before the deadline; who does not end
        then is cancelled.
        """
        self.draining = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        now = time.monotonic()
        self._idle_until = now + min(self.service.timeouts.keepalive, _LONGEST_IDLE)
        for connection in list(self.connections):
            connection.retire(self._idle_until)
        self.sweep()
        told_at = now + 0.9 * (deadline - now)
        await self._wait_until_empty(told_at)
        self.leaving = True
        for connection in list(self.connections):
            if isinstance(connection, AioConnection):
                connection.told_to_leave()
        await self._wait_until_empty(max(deadline, time.monotonic() + _TOLD))
        self._cancel_running()
        await self._wait_until_empty(time.monotonic() + _CANCELLED)

    def _cancel_running(self) -> None:
        for cycle in [*self.turns.running, *self.turns.streaming]:
            self._cancel(cycle, "graceful_timeout")

    def _cancel(self, cycle: Running, setting: str) -> None:
        """End a request that is over its time; nobody is to blame for the rest."""
        cycle.timed_out = True
        where = method_and_path(cycle.request)
        self.service.log.warning("%s: cancelled, over %s", where, setting)
        cycle.task.cancel()

    async def _wait_until_empty(self, deadline: float) -> None:
        """Wait until nothing is connected and nothing runs."""
        timeout = deadline - time.monotonic()
        if timeout > 0 and self._busy:
            self._emptied = self.loop.create_future()
            self.turns.ended = self._look_whether_empty
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._emptied, timeout)
            self._emptied = self.turns.ended = None

    @property
    def _busy(self) -> bool:
        """Something is connected, or will be, or runs."""
        return bool(
            self.connections
            or self.turns.running
            or self.turns.streaming
            or self.acceptor.arriving
        )

    def _look_whether_empty(self) -> None:
        emptied = self._emptied
        if emptied is not None and not emptied.done() and not self._busy:
            emptied.set_result(None)

    def close(self) -> None:
        """Close everything now; what still runs may be cancelled, and is no failure."""
        for cycle in [*self.turns.running, *self.turns.streaming]:
            cycle.timed_out = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self.connections):
            connection.abort()
        self.close_listeners()
