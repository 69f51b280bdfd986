"""
Between TERM and the drain: whoever balances load learns that we go, and meanwhile
sends us requests that are served as before.

A balancer that asks whether we are ready does so every few seconds, and Kubernetes
takes an address away at the same time as it sends TERM, elsewhere and later. A server
that stops listening at once refuses what comes in between.
"""

import math
from typing import TYPE_CHECKING

from tiamat.master import orders

if TYPE_CHECKING:
    from tiamat.master.arbiter import Arbiter


class Delay:
    """
    The pause before a graceful stop.

    Attributes:
        deadline: when it is over; infinite if there is none.
    """

    def __init__(self, arbiter: "Arbiter") -> None:
        self.arbiter = arbiter
        self.deadline = math.inf

    @property
    def runs(self) -> bool:
        """Whether the server stops, and still accepts."""
        return self.deadline < math.inf

    def begin(self, now: float) -> bool:
        """
        Begin it if there is one.

        Returns:
            False if the stop is to begin now: no delay is wanted, or another TERM came
            while it ran, or nobody is served by us anyway.
        """
        arbiter = self.arbiter
        seconds = arbiter.premises.config.drain_delay
        alone = arbiter.premises.succession.alone
        if self.runs or not (seconds and arbiter.proven and alone):
            return False
        self.deadline = now + seconds
        arbiter.log.info("TERM: not ready any more, but accepting for %g s", seconds)
        arbiter.reload.supersede()
        arbiter.helper.say_whether_ready()
        arbiter.notices.look_after(now)
        return True

    def look_after(self, now: float) -> None:
        """Stop when it is over."""
        if now >= self.deadline:
            orders.terminate(self.arbiter)

    def end(self) -> None:
        """The stop has begun."""
        self.deadline = math.inf
