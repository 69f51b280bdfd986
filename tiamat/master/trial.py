"""
Whether new settings can be had: tried first in a process of their own, then read.

Whatever a configuration file does in its trial, fail, hang or exit, is words for the
log. The master reads it again itself, since hooks live in the master, under an alarm.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Final

from tiamat.errors import ConfigError, TiamatError
from tiamat.master.listeners import never
from tiamat.master.spawn import Plan
from tiamat.system import signals
from tiamat.workers import load_worker_class
from tiamat.workers.late import late_worker_class

LIMIT: Final = 30.0
"""Seconds that the configuration file may take."""

ANSWER: Final = 4000
"""The most bytes of what a trial has to say: a pipe takes as many at once."""


class Trial:
    """
    A process that reads the settings, to see whether that can be done.

    Attributes:
        pid: of it.
        deadline: when it must have finished.
    """

    def __init__(self, plan: Plan, now: float) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        self.deadline = now + LIMIT
        try:
            self.pid = signals.fork()
        except OSError:
            os.close(self._reader)
            os.close(writer)
            raise
        if self.pid == 0:
            text = read_and_complain(plan)
            os.write(writer, b"=" + text.encode("utf-8", "replace")[:ANSWER])
            os._exit(0)
        os.close(writer)

    def kill(self) -> None:
        """End it; it is not reaped yet."""
        os.kill(self.pid, signal.SIGKILL)

    def result(self, ended: str) -> str:
        """What is wrong, or nothing; *ended* is how it did, in words."""
        answer = b""
        with contextlib.suppress(BlockingIOError):  # a process of its own has the pipe
            answer = os.read(self._reader, ANSWER)
        os.close(self._reader)
        if answer:
            return answer[1:].decode("utf-8", "replace")
        return f"the process that tried the settings was {ended}"


def read_and_complain(plan: Plan) -> str:
    """Read the settings again; what is wrong with them, or nothing."""
    try:
        config = plan.config.read_again()
        load_worker_class(config.worker_class, config.threads)
    except TiamatError as error:
        return str(error)
    except BaseException as error:  # sys.exit() in the file is an error like others
        return f"{type(error).__name__}: {error}"
    return ""


def new_plan(plan: Plan, most: int) -> Plan:
    """
    What workers are made of from the settings as they stand now.

    New addresses are bound.

    Args:
        plan: what they are made of until now.
        most: how many of them there may be.

    Raises:
        TiamatError: it can't be had; nothing has changed.
    """
    with alarm(LIMIT):
        try:
            config = plan.config.read_again()
        except TiamatError:
            raise
        except BaseException as error:
            raise ConfigError(f"{type(error).__name__}: {error}") from error
    if config.workers > most:
        config.refuse(
            "workers", f"is more than {most}, the most until a re-exec (USR2)"
        )
    worker_class = late_worker_class(config.worker_class, config.threads)
    return Plan(config, worker_class, plan.listeners.rebound(config, never))


@contextlib.contextmanager
def alarm(limit: float) -> Iterator[None]:
    """Raise TimeoutError in here after *limit* seconds."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done in {limit:g} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
