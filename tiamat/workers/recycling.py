"""
When a worker asks to be replaced though it is well: it is old, or has grown.

The helper looks, so it costs no request anything and holds for every class of
workers. Memory is that which would be free if the process ended, its private pages:
what it shares with others, such as what was loaded before the fork, is not its own.
"""

import math
import random
import time
from typing import TYPE_CHECKING, Final

from tiamat.system.process import private_memory

if TYPE_CHECKING:
    from tiamat.workers.base import Worker

JITTER: Final = 0.1
"""The part by which a limit may be lower, by chance."""

EVERY: Final = 5.0
"""Seconds between two looks at the memory, at least."""

SHARE: Final = 0.01
"""The part of the time that looking may take: the kernel walks through every page."""


class Recycling:
    """
    The limits of one worker.

    Attributes:
        deadline: when ``look`` wants to be called.
    """

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        self.deadline = math.inf
        self._old_at = math.inf
        self._look_at = math.inf
        self._limit = math.inf

    def begin(self, now: float) -> None:
        """The worker accepts from now on."""
        cfg = self.worker.cfg
        if cfg.max_worker_age:
            self._old_at = now + spread(cfg.max_worker_age)
        if cfg.max_worker_memory:
            self._limit = spread(cfg.max_worker_memory)
            self._begin_to_measure(now)
        self.deadline = min(self._old_at, self._look_at)

    def _begin_to_measure(self, now: float) -> None:
        try:
            size = private_memory()
        except OSError as error:
            why = f"it can't be measured: {error}"
        else:
            if size <= self._limit:
                self._look_at = now + EVERY
                return
            why = f"{in_words(size)} are in use before the first request"
        self.worker.log.warning(
            "%s: max_worker_memory has no effect: %s", self.worker, why
        )

    def look(self, now: float) -> None:
        """See whether a limit is reached."""
        if now >= self._old_at:
            self._old_at = math.inf
            self.worker.retire("max_worker_age")
        if now >= self._look_at:
            self._measure(now)
        self.deadline = min(self._old_at, self._look_at)

    def _measure(self, now: float) -> None:
        size = private_memory()
        took = time.monotonic() - now
        self._look_at = now + max(EVERY, took / SHARE)
        if size > self._limit:
            self._look_at = math.inf
            self.worker.log.info(
                "%s: %s of private memory, the limit is %s",
                *(self.worker, in_words(size), in_words(self._limit)),
            )
            self.worker.retire("max_worker_memory")


def spread(limit: float) -> float:
    """A limit, or by chance a little less: workers that began together end apart."""
    return limit * (1 - random.uniform(0, JITTER))  # noqa: S311


def in_words(size: float) -> str:
    """A size in bytes as people read it: ``213 MiB``."""
    return f"{size / 2**20:.0f} MiB"
