"""Our gevent worker inside of an object of gunicorn's ``GeventWorker`` and its like."""

import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent import socket
from gevent.pool import Pool

from tiamat.compat.inner import InnerSync
from tiamat.errors import ConfigError
from tiamat.types import Environ
from tiamat.workers.gevent import GeventWorker


class InnerGevent(InnerSync, GeventWorker):
    """Requests go through the object's methods, in greenlets."""

    def turn(self, timeout: float) -> None:
        """As ever; the object shows life when the hub turns."""
        super().turn(timeout)
        self.notify_as_row()


class InnerServer(InnerGevent):
    """
    Connections are served by a server of gevent's, which the object names.

    It accepts nothing itself: what is accepted is handed to it.
    """

    server: Any
    waiting: dict[Any, float]

    def take_application(self) -> None:
        """Make the server, too."""
        super().take_application()
        if self.security is not None:
            raise ConfigError(
                f"{self.foreign.server_class.__name__} speaks no TLS here; -k gevent"
                " does, or let a proxy speak it"
            )
        self.waiting = {}
        # Without a limit: what is accepted is spawned in the hub, which can't wait.
        self.guests = Pool(None)
        foreign = self.foreign
        self.servers = {}
        for listener in self.listeners:
            options: dict[str, Any] = foreign.server_options(listener)
            options["handler_class"] = noting(
                options["handler_class"], self.waiting, lambda: not self.alive
            )
            server = foreign.server_class(
                listener, application=foreign.wsgi, spawn=self.guests, **options
            )
            server.init_socket()
            self.servers[str(listener.sock.getsockname()[1])] = server

    servers: dict[str, Any]

    def begin(self, sock: Any, address: Any, base: Environ) -> None:
        """Hand an accepted connection to the server."""
        server = self.servers.get(base["SERVER_PORT"])
        if server is None:
            server = next(iter(self.servers.values()))
        server.do_handle(socket.socket(fileno=sock.detach()), address)

    def finish(self) -> None:
        """Let connections end that wait for a request which does not come."""
        closing = gevent.spawn(self.close_waiting)
        super().finish()
        closing.kill(block=False)

    def close_waiting(self) -> None:
        """Once a second or so, until all are gone."""
        patience = max(0.1, self.cfg.keepalive)
        while True:
            now = time.monotonic()
            for handler, since in list(self.waiting.items()):
                if now - since > patience and handler.socket is not None:
                    handler.socket.shutdown(socket.SHUT_RD)
            gevent.sleep(0.1)


def noting(kind: Any, waiting: dict[Any, float], stopping: Callable[[], bool]) -> Any:
    """
    A class of handlers whose connections end when the worker does.

    Args:
        kind: what to derive from.
        waiting: gets since when each waits for a request.
        stopping: whether the worker stops: clients are told not to come again.
    """

    class Noting(kind):  # type: ignore[misc]
        def read_requestline(self) -> Any:
            waiting[self] = time.monotonic()
            try:
                return super().read_requestline()
            finally:
                del waiting[self]

        def finalize_headers(self) -> None:
            super().finalize_headers()
            if stopping() and self.code != 101:
                self.close_connection = True
                self.response_headers.append((b"Connection", b"close"))

    Noting.__name__ = Noting.__qualname__ = kind.__name__
    return Noting
