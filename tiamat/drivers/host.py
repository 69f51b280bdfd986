"""What the connections of one worker share that has a greenlet or thread for each."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from tiamat.drivers.service import WSGIService
from tiamat.drivers.transport import IDLE
from tiamat.gateways.wsgi import WSGIResponse
from tiamat.types import Environ

if TYPE_CHECKING:
    from tiamat.drivers.blocking import BlockingConnection

Handle = Callable[[WSGIResponse, "BlockingConnection", Environ], None]


class Row(Protocol):
    """This process's place in the scoreboard."""

    @property
    def note(self) -> Callable[[float, float, bytes], object]: ...

    def end(self) -> None: ...


class Host:
    """
    What the connections of one worker share, and who looks at their deadlines.

    Made for greenlets: in threads its counts are only nearly right.

    Args:
        service: All that is chosen.
        row: This process's, in the scoreboard.
        handle: Runs the application.
        busiest: How many requests may be in the application at a time.

    Attributes:
        connections: All that are open, with what runs each.
        active: How many requests are in the application.
        turns: Requests that wait until they may be.
        pressed: Those, or new connections, wait.
        handled: Requests that were answered by the application.
        errors: Of those, with a status of 500 and above.
        enough: At so many of them, ``had_enough`` is called.
        keeps: Connections go on behind a response.
    """

    def __init__(
        self,
        service: WSGIService,
        row: Row,
        handle: Handle,
        *,
        busiest: int = 1000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service = service
        self.common = service.gateway.common
        self.handle = handle
        self.busiest = busiest
        self.clock = clock
        self.row = row
        self.note = row.note
        self.environ = service.environs.make
        self.reports = service.finished is not None
        self.keepalive = service.timeouts.keepalive
        self.keeps = self.keepalive > 0
        self.connections: dict[BlockingConnection, Any] = {}
        self.active = 0
        self.turns: deque[threading.Event] = deque()
        self.pressed = False
        self.handled = 0
        self.errors = 0
        self.enough: float = math.inf
        self.refresh_at = 0.0
        self.now = clock()

    # What a worker overrides

    def had_enough(self) -> None:
        """``enough`` requests were answered. Called behind each that follows."""

    def go_on(self) -> None:
        """There is a place in the application again: take new connections."""

    # What connections call

    def wait_for_turn(self) -> None:
        """Wait for a place in the application; first come, first served."""
        turn = threading.Event()
        self.turns.append(turn)
        self.pressed = True
        try:
            turn.wait()
        except BaseException:
            if turn in self.turns:
                self.turns.remove(turn)
            raise

    def give_turn(self) -> None:
        """Give up a place in the application, for which somebody waits."""
        if self.turns:
            self.turns.popleft().set()
            return
        self.active -= 1
        self.pressed = False
        self.go_on()

    def refresh(self, now: float) -> None:
        """Another second has begun: the Date of responses follows."""
        self.refresh_at = now + 1.0 - now % 1.0
        self.common.refresh(int(time.time()))

    # Deadlines

    def late(self, now: float) -> list[tuple["BlockingConnection", float]]:
        """
        Who has waited too long, by the clock; ``expire`` them a moment later.

        Whoever was ready to go on, while others kept them from it, does so first.
        """
        return [(c, c.deadline) for c in self.connections if c.deadline <= now]

    def expire(self, late: list[tuple["BlockingConnection", float]]) -> None:
        """End the wait of those that have not gone on meanwhile."""
        for connection, deadline in late:
            if connection.deadline == deadline and connection in self.connections:
                connection.expire()

    def overdue(self, now: float, age: float) -> Iterator["BlockingConnection"]:
        """Connections whose request is older than *age*; each request once."""
        for connection in list(self.connections):
            began = connection.began
            if began and now - began > age and connection.told != began:
                connection.told = began
                yield connection

    def show_oldest(self) -> None:
        """The row shows the request that has been in the application longest."""
        busy = [c for c in self.connections if c.began]
        if busy:
            oldest = min(busy, key=lambda c: c.began)
            self.note(self.clock(), oldest.began, oldest.request.head)
        else:
            self.row.end()

    def hasten(self) -> None:
        """
        From now on no connection stays behind its next response.

        Idle ones wait for that request, though not for long: to close one at once
        would race with it.
        """
        self.keeps = False
        until = self.clock() + min(self.keepalive, 3.0)
        for connection in self.connections:
            if connection.wait is IDLE and not connection.began:
                connection.deadline = min(connection.deadline, until)

    def evict(self, count: int) -> None:
        """Make room: close those that have waited longest without a request."""
        silent = [c for c in self.connections if not c.began and not c.broken]
        silent.sort(key=lambda c: c.deadline)
        for connection in silent[: max(1, count)]:
            connection.abort()

    def abandon(self) -> None:
        """Let go of all sockets, in a process that the application forks."""
        for connection in self.connections:
            with suppress(OSError):
                connection.sock.close()
