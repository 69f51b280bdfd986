"""
Threads that take turns at leading one selector loop, and serve.

Theory: under the interpreter's lock a second thread that has something to do makes
every system call of the first one a change of threads. So as long as applications
answer at once, one thread does everything: it polls, reads, and serves in place,
and there is no hand-over at all. While it is in the application, the lead lies on
the table for whoever comes. The main thread, which never runs the application,
looks every two milliseconds; if it finds the leader in the same request as before,
it wakes another thread, which takes the lead and serves the rest.

An application that keeps being found so waits for something, and then two
milliseconds are long. For a second the pool is *eager*: who goes into the
application wakes the next one first.

When no thread is free the main thread leads: it reads, times out and writes for
slow readers, and leaves new connections to other workers. If none of those is idle
either, it takes one for each request that a thread takes: else the connections that
are here could keep all threads, and nobody else would ever be served. A pool whose
threads are stuck takes none.

Idle threads wait on a stack, so that few of many are in use and keep their caches.
"""

import contextlib
import select
import threading
from collections.abc import Callable
from typing import Final, TypeAlias

from tiamat.drivers.pooled import PooledLoop
from tiamat.drivers.seat import Seat
from tiamat.system.scoreboard import Scoreboard
from tiamat.system.signals import Wakeup

TICK: Final = 0.002
"""Seconds between two looks at a busy leader."""

EAGER: Final = 1.0
"""Seconds for which requests are handed over at once."""

RARE: Final = 50
"""Of so many requests one may be found waiting before the pool becomes eager."""

PATIENCE: Final = 1.0
"""Seconds that threads without a request get on top, to end."""


# Whose request was under way at a look, and which of his.
Seen: TypeAlias = tuple[Seat | None, int]


