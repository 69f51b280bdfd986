"""As many requests at a time as there are threads, on any number of connections."""

import select
import sys
import traceback
from operator import itemgetter
from typing import ClassVar, Final

from tiamat.drivers.pool import Pool
from tiamat.drivers.pooled import PooledLoop
from tiamat.drivers.seat import Seat
from tiamat.drivers.service import over_http
from tiamat.system.scoreboard import (
    CONNECTIONS,
    IN_FLIGHT,
    REQUEST_AT,
    REQUESTS,
    SECONDS,
    Scoreboard,
)
from tiamat.system.scoreboard import HEARTBEAT as HEARTBEAT_AT
from tiamat.workers.check import PEER, SelfCheck
from tiamat.workers.serving import FOREVER
from tiamat.workers.sync import HEARTBEAT, SyncWorker

PATIENCE: Final = 1.0
"""Seconds that idle threads have to end, and what is theirs with them."""


class ThreadsWorker(SyncWorker):
    """
    The application runs in a pool of threads, on complete requests.

    The main thread runs nothing of the application's: it hears signals and the
    master, looks after the threads, and leads the loop when all are busy.

    Attributes:
        seats: The requests of the threads, in memory that the master sees, too; unless
            a mold has forked the worker, or it was of no class yet.
    """

    multithread: ClassVar[bool] = True
    watched: ClassVar[bool] = False
    pool: Pool
    watch: "Watch"
    seats: Scoreboard | None = None

    def share(self) -> None:
        """The requests of all threads."""
        self.seats = Scoreboard(self.cfg.threads)

    def request(self) -> tuple[str, str, float] | None:
        """The oldest of all threads; else what ``Watch`` has noted last."""
        seats = self.seats
        rows = [seats.row(index) for index in range(seats.size)] if seats else []
        found = [request for row in rows if (request := row.request()) is not None]
        return min(found, key=itemgetter(2)) if found else super().request()

    def open(self) -> None:
        """Make the loop and the pool; nothing is accepted yet."""
        loop = self.loop = PooledLoop(
            [listener.sock for listener in self.listeners],
            self.service,
            self.row,
            self.handler(self.service.gateway.run),
            others_idle=self.row.idle_elsewhere,
        )
        self.pool = Pool(
            loop, self.cfg.threads, self.wakeup, self.handle_wakeup, self.seats
        )
        self.watch = Watch(self, self.pool)

    def begin_to_accept(self) -> None:
        """From now on connections come."""
        super().begin_to_accept()
        self.pool.served = self.log.flush

    def turn(self, timeout: float) -> None:
        """See to the threads, for at most so many seconds."""
        self.pool.tend(timeout)
        self.watch.look()

    def serve_check(self, request: SelfCheck) -> None:
        """Serve the worker's request to itself, in a thread of a pool."""
        run = self.handler(self.service.gateway.run)
        loop = PooledLoop([], over_http(self.service), self.row, run)
        pool = Pool(loop, self.cfg.threads, self.wakeup, self.handle_wakeup)
        loop.adopt(request.sock, PEER, self.base_of(request))
        while self.alive and not request.done:
            pool.tend(HEARTBEAT)
        pool.summon()
        while not pool.leads and loop.clock() < self.deadline():
            pool.tend(HEARTBEAT)
        if not pool.end(min(self.deadline(), loop.clock() + PATIENCE)):
            loop.close()

    def deliver(self) -> None:
        """In a thread that ends with them: the main thread looks after the others."""
        self.mailbox.deliver_in_thread()

    def finish(self) -> None:
        """Finish what is here; whoever is stuck is left behind at the deadline."""
        pool, watch = self.pool, self.watch
        loop = pool.loop
        clock = loop.clock
        pool.summon()
        while not pool.leads and clock() < self.deadline():
            pool.tend(0.2)
        if self.final and pool.leads:
            loop.accept_all(li.sock for li in self.listeners if not li.inherited)
        self.close_listeners()
        loop.hasten()
        while loop.connections and clock() < self.deadline():
            pool.tend(min(0.2, max(0.0, self.deadline() - clock())))
            watch.look()
        stuck = pool.end(min(self.deadline(), clock() + PATIENCE))
        watch.count()
        self.log.flush()
        for seat in stuck:
            self.log.error(
                "%s: left behind at the end: %s", self, describe(seat, clock())
            )
        loop.close()


