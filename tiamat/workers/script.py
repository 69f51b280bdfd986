"""What ``run(config)`` of a worker script is called with."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tiamat.workers.current import CurrentWorker

if TYPE_CHECKING:
    import socket

    from tiamat.config import Config
    from tiamat.observe.log import Log
    from tiamat.workers.base import Worker


class RunConfig:
    """
    The worker, for the server that runs in it.

    Attributes:
        sockets: the listening sockets, by name, or by address if they have none. They
            don't block, and other workers share them: don't change them.
        slot, generation: as of the worker.
        workers: how many there shall be.
        settings: all of them.
        worker: what an application may ask of it: messages, for example.
        logger: the error log.
        stopping: set when the server shall finish and go.
        plain: the names of those sockets that are to have no TLS.
        tls: the context of the settings for servers that accept by themselves; None
            without certificates. Protocols, handlers and socketservers need it not.
    """

    def __init__(self, worker: "Worker") -> None:
        self.sockets: dict[str, socket.socket] = {
            listener.name or listener.text: listener.sock
            for listener in worker.listeners
        }
        self.slot = worker.slot
        self.generation = worker.generation
        self.workers: int = worker.cfg.workers
        self.settings: Config = worker.cfg
        self.worker = CurrentWorker(worker)
        self.logger: Log = worker.log
        self.stopping = threading.Event()
        self.plain = frozenset(
            listener.name or listener.text
            for listener in worker.listeners
            if worker.security is None or listener.plain
        )
        self.tls = worker.security and worker.security.context
        self._on_stop: list[Callable[[], object]] = []

    def on_stop(self, function: Callable[[], object]) -> Callable[[], object]:
        """
        Have a function called when the server shall finish; also a decorator.

        On the loop, if there is one. It may tell clients to go, who would stay.
        """
        self._on_stop.append(function)
        return function

    def stop(self) -> list[tuple[Callable[[], object], Any]]:
        """Tell all who wanted to know; return those that failed, and why."""
        self.stopping.set()
        failed: list[tuple[Callable[[], object], Any]] = []
        for function in self._on_stop:
            try:
                function()
            except Exception as error:
                failed.append((function, error))
        return failed
