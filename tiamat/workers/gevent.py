"""
A greenlet for each connection.

The process is patched behind the fork, before it loads the application: what blocks
in there (sockets, ``time.sleep``, DNS, subprocesses, locks) lets others run instead.
The master is never patched.

Nothing is armed per request. The main greenlet looks once a second at the deadlines
of all connections, shows that the hub still turns, and does what the master wants.
"""

import socket
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

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
from tiamat.drivers.host import Handle, Host
from tiamat.drivers.service import WSGIService
from tiamat.gateways.wsgi import RequestEnded, WSGIResponse
from tiamat.system.scoreboard import CONNECTIONS, ERRORS, REQUESTS
from tiamat.system.sockets import EXHAUSTED
from tiamat.types import Environ
from tiamat.workers.base import Worker
from tiamat.workers.green_socket import READ, GreenSocket
from tiamat.workers.serving import FOREVER, make_handle, make_service

HEARTBEAT: Final = 1.0
"""Seconds between two looks at everything; at most so many without a sign of life."""

MOMENT: Final = 0.01
"""Seconds for which the late may still show that they are not."""

PATIENCE: Final = 1.0
"""Seconds that greenlets have to end, once they are told to."""

PAUSE: Final = 0.5
"""Seconds without accepting, for want of descriptors."""


class GeventHost(Host):
    """The connections of one gevent worker."""

    had_enough: Callable[[], None]
    go_on: Callable[[], None]


