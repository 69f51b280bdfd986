"""
What other processes of this server say to the application of one worker.

The helper puts it in; whoever runs the application takes it out, one message after
the other: the main thread between two requests, a thread of its own, a greenlet, or
the event loop. Nothing of it is on the way of a request.
"""

import inspect
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tiamat.system.messages import Missed, Posted
from tiamat.system.unpatched import unpatched

if TYPE_CHECKING:
    from tiamat.workers.base import Worker

WAITING: Final = 1000
"""The most messages that wait for the application; what comes then is dropped."""


PAUSE: Final = 0.005
"""Seconds between two looks whether all is given, at the end."""


@dataclass(frozen=True, slots=True)
class Received:
    """
    A message.

    Attributes:
        data: what was posted, as JSON gives it back: tuples are lists.
        topic: what it is about; empty if nothing was said.
        sender: the slot of the worker that posted it; None is the master.
        missed: how many messages were dropped right before this one.
    """

    data: Any
    topic: str
    sender: int | None
    missed: int = 0


Handler: TypeAlias = Callable[[Received], object]


class Mailbox:
    """
    Messages on their way into the application.

    Attributes:
        waiting: those that nobody has taken, and what else is to be called.
        handlers: who takes them, and of which topic; None is every topic.
        coroutines: called with what a handler has returned that is to be awaited;
            None where there is no loop.
    """

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        self.waiting: deque[Received | Callable[[], object]] = deque()
        self.handlers: list[tuple[str | None, Handler]] = []
        self.orphaned: list[Callable[[], object]] = []
        self.coroutines: Callable[[Any], object] | None = None
        self._missed = 0
        self._delivering = unpatched("_thread", "allocate_lock")()

    def put(self, message: Posted | Missed) -> None:
        """Keep a message until ``deliver``; in the helper's thread."""
        if not self.handlers:
            return
        if isinstance(message, Missed):
            self._missed += message.count
        elif len(self.waiting) >= WAITING:
            self._missed += 1
        else:
            missed, self._missed = self._missed, 0
            received = Received(message.data, message.topic, message.sender, missed)
            self.waiting.append(received)

    def put_end(self) -> None:
        """The master is gone: what the application wanted to know."""
        self.waiting.extend(self.orphaned)

    def deliver(self) -> None:
        """
        Give all that waits to those who take it, in its order.

        One caller does so at a time; another one may go, since the first looks again.
        """
        while self.waiting and self._delivering.acquire(blocking=False):
            try:
                while self.waiting:
                    self._give(self.waiting.popleft())
            finally:
                self._delivering.release()

    def _give(self, item: Received | Callable[[], object]) -> None:
        if not isinstance(item, Received):
            self._call(item)
            return
        for topic, handler in list(self.handlers):
            if topic is None or topic == item.topic:
                self._call(handler, item)

    def _call(self, function: Callable[..., object], *args: object) -> None:
        try:
            result = function(*args)
            if self.coroutines is not None and inspect.isawaitable(result):
                self.coroutines(result)
        except Exception:
            self.worker.log.exception("%s: a message was not taken", self.worker)

    def add(self, handler: Handler, topic: str | None) -> None:
        """
        Have *handler* called with each message of a topic.

        Raises:
            TypeError: it is a coroutine function, and there is no loop here.
        """
        if self.coroutines is None and inspect.iscoroutinefunction(handler):
            raise TypeError(
                "only under asgi and h11 may a coroutine function take messages"
            )
        self.handlers.append((topic, handler))

    def deliver_in_thread(self) -> None:
        """Give all that waits in a thread of its own, which ends with them."""
        threading.Thread(
            target=self.deliver, name="worker-messages", daemon=True
        ).start()

    def finish(self, seconds: float) -> None:
        """
        Give what came last, before the process ends.

        Args:
            seconds: how long to wait for a thread or greenlet that is giving
                meanwhile: what it has taken is lost when the process ends under it.
        """
        until = time.monotonic() + seconds
        while True:
            self.deliver()
            # In this order: what nobody has taken first, then who is giving.
            if not self.waiting and not self._delivering.locked():
                return
            if time.monotonic() >= until:
                return
            time.sleep(PAUSE)  # gevent's, where it has patched: the greenlet goes on

    async def stream(self, topic: str | None) -> AsyncIterator[Received]:
        """Messages as they come, on an event loop of whatever thread."""
        import asyncio  # megabytes, which the master has no use for

        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        messages: deque[Received] = deque(maxlen=WAITING)

        def take(message: Received) -> None:
            messages.append(message)
            loop.call_soon_threadsafe(arrived.set)

        entry = (topic, take)
        self.handlers.append(entry)
        try:
            while True:
                while messages:
                    yield messages.popleft()
                arrived.clear()
                if not messages:
                    await arrived.wait()
        finally:
            self.handlers.remove(entry)
