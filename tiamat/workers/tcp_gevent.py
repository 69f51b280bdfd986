"""A server of a worker script's in a process that gevent has patched."""

from typing import Any, ClassVar

import gevent
from gevent import socket

from tiamat.errors import AppError
from tiamat.gateways import tcp
from tiamat.observe.log import Log
from tiamat.system.queues import readable
from tiamat.workers.gevent import GeventWorker
from tiamat.workers.tcp import WORDS
from tiamat.workers.tcp_threads import InThread, Serving, ThreadWorker


class GeventServerWorker(ThreadWorker):
    """
    Servers of gevent's, and those that are written for threads: these are greenlets.
    """

    patches: ClassVar[bool] = True

    @classmethod
    def patch(cls, log: Log, name: str) -> None:
        """As the gevent worker does."""
        GeventWorker.patch(log, name)

    def after_fork(self) -> None:
        """Have a hub of its own: that of a mold may have turned already."""
        gevent.reinit()

    def init_process(self) -> None:
        """Patch this process, unless a mold has done so."""
        self.patch(self.log, str(self))
        super().init_process()

    def load(self) -> None:
        """Make the server; the class stays what it is."""
        self.make()
        if self.kind in tcp.LOOP | tcp.HTTP:
            raise AppError(f"{WORDS[self.kind]}: leave out -k gevent")
        if self.slot == 0:  # one line per generation
            self.log.info("%s serves %s", self, WORDS[self.kind])

    def make_serving(self) -> Serving:
        """What hands the sockets to the server."""
        return StreamServer(self) if self.kind == "gevent" else super().make_serving()

    def deliver(self) -> None:
        """In a greenlet: the main one looks after the others."""
        gevent.spawn(self.mailbox.deliver)


class StreamServer(InThread):
    """A ``gevent.server.StreamServer``, or what is derived from it."""

    def __init__(self, worker: ThreadWorker) -> None:
        super().__init__(worker)
        if len(worker.listeners) != 1:
            raise AppError(
                f"a StreamServer has one socket, and bind names {len(worker.listeners)}"
            )
        sock: Any = socket.socket(fileno=worker.listeners[0].sock.fileno())
        self.server.set_listener(sock)
        self.server.max_accept = 1  # others were not woken for what waits
        self._sock = sock
        self._open = 0
        self._begin = self.server.do_handle
        self._handle = self.server.handle
        self.server.do_handle = self._counted
        self.server.set_handle(self._uncounted)

    def _counted(self, *arguments: Any) -> None:
        """From when it is taken, not from when its greenlet begins."""
        self.handled += 1
        self._open += 1
        try:
            self._begin(*arguments)
        except BaseException:
            self._open -= 1
            raise

    def _uncounted(self, *arguments: Any) -> None:
        try:
            self._handle(*arguments)
        finally:
            self._open -= 1

    @property
    def connections(self) -> int:
        return self._open

    @property
    def ended(self) -> bool:
        return False

    def begin(self) -> None:
        """It has no thread: the hub calls it."""
        self.server.start()

    def stop(self) -> None:
        self.server.stop_accepting()
        listener = self.worker.listeners[0]
        while self.worker.final and not listener.inherited:
            if not readable(listener.fileno()):
                break
            if taken := self.server.do_read():
                self.server.do_handle(*taken)

    def end(self) -> None:
        self.server.stop(timeout=0)
        self._sock.detach()  # the descriptor is the listener's
