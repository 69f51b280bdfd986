"""Any server that a worker script makes: of TCP, or of what it speaks above that."""

import socket
from collections.abc import Callable
from typing import Any, ClassVar, Final

from tiamat.config import application
from tiamat.errors import AppError, StartupError, TiamatError
from tiamat.gateways import adapters, interface, loader, tcp
from tiamat.system.listener import Listener
from tiamat.workers import load_worker_class
from tiamat.workers.base import Worker
from tiamat.workers.script import RunConfig

CLASSES: Final = {
    "serves": "tiamat.workers.tcp_loop:LoopWorker",
    "protocol": "tiamat.workers.tcp_loop:LoopWorker",
    "streams": "tiamat.workers.tcp_loop:LoopWorker",
    "blocks": "tiamat.workers.tcp_threads:ThreadWorker",
    "socketserver": "tiamat.workers.tcp_threads:ThreadWorker",
    "handler": "tiamat.workers.tcp_threads:ThreadWorker",
}
"""What serves each kind of server."""


class TCPWorker(Worker):
    """
    Calls ``run(config)`` and becomes the worker for what that returns.

    The object stays and its class changes, as ``AutoWorker``'s does.

    Attributes:
        made: the server.
        kind: which of ``tcp.Kind`` that is.
        given: what ``run`` was called with.
    """

    interfaces: ClassVar[Any] = ("tcp",)
    made: Any
    kind: tcp.Kind
    given: RunConfig

    def load(self) -> None:
        """Make the server, and become what serves it."""
        self.make()
        if self.kind in tcp.HTTP:
            self.app = self.made
            name = "threads" if self.cfg.threads > 1 else "sync"
            self.become("asgi" if self.kind == "asgi" else name)
            self.load()  # that class's
            return
        if self.kind not in CLASSES:
            raise AppError("a server of gevent's needs its worker: add -k gevent")
        self.become(CLASSES[self.kind])

    def make(self) -> None:
        """
        Call ``run``, in the process that serves.

        Raises:
            TiamatError: it failed, or returned no server.
        """
        tcp.announce(self.slot)
        run: Any = self.app or application.load(self.cfg)
        self.given = RunConfig(self)
        arguments = (self.given,) if tcp.takes_config(run) else ()
        try:
            self.made, self.kind = adapters.served(self.call(run, *arguments))
            self.check()
        except TiamatError:
            raise
        except (Exception, SystemExit) as error:
            raise StartupError(
                f"{self.cfg.app!r} failed: {loader.reason(error)}"
            ) from loader.without_ours(error)

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call a function of the script's, which may be a coroutine function."""
        if not interface.is_coroutine(function):
            return function(*arguments)
        from tiamat.workers import tcp_loop  # asyncio: megabytes, which others spare

        return tcp_loop.loop_of(self).run_until_complete(function(*arguments))

    def check(self) -> None:
        """Ask a server that can tell whether it is fit; else the worker can't boot."""
        check = getattr(self.made, "check", None)
        if self.kind in ("serves", "blocks") and check is not None:
            fit = self.call(check)
            if fit is not None and not fit:
                raise AppError("the server is not fit: its check() says no")

    def become(self, name: str) -> None:
        """Go on as another class."""
        self.__class__ = load_worker_class(name)  # type: ignore[assignment]
        if self.slot == 0:  # one line per generation
            self.log.info("%s serves %s", self, WORDS[self.kind])

    def secured(self, sock: socket.socket, listener: Listener) -> socket.socket:
        """
        An accepted socket, behind TLS if that is spoken on its listener.

        The handshake is made when it is first read or written, by who does that.
        """
        security = self.security
        if security is None or not security.secures(listener):
            return sock
        return security.context.wrap_socket(
            sock, server_side=True, do_handshake_on_connect=False
        )

    def tell_stop(self) -> None:
        """Tell the server that it shall finish."""
        for function, error in self.given.stop():
            self.log.error("on_stop: %r failed", function, exc_info=error)


WORDS: Final[dict[tcp.Kind, str]] = {
    "serves": "by an object on a loop",
    "blocks": "by an object in a thread",
    "protocol": "by protocols of asyncio",
    "streams": "by streams of asyncio",
    "socketserver": "by a socketserver",
    "gevent": "by a server of gevent's",
    "handler": "each connection in a thread",
    "wsgi": "a WSGI application",
    "asgi": "an ASGI application",
}