class Pool:
    """
    The threads around one loop.

    Args:
        loop: What they lead.
        size: How many requests may be in the application at a time.
        wakeup: Readable when the main thread is wanted.
        handle_wakeup: What it then does.
        rows: Where each thread notes its request; as many as there are threads.

    Attributes:
        table: The lead lies here while the leader is in the application.
        idle: Who sleeps; the last one is woken first.
        seats: All threads that were started; more are when they are wanted.
        eager: Requests are handed over at once.
        working: The leader serves, so the main thread has to look.
        dozing: The main thread sleeps until it is woken.
        leads: The main thread leads.
        summoned: The main thread leads from now on.
        moves: A thread has taken a request since the main thread looked.
        ended: The threads are to end.
        failure: What ended a thread that should not end.
        served: Called in a thread that has served all there was for it.
    """

    def __init__(
        self,
        loop: PooledLoop,
        size: int,
        wakeup: Wakeup,
        handle_wakeup: Callable[[], object],
        rows: Scoreboard | None = None,
    ) -> None:
        self.loop = loop
        self.size = size
        self.wakeup = wakeup
        self.handle_wakeup = handle_wakeup
        self.table: list[Seat | None] = [None]
        self.idle: list[Seat] = []
        self.seats: list[Seat] = []
        self.eager = False
        self.working = False
        self.dozing = False
        self.leads = False
        self.summoned = False
        self.moves = False
        self.ended = False
        self.failure: BaseException | None = None
        self.served: Callable[[], object] = bool
        self._rows = rows or Scoreboard(size)
        loop.tally = Scoreboard(1).take().tally  # of those that no thread has served
        self._starting = threading.Lock()
        self._poll = select.poll()
        self._poll.register(wakeup, select.POLLIN)
        self._nudge = Wakeup()
        loop.watch_wakeup(self._nudge.fileno(), self._nudge.clear)
        loop.free = self.free
        if not loop.notices:
            loop.changed = self._nudge.wake
        self._seen: Seen | None = None
        self._robbed = 0
        self._robbed_at = 0  # requests that had been begun when it was counted from 0
        self._eager_until = 0.0

    # What threads call

    def free(self) -> bool:
        """Whether a thread could serve at once."""
        return bool(self.idle) or len(self.seats) < self.size

    def take_lead(self) -> bool:
        """Take the lead if it lies on the table."""
        try:
            self.table.pop()
        except IndexError:
            return False
        return True

    def give_lead(self) -> None:
        """Leave the lead to the main thread, which has asked for it."""
        self.table.append(None)
        self.wake_main()

    def wants_help(self) -> bool:
        """
        Whether a thread that doesn't lead shall serve.

        Two that run are in each other's way, so only where many wait anyway, or
        where the leader sleeps in the poller and knows of nothing.
        """
        return self.eager or self.leads or not self.working

    def now_free(self) -> None:
        """A thread is about to sleep: new connections may come."""
        if self.loop.paused:
            self.loop.go_on()
        if self.ended or (self.wants_help() and self.loop.queue):
            self.call()  # who looked for a thread just now found none

    def call(self) -> None:
        """Wake a thread, or start one; nothing if all are busy."""
        try:
            seat = self.idle.pop()
        except IndexError:
            if len(self.seats) < self.size:
                self._start()
            return
        seat.wake()

    def _start(self) -> None:
        with self._starting:
            if len(self.seats) == self.size or self.ended:
                return
            seat = Seat(self, len(self.seats) + 1, self._rows.take())
            self.seats.append(seat)
        seat.thread.start()

    def wake_main(self) -> None:
        """Have the main thread look at us."""
        self.dozing = False
        self.wakeup.wake()

    # What the main thread calls

    def tend(self, timeout: float) -> None:
        """See that somebody leads: look, sleep at most so long, or lead for a turn."""
        if self.failure is not None:
            raise self.failure
        if self.leads:
            self._lead(timeout)
            return
        if not self.seats:
            self.call()
        self.dozing = True
        if self.working:
            self.dozing = False
        if self._poll.poll((timeout if self.dozing else TICK) * 1000):
            self.handle_wakeup()
        self.dozing = False
        if self.summoned:
            self._begin_to_lead()
        else:
            self._look()

    def _begin_to_lead(self) -> None:
        if self.take_lead():
            self.leads = True
            # Others would call it in their threads.
            self.loop.watch_wakeup(self.wakeup.fileno(), self.handle_wakeup)

    def _look(self) -> None:
        """Is the leader in the same request as at the last look?"""
        now = self.loop.clock()
        if self.eager and now >= self._eager_until:
            self.eager = False
            self._robbed, self._robbed_at = 0, self.begun
        seen: Seen | None = None
        with contextlib.suppress(IndexError):
            seat = self.table[0]
            seen = (seat, seat.begun if seat else 0)
        if seen is None or seen != self._seen:
            self._seen = seen
            return
        self._robbed += 1
        if not self.eager and self._robbed * RARE > self.begun - self._robbed_at:
            self.eager = True
            self._eager_until = now + EAGER
        if self.free():
            self.call()
        else:
            self._begin_to_lead()

    def _lead(self, timeout: float) -> None:
        """Lead for a turn, since all are busy, or at the end."""
        loop = self.loop
        if not self.summoned:
            if self.free():
                # Who is woken takes the lead, and what waits.
                self.leads = False
                loop.forget_wakeup(self.wakeup.fileno())
                self.table.append(None)
                self.call()
                return
            loop.row.set_idle(False)
            if self.moves and loop.nobody_else():
                loop.go_on()
            else:
                loop.pause()
            self.moves = False
        loop.turn(timeout)
        if self.summoned:
            for _ in range(len(loop.queue)):
                self.call()

    @property
    def begun(self) -> int:
        """How many requests the threads have taken."""
        return sum(seat.begun for seat in self.seats)

    def summon(self) -> None:
        """Have the main thread lead, to the end."""
        self.summoned = True
        self._nudge.wake()

    def end(self, deadline: float) -> list[Seat]:
        """
        Have all threads end; return those that are still there at *deadline*.
        """
        self.ended = True
        while self.idle:
            self.call()
        stuck = []
        for seat in self.seats:
            while seat.thread.is_alive():
                left = deadline - self.loop.clock()
                busy = seat.row.request() is not None
                if left <= (0 if busy else -PATIENCE):
                    stuck.append(seat)
                    break
                seat.thread.join(max(0.01, left))
        if not stuck:  # else they may still call upon it
            self._nudge.close()
        return stuck
