"""
A greenlet for each request, as long as its application takes.

The process is patched behind the fork, before it loads the application: what blocks
in there (sockets, ``time.sleep``, DNS, subprocesses, locks) lets others run instead.
The master is never patched.

Nothing is armed per request. The loop lives in the hub; the main greenlet shows that
the hub still turns, looks for requests that take long, and does what the master wants.
"""

import socket
import time
import traceback
import warnings
from contextlib import suppress
from typing import Any, ClassVar, Final

try:
    import gevent
    from gevent import monkey
    from gevent.event import Event
    from gevent.pool import Group
except ImportError as error:
    raise ImportError(
        f"it needs gevent: pip install 'tiamat-server[gevent]' ({error})"
    ) from error

from tiamat.drivers.blocking import BlockingConnection
from tiamat.drivers.evented import Handle
from tiamat.drivers.service import over_http
from tiamat.gateways.wsgi import RequestEnded, WSGIResponse
from tiamat.observe.log import Log
from tiamat.system.scoreboard import IN_FLIGHT
from tiamat.types import Environ
from tiamat.workers.check import PEER, SelfCheck
from tiamat.workers.green_loop import READ, GreenLoop
from tiamat.workers.sync import SyncWorker

HEARTBEAT: Final = 1.0
"""Seconds between two looks at everything; at most so many without a sign of life."""

MOMENT: Final = 0.01
"""Seconds between two looks whether greenlets have ended."""

PATIENCE: Final = 1.0
"""Seconds that greenlets have to end, once they are told to."""


class GeventWorker(SyncWorker):
    """
    The application runs in greenlets; bodies are streamed.

    Subclasses override ``begin`` to serve accepted sockets in their own way.

    Attributes:
        loop: the connections that it serves.
        guests: greenlets of a subclass's ``begin``, for which a stop waits.
    """

    multithread: ClassVar[bool] = True
    patches: ClassVar[bool] = True
    loop: GreenLoop
    _forked = False

    # --- Its life -------------------------------------------------------------

    @classmethod
    def patch(cls, log: Log, name: str) -> None:
        """Patch this process, before anything of the application is in it."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", monkey.MonkeyPatchWarning)
            monkey.patch_all()
        for warning in caught:  # the configuration file has imported too much
            log.warning("%s: %s", name, warning.message)

    def after_fork(self) -> None:
        """Have a hub of its own: that of a mold may have turned already."""
        gevent.reinit()

    def init_process(self) -> None:
        """Patch this process, unless a mold has done so."""
        self.patch(self.log, str(self))
        super().init_process()

    def load(self) -> None:
        """Load all that serves; what is wrong with it is a boot that fails."""
        super().load()
        self.prepare()

    def prepare(self) -> None:
        """Make what ``run`` needs; nothing is accepted yet."""
        hub = gevent.get_hub()
        self.loop = GreenLoop(
            [listener.sock for listener in self.listeners],
            self.service,
            self.row,
            self.bounded(self.handler(self.service.gateway.run)),
            hub=hub,
            spawn=gevent.Greenlet,
        )
        self.loop.busiest = self.cfg.worker_connections
        self.loop.begin = self.begin
        self.guests = Group()
        self._look_at = 0.0
        self._woken = Event()
        self._flushing = hub.loop.prepare()
        self._waking = hub.loop.io(self.wakeup.fileno(), READ)
        self._waking.start(self._woken.set)

    def begin(self, sock: socket.socket, address: Any, base: Environ) -> None:
        """
        Serve an accepted connection. Called in the hub.

        Args:
            sock: non-blocking, of the system's class and not gevent's.
            address: of the peer.
            base: what the environs on its listener have in common.
        """
        self.loop.adopt(sock, address, base)

    def open(self) -> None:
        """``prepare`` has made the loop."""

    def begin_to_accept(self) -> None:
        """From now on connections come."""
        self.log.hold()  # the access lines of a turn leave in one write
        self._flushing.start(self.log.flush)
        self.loop.accept()

    def serve_check(self, request: SelfCheck) -> None:
        """Serve the worker's request to itself, in a greenlet."""
        self.loop.service = over_http(self.service)
        self.loop.adopt(request.sock, PEER, self.base_of(request))
        self.loop.service = self.service
        self.loop.soon()
        while self.alive and not request.done:
            self.turn(HEARTBEAT)

    def bounded(self, run: Handle) -> Handle:
        """Wrap *run* in the limit of time that the settings ask for, if they do."""
        seconds = self.cfg.request_timeout
        if not seconds:
            return run
        text = f"request_timeout={seconds:g}"

        def handle(
            response: WSGIResponse, connection: BlockingConnection, environ: Environ
        ) -> None:
            with gevent.Timeout(seconds, RequestEnded(text)):
                run(response, connection, environ)

        return handle

    def turn(self, timeout: float) -> None:
        """Wait until something is wanted, at most so many seconds, and see to it."""
        if self._woken.wait(timeout):
            self._woken.clear()
            self.handle_wakeup()
        while self._forked:  # the application's process: nothing here is its own
            gevent.sleep(3600.0)
        if self.loop.failure is not None:
            raise self.loop.failure
        now = time.monotonic()
        self.row.beat(now)
        self.loop.soon()  # deadlines want to be looked at though nothing happens
        if now >= self._look_at:
            self._look_at = now + HEARTBEAT * 0.9
            self.look(now)

    def deliver(self) -> None:
        """In a greenlet: the main one looks after the others."""
        gevent.spawn(self.mailbox.deliver)

    def look(self, now: float) -> None:
        """Look for requests that take long, and copy the figures."""
        for connection in self.loop.overdue(now, self.slow):
            self.log.warning("%s: %s", self, self.describe(connection, now))
        self.loop.show_oldest()
        self.row.counts[IN_FLIGHT] = len(self.loop.busy())
        self.report(self.loop)

    def describe(self, connection: BlockingConnection, now: float) -> str:
        """A request that takes long: which, since when, and where it is."""
        frame = getattr(connection.server, "gr_frame", None)
        stack = "".join(traceback.format_stack(frame)).rstrip() if frame else ""
        age = now - connection.began
        return f"{connection} for {age:.1f} s, which is at\n{stack}"

    def finish(self) -> None:
        """Let greenlets finish; end them shortly before it is too late."""
        loop = self.loop
        if self.final:
            loop.accept_all(li.sock for li in self.listeners if not li.inherited)
        self.close_listeners()
        clock = time.monotonic
        until = self.deadline() - min(PATIENCE, self.cfg.graceful_timeout / 10)
        while (loop.connections or self.guests) and clock() < until:
            loop.hasten()
            loop.sweep_soon()
            self.turn(min(0.2, max(0.0, until - clock())))
        self.end(f"graceful_timeout={self.cfg.graceful_timeout:g}")
        loop.close()
        self.report(loop)

    def end(self, reason: str) -> None:
        """End every request: what is in the application is told by an exception."""
        servers = [connection.server for connection in self.loop.busy()]
        for greenlet in [*self.guests, *servers]:
            greenlet.kill(RequestEnded(reason), block=False)
        until = time.monotonic() + PATIENCE
        while (self.loop.active or self.guests) and time.monotonic() < until:
            gevent.sleep(MOMENT)

    def forget(self) -> None:
        """In a process that the application forks, nothing here goes on."""
        self._forked = True
        if self.loop is not None:
            with suppress(Exception):
                self._waking.stop()
                self._flushing.stop()
                self.loop.stop()
        super().forget()
