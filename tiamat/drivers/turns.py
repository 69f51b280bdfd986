"""
Whose turn it is: what an application on an asyncio loop works at, and who waits for it.

At most so many requests and handshakes are in the application at once; others wait in
their order. Who only streams, or waits for its client, needs no room.
"""

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from tiamat.drivers.service import ASGIService
from tiamat.gateways.asgi import ASGIGateway
from tiamat.protocol.request import Request
from tiamat.system.scoreboard import REQUEST_AT

if TYPE_CHECKING:
    from collections.abc import Callable


class Running(Protocol):
    """What the application works at: a request's cycle, or a conversation."""

    endless: bool
    told: bool
    timed_out: bool
    task: Any
    request: Request

    @property
    def over(self) -> bool: ...


class Startable(Protocol):
    """What waits for its turn; it may have gone meanwhile."""

    def take_turn(self) -> None: ...
    def turn_away(self, overloaded: ASGIGateway) -> None: ...


class Turns:
    """
    What the application works at, and who waits for room there.

    Args:
        loop: Turns are given behind what it does now.
        service: How long one may wait, and what answers who has waited longer.
        times: Of this process's row in the scoreboard.
        limit: The most that may be running.

    Attributes:
        running: What the application works at, and since when.
        streaming: Responses under way, bodies that come, and open WebSockets: no more
            room for them is needed than they have. Since when the application works
            at them.
        waiting: What came beyond the limit, in its order, and since when it waits.
        limit: The most that may be running; what streams doesn't count.
        room: At so many running ones others wait: ``limit``, or 0 if some do already.
        filled: Called when somebody has to wait.
        freed: Called when some have had their turn, or were turned away.
        ended: Called behind all that ends; None while nobody wants to know.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        service: ASGIService,
        times: "memoryview[float]",
        limit: int,
    ) -> None:
        self.running: dict[Running, float] = {}
        self.streaming: dict[Running, float] = {}
        self.waiting: deque[tuple[Startable, float]] = deque()
        self.limit = self.room = limit
        self.filled: Callable[[], object] = lambda: None
        self.freed: Callable[[], object] = lambda: None
        self.ended: Callable[[], object] | None = None
        self._loop = loop
        self._service = service
        self._times = times
        self._turning = False  # those who wait will have their turn

    def streams(self, cycle: Running) -> None:
        """A response has begun that isn't one write, or a WebSocket is open."""
        began = self.running.pop(cycle, None)
        if began is not None:
            self.streaming[cycle] = began
            if not self.running:
                self._times[REQUEST_AT] = 0.0
            if self.waiting:
                self._next_soon()

    def pause(self, cycle: Running) -> bool:
        """
        A request waits for its client: another one may have its place.

        Else as many slow clients as there are places would lock everybody out.

        Returns:
            Whether it had one, so that ``go_on`` is to be called.
        """
        counted = cycle in self.running
        self.streams(cycle)
        return counted

    def go_on(self, cycle: Running) -> None:
        """Its client has said more; it has its place again, whoever came meanwhile."""
        began = self.streaming.pop(cycle, None)
        if began is not None:
            self.running[cycle] = began

    def left(self, cycle: Running) -> None:
        """
        The application has returned from a cycle.

        Hot: once per request.
        """
        running = self.running
        if running.pop(cycle, None) is None:
            self.streaming.pop(cycle, None)
        if not running:
            self._times[REQUEST_AT] = 0.0
        if self.waiting:
            self._next_soon()
        if self.ended is not None:
            self.ended()

    def wait(self, who: Startable) -> None:
        """So many requests run that this one has to wait, and others elsewhere."""
        self.waiting.append((who, time.monotonic()))
        self.room = 0
        self.filled()

    def sweep(self, now: float) -> None:
        """Turn away who has waited too long: no place may become free soon."""
        overloaded = self._service.overloaded
        if overloaded is None or not self.waiting:
            return
        late_at = now - self._service.max_queue_time
        while self.waiting and self.waiting[0][1] < late_at:
            self.waiting.popleft()[0].turn_away(overloaded)
        if not self.waiting:
            self._look_whether_room()

    def _next_soon(self) -> None:
        """There is room for who waits; but not here, inside of another request."""
        if not self._turning:
            self._turning = True
            self._loop.call_soon(self._give)

    def _give(self) -> None:
        """
        Begin what waits, as far as there is room: first come, first served.

        Behind them one more has its turn: else clients that stay could take all the
        room there is, and nobody else had any.
        """
        late_at = time.monotonic() - self._service.max_queue_time
        try:
            while self.waiting and len(self.running) < self.limit:
                who, since = self.waiting.popleft()
                if self._service.overloaded is None or since > late_at:
                    who.take_turn()
                else:
                    who.turn_away(self._service.overloaded)
        finally:
            self._turning = False
        self._look_whether_room()

    def _look_whether_room(self) -> None:
        if not self.waiting:
            self.room = self.limit
        self.freed()
