"""
A worker that has been silent for too long: first its stack, then its end.

It is asked over its channel; a thread of it answers even while the application is
stuck. If it does not, because no thread of it gets to run, a signal makes the
interpreter write its stacks from C. Either way it accepts nobody from then on: it
may go on after all, and whom it took would be lost with it. Then one log line says
which request it was, with the stack below. Then ABRT, which lets the hook
``worker_abort`` speak, and KILL a second later: each step has its time, so that a
stopped or deaf worker can't delay the next one.
"""

import math
import signal
from typing import TYPE_CHECKING, Final

from tiamat.system.messages import Dump
from tiamat.workers.signals import DUMP_SIGNAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiamat.master.mold import Mold
    from tiamat.master.spawn import Forked
    from tiamat.observe.log import Log

ANSWER: Final = 0.5
"""Seconds that a worker has to answer ``Dump``."""

WRITE: Final = 0.3
"""Seconds that the interpreter has to write its stacks on the signal."""

ABORT: Final = 1.0
"""Seconds between ABRT and KILL."""


class Condemned:
    """
    One worker on its way out.

    Args:
        forked: the worker, or a mold.
        cause: why, in words: ``silent for 31.2 s (timeout=30)``.
        log: where the report goes.
        now: the time.

    Attributes:
        deadline: when ``advance`` wants to be called.
    """

    def __init__(
        self, forked: "Forked | Mold", cause: str, log: "Log", now: float
    ) -> None:
        self.forked = forked
        self.cause = cause
        self.log = log
        self.request = forked.request_in_words(now)
        self.stack = ""
        self.reported = False
        self.deadline = now
        self._steps: Iterator[Callable[[], float]] = iter(
            (self.ask, self.ask_harder, self.abort, self.kill)
        )

    def hear(self, stack: str) -> None:
        """The worker has answered: no need to wait longer for that."""
        if not self.reported:
            self.stack = stack
            self.deadline = 0.0

    def advance(self, now: float) -> None:
        """Take the steps whose time has come."""
        while now >= self.deadline:
            self.deadline = now + next(self._steps)()

    # --- The steps: each returns how long to wait after it ---------------------

    def ask(self) -> float:
        """Ask for the stack."""
        return ANSWER if self.forked.send(Dump(condemned=True)) else 0.0

    def ask_harder(self) -> float:
        """Ask the interpreter, if the worker's thread did not answer."""
        if self.stack:
            return 0.0
        self.forked.kill(DUMP_SIGNAL)
        return WRITE

    def abort(self) -> float:
        """Report, and let the worker speak its last words."""
        self.report()
        self.forked.kill(signal.SIGABRT)
        return ABORT

    def kill(self) -> float:
        """End it."""
        self.forked.kill(signal.SIGKILL)
        return math.inf

    def report(self) -> None:
        """Log why, the request and the stack, once; it may have ended by itself."""
        if self.reported:
            return
        self.reported = True
        stack = self.stack or self.forked.read_stacks() or "It does not give its stack."
        self.log.error(
            "%s %s, killing; in the application: %s\n%s",
            self.forked,
            self.cause,
            self.request,
            stack.rstrip(),
        )