class Watch:
    """
    What the main thread looks at once a second: who is stuck, and the figures.

    A worker whose threads are all busy and have finished nothing since the last
    look, while requests wait, shows no heartbeat: after ``timeout`` it is silent.
    """

    def __init__(self, worker: ThreadsWorker, pool: Pool) -> None:
        self.worker = worker
        self.pool = pool
        self.timeout = worker.cfg.timeout or FOREVER
        self.request_timeout = worker.cfg.request_timeout or FOREVER
        self.slow = min(worker.slow, self.request_timeout)
        self.every = min(HEARTBEAT, self.timeout / 2, self.slow / 2)
        self.at = 0.0
        self.finished = 0
        self.told: dict[Seat, float] = {}
        self.waiting = select.poll()
        for listener in worker.listeners:
            self.waiting.register(listener.sock, select.POLLIN)

    def look(self) -> None:
        """Look, if it is time."""
        now = self.pool.loop.clock()
        if now < self.at:
            return
        self.at = now + self.every
        self.worker.log.flush()
        before = self.finished
        self.count()
        oldest: tuple[str, str, float] | None = None
        busy = 0
        for seat in list(self.pool.seats):
            request = seat.row.request()
            if request is None:
                continue
            busy += 1
            if oldest is None or request[2] < oldest[2]:
                oldest = request
            if now - request[2] > self.slow:
                self.tell(seat, request, now)
        row = self.worker.row
        row.counts[IN_FLIGHT] = busy
        stands = (
            busy == self.pool.size and self.finished == before and self.others_wait()
        )
        beat = row.times[HEARTBEAT_AT] if stands else now
        if oldest is None:
            row.times[REQUEST_AT] = 0.0
            row.beat(beat)
        else:
            method, target, begun = oldest
            path = target.partition("?")[0]
            row.note(beat, begun, f"{method} {path}\r".encode("latin-1"))

    def others_wait(self) -> bool:
        """Whether requests wait for a thread, here or in the kernel."""
        if self.pool.loop.queue:
            return True
        return self.worker.alive and any(
            mask & select.POLLIN for _, mask in self.waiting.poll(0)
        )

    def tell(self, seat: Seat, request: tuple[str, str, float], now: float) -> None:
        """Log a request that takes too long, once; ask for a new worker in time."""
        worker = self.worker
        begun = request[2]
        if now - begun > self.request_timeout:
            worker.retire("request_timeout")
        if self.told.get(seat) != begun:
            self.told[seat] = begun
            worker.log.error("%s: %s", worker, describe(seat, now))

    def count(self) -> None:
        """Copy the figures to the scoreboard."""
        worker = self.worker
        seats = list(self.pool.seats)
        counts = worker.row.counts
        loop = self.pool.loop
        self.finished = sum(seat.handled for seat in seats)
        counts[REQUESTS] = worker.nr = self.finished + loop.handled
        worker.row.times[SECONDS] = sum(seat.seconds for seat in seats)
        tallies = (loop.tally, *(seat.tally for seat in seats))
        for index, cells in enumerate(zip(*tallies, strict=True)):
            worker.row.tally[index] = sum(cells)
        counts[CONNECTIONS] = loop.connections


def describe(seat: Seat, now: float) -> str:
    """What a thread is busy with, since when, and where it is."""
    request = seat.row.request()
    what = "nothing"
    if request is not None:
        method, target, begun = request
        path = target.partition("?")[0]  # queries have secrets
        what = f"{method} {path} for {now - begun:.1f} s"
    frame = sys._current_frames().get(seat.thread.ident or 0)
    stack = "".join(traceback.format_stack(frame)).rstrip() if frame else ""
    return f"{what} in {seat.thread.name}, which is at\n{stack}"