class GeventWorker(Worker):
    """
    A greenlet for each connection; the application runs in it.

    Subclasses override ``begin`` to serve accepted sockets in their own way.

    Attributes:
        host: the connections that it serves.
        guests: greenlets of a subclass's ``begin``, for which a stop waits.
    """

    service: WSGIService
    host: GeventHost
    _forked = False

    # --- Its life -------------------------------------------------------------

    def init_process(self) -> None:
        """Patch this process, before anything of the application is in it."""
        gevent.reinit()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", monkey.MonkeyPatchWarning)
            monkey.patch_all()
        for warning in caught:  # the configuration file has imported too much
            self.log.warning("%s: %s", self, warning.message)
        super().init_process()

    def load(self) -> None:
        """Load all that serves; what is wrong with it is a boot that fails."""
        super().load()
        self.service = make_service(self, multithread=True)
        self.prepare()

    def run(self) -> None:
        """Serve until told to stop, then let greenlets finish."""
        if self.orphaned:
            return
        heartbeat = min(HEARTBEAT, (self.cfg.timeout or FOREVER) / 2)
        self.log.hold()  # the access lines of a turn leave in one write
        self._flushing.start(self.log.flush)
        self.accept()
        while self.alive:
            self.turn(heartbeat)
        if self.final:
            self.accept_all()
        self.stop_accepting()
        self.close_listeners()
        self.finish()

    def prepare(self) -> None:
        """Make what ``run`` needs; nothing is accepted yet."""
        cfg = self.cfg
        self.host = GeventHost(
            self.service,
            self.row,
            self.bounded(make_handle(self, self.service.gateway.run)),
            busiest=cfg.worker_connections,
        )
        self.host.enough = self.max_requests
        self.host.had_enough = partial(self.retire, "max_requests")
        self.host.go_on = self.accept
        self.guests = Group()
        hub = gevent.get_hub()
        self._accepting = False
        self._resume_at = 0.0
        self._sweep_at = 0.0
        self._woken = Event()
        self._flushing = hub.loop.prepare()
        self._waking = hub.loop.io(self.wakeup.fileno(), READ)
        self._waking.start(self._woken.set)
        self._watchers = []
        for listener in self.listeners:
            watcher = hub.loop.io(listener.fileno(), READ)
            self._watchers.append((watcher, listener.sock, self.base(listener.sock)))

    def base(self, sock: socket.socket) -> Environ:
        """What the environs of one listener have in common."""
        name = sock.getsockname()
        make = self.service.environs.base
        if isinstance(name, tuple):
            return make(name[0], str(name[1]), "http")
        return make("localhost", "", "http")

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
        now = time.monotonic()
        self.row.beat(now)
        if now >= self._sweep_at:
            self._sweep_at = now + HEARTBEAT * 0.9
            self.sweep(now)

    def sweep(self, now: float) -> None:
        """Look at everybody: who is late, who takes long, how many there are."""
        host = self.host
        late = host.late(now)
        if late:
            # Two turns of the hub: whoever had bytes in the kernel has them now.
            gevent.sleep(MOMENT)
            gevent.sleep(MOMENT)
            host.expire(late)
        for connection in host.overdue(now, self.cfg.timeout or FOREVER):
            self.log.warning("%s: %s", self, self.describe(connection, now))
        host.show_oldest()
        if self._resume_at and now >= self._resume_at:
            self.accept()
        self.report()

    def describe(self, connection: BlockingConnection, now: float) -> str:
        """A request that takes long: which, since when, and where it is."""
        greenlet = host_greenlet(self.host, connection)
        frame = getattr(greenlet, "gr_frame", None)
        stack = "".join(traceback.format_stack(frame)).rstrip() if frame else ""
        age = now - connection.began
        return f"{connection} for {age:.1f} s, which is at\n{stack}"

    def report(self) -> None:
        """Copy the numbers to the scoreboard."""
        host = self.host
        counts = self.row.counts
        counts[REQUESTS] = self.nr = host.handled
        counts[ERRORS] = host.errors
        counts[CONNECTIONS] = len(host.connections)

    def finish(self) -> None:
        """Let greenlets finish; end them shortly before it is too late."""
        host = self.host
        host.hasten()
        clock = time.monotonic
        until = self.deadline() - min(PATIENCE, self.cfg.graceful_timeout / 10)
        while (host.connections or self.guests) and clock() < until:
            self._sweep_at = 0.0
            self.turn(min(0.2, max(0.0, until - clock())))
        self.end(f"graceful_timeout={self.cfg.graceful_timeout:g}")
        self.report()
        self.log.flush()

    def end(self, reason: str) -> None:
        """End every connection; what is in the application is told by an exception."""
        running = list(self.guests)
        for connection in list(self.host.connections):
            if connection.began:
                running.append(host_greenlet(self.host, connection))
            else:
                connection.abort()
        gevent.killall(running, RequestEnded(reason), timeout=PATIENCE)
        gevent.sleep(0)

    # --- Accepting --------------------------------------------------------------

    def accept(self) -> None:
        """Take new connections from now on."""
        self._resume_at = 0.0
        if not self._accepting and self.alive:
            self._accepting = True
            for watcher, sock, base in self._watchers:
                watcher.start(self.accept_one, sock, base)

    def stop_accepting(self) -> None:
        """Leave new connections to others."""
        self._accepting = False
        for watcher, _, _ in self._watchers:
            watcher.stop()

    def accept_one(self, listener: socket.socket, base: Environ) -> bool:
        """
        Take one connection; False if there was none. Called in the hub.

        One each time, so that other workers have theirs.
        """
        host = self.host
        if host.active >= host.busiest and self.alive:
            host.pressed = True
            self.stop_accepting()
            return False
        try:
            # Of socket.socket.accept() the patched part makes more than we need.
            fileno, address = listener._accept()  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in EXHAUSTED:
                self.pause(error)
            return False
        limit = self.service.limit_connections
        if limit and len(host.connections) >= limit:
            host.evict(limit // 100)
        make = monkey.get_original("socket", "socket")
        sock = make(listener.family, listener.type, listener.proto, fileno)
        sock.setblocking(False)
        try:
            self.begin(sock, address, base)
        except Exception as error:
            self.log.error("can't serve a connection", exc_info=error)
            sock.close()
        return True

    def begin(self, sock: socket.socket, address: Any, base: Environ) -> None:
        """
        Serve an accepted connection in a greenlet of its own. Called in the hub.

        Args:
            sock: non-blocking, of the system's class and not gevent's.
            address: of the peer.
            base: what the environs on its listener have in common.
        """
        peer = (address[0], str(address[1])) if isinstance(address, tuple) else ("", "")
        connection = BlockingConnection(
            self.host, GreenSocket(sock, gevent.get_hub()), peer, base
        )
        self.host.connections[connection] = gevent.spawn(connection.run)

    def pause(self, error: OSError) -> None:
        """Out of descriptors or memory: leave it to others for a moment."""
        self.log.warning("accept: %s, pausing", error.strerror)
        self.stop_accepting()
        self._resume_at = time.monotonic() + PAUSE
        self.host.evict(len(self.host.connections) // 10)

    def accept_all(self) -> None:
        """Take every connection that the kernel still holds for our own listeners."""
        ours = {li.fileno() for li in self.listeners if not li.inherited}
        for _, sock, base in self._watchers:
            while sock.fileno() in ours and self.accept_one(sock, base):
                self.row.beat(time.monotonic())

    def forget(self) -> None:
        """In a process that the application forks, nothing here goes on."""
        self._forked = True
        if hasattr(self, "host"):
            with suppress(Exception):
                self._waking.stop()
                self._flushing.stop()
                self.stop_accepting()
            self.host.abandon()
        super().forget()


def host_greenlet(host: Host, connection: BlockingConnection) -> Any:
    """What runs a connection."""
    return host.connections.get(connection)
