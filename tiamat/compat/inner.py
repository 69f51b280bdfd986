"""
Workers of ours inside of objects that have the methods of gunicorn's workers.

An object of a class that derives from gunicorn's ``SyncWorker`` and its like, in our
tree, is driven like any other by ``ForeignWorker``. But its ``run`` has a worker of
ours serve, of the class that does the same: so it keeps what that keeps, drain,
limits, deadlines, logs and figures. What of its methods a plugin has overridden, or
somebody has wrapped, is called on the way of each request.

The inner worker and the one that drives the object have one state: they are the same
worker, once as it serves and once as the master knows it.
"""

import errno
import math
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from tiamat.compat.held import Client, HeldRequest, RaisingGateway
from tiamat.drivers.evented import EventedLoop, Handle
from tiamat.gateways.wsgi import WSGIResponse
from tiamat.system.scoreboard import HEARTBEAT
from tiamat.types import Environ
from tiamat.workers.asgi import ASGIWorker
from tiamat.workers.base import Worker
from tiamat.workers.reporting import timed, wants_times
from tiamat.workers.serving import bounded_queue
from tiamat.workers.sync import SyncWorker, counted
from tiamat.workers.threads import ThreadsWorker
from tiamat.workers.tls import make_security

if TYPE_CHECKING:
    from tiamat.compat.foreign_worker import ForeignWorker


class Inner(Worker):
    """
    A worker of ours that is the same as *host*, and serves for *foreign*.

    Args:
        host: what drives the object.
        foreign: the object.
    """

    foreign: Any

    def __init__(self, host: "ForeignWorker", foreign: Any) -> None:
        self.__dict__ = vars(host)
        if foreign.max_requests < sys.maxsize:
            self.max_requests = foreign.max_requests
        else:
            self.max_requests = math.inf
        self.sockets = self.listeners
        state: dict[str, Any] = vars(host)
        state["close_listeners"] = self.close_listeners

    @property
    def alive(self) -> bool:
        """Whether both go on."""
        return bool(vars(self)["alive"] and self.foreign.alive)

    @alive.setter
    def alive(self, value: bool) -> None:
        vars(self)["alive"] = value

    def deadline(self) -> float:
        """Also for an object that has ended by itself."""
        if self._stop_at == math.inf and not self.alive:
            self._stop_at = time.monotonic() + self.cfg.graceful_timeout
        return self._stop_at

    def notify_as_row(self) -> None:
        """Have the object show life, if its worker has."""
        beat = self.row.times[HEARTBEAT]
        if beat != vars(self).get("_notified"):
            vars(self)["_notified"] = beat
            self.foreign.notify()

    def call_hook(self, name: str, *args: object) -> None:
        """Hooks see the object."""
        super().call_hook(name, *(self.foreign if a is self else a for a in args))

    def secure(self) -> None:
        """
        Read certificates and keys, as long as we may.

        Raises:
            TLSError: one of them can't be used.
        """
        self.security = make_security(self.cfg, self.log, self.listeners)

    def take_application(self) -> None:
        """
        Make what serves the object's application.

        Raises:
            TiamatError: it can't be served.
        """
        self.app = self.foreign.wsgi
        self.load()

    def ready(self) -> None:
        """Say so, and wait until we may accept."""
        cast("ForeignWorker", self.foreign.host).begin_to_serve()
        self.wakeup.wake_on_signals()
        self.wakeup.wake()


class InnerSync(Inner, SyncWorker):
    """Requests go through the methods of an object of gunicorn's ``SyncWorker``."""

    def raising(self) -> RaisingGateway:
        """The gateway; applications raise into the object's methods."""
        return RaisingGateway(
            self.application,
            self.service.gateway.common,
            self.log,
            sendfile=self.cfg.sendfile,
            stopping=lambda: not self.alive,
        )

    def application(self, environ: Environ, start_response: Any) -> Any:
        """The object's, whatever it is by now."""
        return self.foreign.respond(environ, start_response)

    def handler(self, run: Handle) -> Handle:
        """The gateway behind the object's methods, in the place of *run*."""
        run = self.raising().run
        if wants_times(self):
            run = timed(run)
        hooked = self.cfg.pre_request is not None
        begin = self.foreign.begin

        def handle(response: WSGIResponse, connection: Any, environ: Environ) -> None:
            def answer(request: HeldRequest) -> None:
                if hooked:
                    self.call_hook("pre_request", self, request)
                run(response, connection, environ)

            client = Client(connection, response)
            client.request = HeldRequest(client, environ, answer)
            begin(client)
            if not response.status:
                response.keep_alive = False

        counts = self.multithread and self.max_requests < math.inf
        return bounded_queue(
            self, counted(self, handle) if counts else handle, self.service
        )

    def open(self) -> None:
        """Make the loop; the object shows life every second, also while it drains."""
        super().open()
        loop = cast(EventedLoop, self.loop)
        refresh = loop.refresh

        def refresh_too() -> None:
            refresh()
            self.foreign.notify()

        if not self.multithread:
            setattr(loop, "refresh", refresh_too)  # noqa: B010  mypy: a method

    # What the object's methods call

    def listener_of(self, client: Client) -> Any:
        """The listener on which the connection of a request came."""
        sockets = self.foreign.sockets
        if len(sockets) == 1:
            return sockets[0]
        here = client.getsockname()
        at = (one for one in sockets if same_place(one.getsockname(), here))
        return next(at, sockets[0])

    def follow_accept(self, accept: Callable[[Any], object]) -> None:
        """Have connections taken by *accept*, called with the listener."""
        loop = cast(EventedLoop, self.loop)
        self.take = loop.accept_one
        listeners = {listener.fileno(): listener for listener in self.listeners}

        def accept_one(fileno: int) -> bool:
            try:
                accept(listeners[fileno])
            except (BlockingIOError, ConnectionAbortedError):
                return False
            return True

        setattr(loop, "accept_one", accept_one)  # noqa: B010  mypy: a method

    take: Callable[[int], bool]

    def accept_from(self, listener: Any) -> None:
        """
        Take one connection from a listener.

        Raises:
            BlockingIOError: there is none.
        """
        if not self.take(listener.fileno()):
            raise BlockingIOError(errno.EAGAIN, "no connection")

    def adopt(self, sock: Any, address: Any) -> None:
        """Serve a connection that somebody else has accepted."""
        loop = cast(EventedLoop, self.loop)
        base = next(iter(loop._bases.values()))
        sock.setblocking(False)
        loop.adopt(sock, address, base)


class InnerThreads(InnerSync, ThreadsWorker):
    """The same for gunicorn's ``ThreadWorker``."""

    def open(self) -> None:
        """Make the loop; the object shows life when the threads do."""
        super().open()
        look = self.watch.look

        def look_too() -> None:
            look()
            self.notify_as_row()

        setattr(self.watch, "look", look_too)  # noqa: B010  mypy: a method


class InnerASGI(Inner, ASGIWorker):
    """The same for gunicorn's ``ASGIWorker``: nothing of its is called in between."""

    def report(self) -> None:
        """Copy the numbers; show life."""
        super().report()
        self.foreign.notify()


def same_place(listener: Any, here: Any) -> bool:
    """Whether a connection to *here* came on a listener, which may have all hosts."""
    if isinstance(listener, tuple) and isinstance(here, tuple):
        return bool(listener[1] == here[1])
    return bool(listener == here)
