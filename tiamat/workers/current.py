"""
What an application may ask of the worker that it runs in.

``tiamat.current_worker()`` is None in every other process, so an application that asks
first runs under any server.
"""

import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from tiamat.system.messages import TO_ALL, TO_MASTER, Post, encode
from tiamat.workers.mailbox import Handler, Received

if TYPE_CHECKING:
    from tiamat.workers.base import Worker

PAUSE: Final = 0.001
"""Seconds between two looks whether there is room, for who waits for it."""

Callback = TypeVar("Callback", bound=Callable[..., object])
Take = TypeVar("Take", bound=Handler)

_current: "CurrentWorker | None" = None


def current_worker() -> "CurrentWorker | None":
    """
    The worker that this process is; None if it is none.

    None as well while ``preload_app`` has the application loaded: the workers are
    forked from there. Ask in the hook ``post_worker_init``, in a lifespan, or when
    it is needed.
    """
    return _current


def enter(worker: "Worker") -> None:
    """This process is a worker from now on."""
    global _current
    _current = CurrentWorker(worker)


def leave() -> None:
    """This process is none: the application has forked it."""
    global _current
    _current = None


class CurrentWorker:
    """The worker of this process, for the application in it. From any thread."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker

    def __repr__(self) -> str:
        return f"<{self._worker}>"

    @property
    def slot(self) -> int:
        """Its place, from 0; the one that replaces it will have the same."""
        return self._worker.slot

    @property
    def generation(self) -> int:
        """How many reloads there were before it, beginning with 1."""
        return self._worker.generation

    @property
    def pid(self) -> int:
        """The process."""
        return self._worker.pid

    def post(
        self,
        data: Any,
        *,
        topic: str = "",
        to: str | int = TO_MASTER,
        patience: float = 0.0,
    ) -> bool:
        """
        Say something to other processes of this server.

        What one worker posts arrives in its order, once or not at all: a worker that
        is being started or killed hears nothing.

        Args:
            data: what JSON can say, up to 60 kB of it.
            topic: what it is about.
            to: ``"master"``: its hook ``on_worker_message``; ``"all"``: every worker,
                this one too; or the slot of one worker.
            patience: how many seconds to wait for room; the thread, or with gevent
                the greenlet, stands still meanwhile.

        Returns:
            Whether it is on its way; not if there is no room, or no master.

        Raises:
            TypeError: JSON can't say it.
            ValueError: it is too much, or there is nobody of that name.
        """
        if not isinstance(to, int) and to not in (TO_MASTER, TO_ALL):
            raise ValueError(f'to={to!r} is neither "master" nor "all" nor a slot')
        message = encode(Post(topic, data, to))
        channel = self._worker.channel
        until = time.monotonic() + patience
        while not (room := channel.has_room()) and time.monotonic() < until:
            time.sleep(PAUSE)  # gevent's, where it has patched: others run meanwhile
        return room and channel.send_encoded(message)

    @overload
    def on_message(self, handler: Take, *, topic: str | None = None) -> Take: ...

    @overload
    def on_message(self, *, topic: str | None = None) -> Callable[[Take], Take]: ...

    def on_message(
        self, handler: Handler | None = None, *, topic: str | None = None
    ) -> Any:
        """
        Have a function called with each message; also a decorator.

        It is called under ``sync`` in the main thread, between two requests; under
        ``threads`` in a thread of its own; under ``gevent`` in a greenlet; under
        ``asgi`` on the loop, where it may be a coroutine function. What it raises is
        logged.

        Args:
            handler: called with a ``Received``.
            topic: of which messages; every one if not given.

        Raises:
            TypeError: a coroutine function where there is no loop.
        """

        def add(function: Take) -> Take:
            self._worker.mailbox.add(function, topic)
            return function

        return add if handler is None else add(handler)

    def messages(self, topic: str | None = None) -> AsyncIterator[Received]:
        """
        Messages as they come: ``async for message in worker.messages():``.

        From the first step of the loop on. At most 1,000 wait; of more the oldest go.
        """
        return self._worker.mailbox.stream(topic)

    def retire(self, reason: str = "") -> None:
        """
        Ask to be replaced.

        The worker serves until its replacement does, finishes what it has, and ends.

        Args:
            reason: for the log.
        """
        worker = self._worker
        worker.log.info("%s wants to be replaced%s", worker, reason and f": {reason}")
        worker.retire("application")

    def on_orphaned(self, function: Callback) -> Callback:
        """
        Have a function called when the master is gone; also a decorator.

        The worker then takes no more connections, finishes what it has, and ends
        within ``graceful_timeout``. It is called where messages are.
        """
        self._worker.mailbox.orphaned.append(function)
        return function
