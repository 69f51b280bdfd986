"""
The helper: a worker's thread that listens to the master.

It hears the master also while the application keeps the main thread busy. So it
can say what that thread does, and close the listeners when the master is gone. It
only notes what the main thread shall do, and wakes it.

In a process that gevent has patched it is a thread of the system all the same: a
greenlet would stand still with the hub.
"""

import math
import os
import select
import signal
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Final

from tiamat.system.messages import (
    Accept,
    Check,
    Drain,
    Dump,
    Message,
    Missed,
    Posted,
    Reopen,
    Stack,
)
from tiamat.system.process import resident_memory
from tiamat.system.scoreboard import BUSY, MEASURED_AT, MEMORY
from tiamat.system.unpatched import unpatched
from tiamat.workers.recycling import Recycling

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiamat.workers.base import Worker

QUEUE: Final = 0.1
"""Seconds that a worker without a master has to take what the kernel accepted."""

MEASURE: Final = 5.0
"""Seconds between two looks at how much memory the worker has."""

GRACE: Final = 1.0
"""Seconds that a worker without a master gets on top of ``graceful_timeout``."""

SHORTEST_LOOK: Final = 0.05
"""Seconds between two looks for slow requests, however few make one slow."""

OVERDUE: Final = 255
"""Exit status of a worker without a master that did not finish in time."""


class Helper:
    """The thread of one worker."""

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        self.recycling = Recycling(worker)
        self.main: int = unpatched("_thread", "get_ident")()
        self.sleep: Callable[[float], None] = unpatched("time", "sleep")
        self._measure_at = 0.0
        self._told = 0.0  # when the request began that was last told of

    def start(self) -> None:
        """Begin to listen; the thread ends with the process."""
        unpatched("_thread", "start_new_thread")(self.listen, ())

    def listen(self) -> None:
        """Obey the master until it is gone."""
        channel = self.worker.channel
        poll = unpatched("select", "poll")()
        poll.register(channel, select.POLLIN)
        try:
            while True:
                poll.poll(self.timeout())
                while (message := channel.receive()) is not None:
                    self.obey(message)
                self.recycling.look(time.monotonic())
                self.measure(time.monotonic())
        except (EOFError, OSError, ValueError):
            self.go_on_alone()

    def until_next_look(self) -> float | None:
        """
        Log a request that takes long; return when to look again, in milliseconds.

        None is never: other workers look by themselves.
        """
        worker = self.worker
        slow = worker.cfg.slow_request_log
        if not (slow and worker.watched and worker.accepted):
            return None
        request, now = worker.row.request(), time.monotonic()
        if request is not None and worker.row.state == BUSY:
            method, target, begun = request
            if now - begun > slow and begun != self._told:
                self._told = begun
                worker.log.warning(
                    "%s: %s %s for %.1f s, which is at\n%s",
                    *(worker, method, target.partition("?")[0], now - begun),
                    stack_of(self.main),
                )
        return 1000 * max(SHORTEST_LOOK, min(1.0, slow / 2))

    def measure(self, now: float) -> None:
        """Say how much memory there is, for the figures, and for who dies of it."""
        if now >= self._measure_at:
            row = self.worker.row
            try:
                row.counts[MEMORY] = resident_memory()
            except OSError:  # a system without /proc
                self._measure_at = math.inf
                return
            row.times[MEASURED_AT] = now
            self._measure_at = now + MEASURE

    def timeout(self) -> float | None:
        """How long to wait for the master, in milliseconds; None is for ever."""
        look = self.until_next_look()
        until = min(self.recycling.deadline, self._measure_at)
        left = 1000 * (until - time.monotonic())
        if left == math.inf:
            return look
        return max(0.0, left if look is None else min(left, look))

    def obey(self, message: Message) -> None:
        """Do what one message says, or note it for the main thread."""
        worker = self.worker
        match message:
            case Accept():
                worker.accepted = True
                self.recycling.begin(time.monotonic())
            case Check():
                worker.check_wanted = True
            case Drain(final):
                worker.drain(final=final)
            case Reopen():
                worker.reopen_wanted = True
            case Dump(condemned):
                if condemned:
                    worker.condemn()
                worker.send(Stack(stacks_of_others(self.main)))
            case Posted() | Missed():
                worker.mailbox.put(message)
                if not worker.mailbox.waiting:
                    return  # nobody listens
        worker.wakeup.wake()

    def go_on_alone(self) -> None:
        """
        The master is gone: accept nothing more, finish, leave.

        A new master may want our addresses. So the main thread takes what waits in
        the kernel's queues and closes the listeners; while the application keeps it
        busy, we close them. Nobody is left to kill us when a request does not end,
        so we do.
        """
        worker = self.worker
        worker.mailbox.put_end()
        worker.log.warning("%s: the master is gone; finishing and leaving", worker)
        worker.orphaned = True  # from here on the main thread may leave at any moment
        worker.drain(final=True)
        if not worker.booted:  # there is nothing to finish, and nobody to wait for it
            os.kill(os.getpid(), signal.SIGTERM)
        self.sleep(QUEUE)
        worker.close_listeners()
        self.sleep(max(0.0, worker.deadline() - time.monotonic()) + GRACE)
        worker.log.error("%s: not finished in graceful_timeout, leaving", worker)
        os._exit(OVERDUE)


def stack_of(ident: int) -> str:
    """What one thread does; nothing if there is none."""
    frame = sys._current_frames().get(ident)
    return "".join(traceback.format_stack(frame)).rstrip() if frame else ""


def stacks_of_others(main: int | None = None) -> str:
    """
    What every thread but the calling one does, the main thread first.

    Args:
        main: the main thread, where ``threading`` has gevent's identities.
    """
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    main = main or threading.main_thread().ident
    names[main] = "MainThread"
    me = unpatched("_thread", "get_ident")()
    frames = sorted(sys._current_frames().items(), key=lambda item: item[0] != main)
    return "\n".join(
        f"Thread {names.get(ident, ident)}:\n"
        + "".join(traceback.format_stack(frame)).rstrip()
        for ident, frame in frames
        if ident != me
    )
