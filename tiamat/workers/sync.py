"""One request at a time, on any number of kept-alive connections."""

import itertools
import math
from typing import Any, ClassVar, cast

from tiamat.drivers.evented import EventedLoop, Handle
from tiamat.drivers.service import WSGIService, over_http
from tiamat.gateways.wsgi import WSGIResponse
from tiamat.system.scoreboard import CONNECTIONS, REQUESTS, SECONDS
from tiamat.types import Environ
from tiamat.workers.base import Worker
from tiamat.workers.check import PEER, SelfCheck
from tiamat.workers.reporting import make_handle
from tiamat.workers.serving import FOREVER, bounded_queue, make_service

HEARTBEAT = 1.0
"""At most so many seconds between two signs of life of an idle worker."""


class SyncWorker(Worker):
    """
    The application runs in place, on complete requests, one at a time.

    Slow clients, idle ones and those that don't read cost it nothing but memory:
    they wait in the selector loop.
    """

    multithread: ClassVar[bool] = False
    watched: ClassVar[bool] = True
    service: WSGIService
    loop: EventedLoop | None = None

    def load(self) -> None:
        """Load all that serves; what is wrong with it is a boot that fails."""
        super().load()
        self.service = make_service(self, multithread=self.multithread)

    def run(self) -> None:
        """Serve until told to stop, then drain."""
        self.open()
        if self.orphaned:
            return
        self.begin_to_accept()
        while self.alive:
            self.turn(self.heartbeat)
        self.finish()

    @property
    def heartbeat(self) -> float:
        """
        Seconds between two signs of life of an idle worker.

        Twice within ``timeout``, so that one late look of the master's is no death.
        """
        return min(HEARTBEAT, (self.cfg.timeout or FOREVER) / 2)

    def open(self) -> None:
        """Make the loop; nothing is accepted yet."""
        service = self.service
        loop = self.loop = EventedLoop(
            [listener.sock for listener in self.listeners],
            service,
            self.row,
            self.handler(service.gateway.run),
            others_idle=self.row.idle_elsewhere,
        )
        loop.watch_wakeup(self.wakeup.fileno(), self.handle_wakeup)

    def begin_to_accept(self) -> None:
        """From now on connections come."""
        cast(EventedLoop, self.loop).accept()
        self.log.hold()  # the access lines of a turn leave in one write

    def turn(self, timeout: float) -> None:
        """Wait for something, at most so many seconds, and do it."""
        loop = cast(EventedLoop, self.loop)
        # Others may come and go; alone, no request has to ask for them.
        loop.always_keeps = loop.accepting and loop.keepalive > 0 and self.row.alone()
        loop.turn(timeout)
        self.report(loop)

    def finish(self) -> None:
        """Serve what is here, until it is done or the time is over."""
        loop = cast(EventedLoop, self.loop)
        if self.final:
            # An inherited queue is kept for who starts next: systemd's, a test's.
            ours = (li.sock for li in self.listeners if not li.inherited)
            loop.accept_all(ours)
        self.close_listeners()
        loop.drain(self.deadline())
        self.report(loop)
        loop.close()

    def serve_check(self, request: SelfCheck) -> None:
        """Serve the worker's request to itself, on a loop that accepts nothing."""
        run = self.handler(self.service.gateway.run)
        loop = EventedLoop([], over_http(self.service), self.row, run)
        loop.watch_wakeup(self.wakeup.fileno(), self.handle_wakeup)
        loop.adopt(request.sock, PEER, self.base_of(request))
        while self.alive and not request.done:
            loop.turn(HEARTBEAT)
        loop.close()

    def base_of(self, request: SelfCheck) -> Environ:
        """What the environ of that request says of where it was put to."""
        where = request.host, str(request.port), request.scheme
        return self.service.environs.base(*where)

    def handler(self, run: Handle) -> Handle:
        """Wrap *run* in what the settings ask for, and in nothing else."""
        run = make_handle(self, run)
        if self.multithread and self.max_requests < math.inf:
            run = counted(self, run)
        return bounded_queue(self, run, self.service)

    def report(self, loop: EventedLoop) -> None:
        """Copy the loop's numbers to the scoreboard; ask to be replaced in time."""
        counts = self.row.counts
        counts[REQUESTS] = self.nr = loop.handled
        self.row.times[SECONDS] = loop.seconds
        counts[CONNECTIONS] = loop.connections
        if self.nr >= self.max_requests:
            self.retire("max_requests")
        self.log.flush()

    def close_listeners(self) -> None:
        """Also while a request is in the application, from the helper thread."""
        if self.loop is not None:
            self.loop.close_listeners()
        super().close_listeners()


def counted(worker: Worker, run: Handle) -> Handle:
    """
    Wrap *run* in a count: behind the last of ``max_requests`` it asks to be replaced.

    In any thread, and once: each number is drawn by one.
    """
    numbers = itertools.count(1)

    def handle(response: WSGIResponse, connection: Any, environ: Environ) -> None:
        run(response, connection, environ)
        if next(numbers) == worker.max_requests:
            worker.retire("max_requests")

    return handle
