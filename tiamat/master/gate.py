"""
The gate: what a candidate must pass behind its boot, before it is committed.

The worker does it all, by its settings; here are only the question and the clock.
"""

import math
from typing import TYPE_CHECKING, Final

from tiamat.system.messages import Check

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.master.spawn import Forked

GRACE: Final = 2.0
"""Seconds that a worker gets on top of its limit, to say so itself."""


def is_wanted(config: "Config") -> bool:
    """Whether these settings name a check; who develops wants to see what is wrong."""
    named = config.reload_check is not None or config.check_worker is not None
    return named and not config.reload


class Gate:
    """
    The check of one candidate.

    Attributes:
        deadline: when it has failed without an answer.
        too_late: what is to be said then.
    """

    def __init__(self, forked: "Forked", now: float) -> None:
        limit = forked.worker.cfg.reload_check_timeout
        self.deadline = now + limit + GRACE if limit else math.inf
        self.too_late = f"no result within {limit:g} s (reload_check_timeout)"
        forked.send(Check())
