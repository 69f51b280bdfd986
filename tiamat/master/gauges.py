"""What the master tells a statsd daemon once a second, if there is one."""

import math
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from tiamat.system import backlog

if TYPE_CHECKING:
    from tiamat.master.arbiter import Arbiter

EVERY: Final = 1.0
"""Seconds between two looks."""


class Gauges:
    """
    How many workers there are, and how long the kernel's queues are.

    Attributes:
        deadline: when to look again; never, without a daemon.
    """

    def __init__(self, arbiter: "Arbiter") -> None:
        self.arbiter = arbiter
        self.deadline = math.inf

    def look_after(self, now: float) -> None:
        """Tell them, if it is time."""
        statsd: Any = getattr(self.arbiter.log, "statsd", None)
        if statsd is None:
            self.deadline = math.inf
            return
        if now < self.deadline < math.inf:
            return
        self.deadline = now + EVERY
        premises = self.arbiter.premises
        statsd.gauge("gunicorn.workers", len(self.arbiter.keeper.workers))
        if premises.config.enable_backlog_metric:
            lengths = [backlog.length(one.sock) for one in premises.plan.listeners.all]
            known = [length for length in lengths if length is not None]
            if known:
                statsd.histogram("gunicorn.backlog", sum(known))
        statsd.tick(monotonic())
