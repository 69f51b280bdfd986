"""
Behind the commit of a reload: worker by worker becomes a new one, and proves good.

Until ``reload_watch`` seconds after the last of them the old settings can be brought
back, with workers of the old generation.
"""

import math
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from tiamat.master.listeners import never
from tiamat.master.outcome import Outcome
from tiamat.master.spawn import Plan

if TYPE_CHECKING:
    from tiamat.master.keeper import Keeper
    from tiamat.master.member import Member


class Roll:
    """
    A reload that is in force, as long as it can be undone.

    Attributes:
        before: what the old workers are made of.
        generation: of them.
        until: when the new ones have proved good; infinite until all are new.
    """

    def __init__(self, keeper: "Keeper", before: Plan) -> None:
        self.premises = keeper.premises
        self.roster = keeper.roster
        self.keeper = keeper
        self.before = before
        self.generation = keeper.roster.generation
        self.until = math.inf

    @property
    def complete(self) -> bool:
        """Whether every worker is a new one."""
        return self.until < math.inf

    @property
    def deadline(self) -> float:
        """When ``look_after`` wants to be called."""
        due = not self.complete and self.roster.complete
        return monotonic() if due else self.until

    def look_after(self, now: float, *, watch: bool = True) -> str:
        """
        Notice that every worker is a new one, and that they have proved good.

        Args:
            now: the time.
            watch: whether there is time to see how they get on.

        Returns:
            Why nothing can be undone any more; empty as long as it can.
        """
        generation = self.roster.generation
        if not self.complete and self.roster.complete:
            seconds = self.premises.config.reload_watch
            self.until = now + seconds
            self.premises.settle(self.before)
            self.premises.log.info(
                "reload: every worker is of generation %d", generation
            )
            return "" if watch and seconds else "every worker is a new one"
        if now < self.until:
            return ""
        self.premises.log.info(
            "reload: %s, generation %d has proved good", Outcome.COMMITTED, generation
        )
        return f"generation {generation} has proved good"

    def undo(self, member: "Member") -> tuple[Outcome, str]:
        """
        Bring back what was, since a new worker has died; or go on, if that can't be.

        Returns:
            What has become of the reload, and why.
        """
        log = self.premises.log
        try:
            before = self.premises.change(self.plan_before())
        except Exception as error:  # an address, a file, a logger class
            log.error("reload: can't go back, so going on: %s", error)
            return Outcome.COMMITTED, f"can't go back though {member} died: {error}"
        self.premises.log.error(
            "reload: %s to generation %d, since %s died",
            *(Outcome.ROLLED_BACK, self.generation, member),
        )
        self.roster.roll_back(self.generation)
        self.premises.settle(before)
        self.keeper.set_target(self.premises.config.workers)
        why = f"generation {self.generation} is in force again, since {member} died"
        return Outcome.ROLLED_BACK, why

    def plan_before(self) -> Plan:
        """
        What the workers of the old generation were made of.

        Raises:
            TiamatError: an address of theirs was given up, and is taken by now.
        """
        old = self.before
        if not self.complete:
            return old
        listeners = self.premises.plan.listeners.rebound(old.config, never)
        return replace(old, listeners=listeners)
