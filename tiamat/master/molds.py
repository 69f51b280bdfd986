"""
The molds of a master: which there are to be, and what becomes of them.

Each generation with ``preload_app`` has one, forked from the master, which never
imports the application. So a reload loads it again; and as long as a reload may be
rolled back there are two of them, the older one with the old code in its memory.
"""

import math
import os
import selectors
import signal
import sys
import traceback
from time import monotonic
from typing import TYPE_CHECKING

from tiamat.errors import TiamatError
from tiamat.master import mold as molding
from tiamat.master.casting import Caster
from tiamat.master.listeners import Listeners
from tiamat.master.member import Event, Member, State
from tiamat.master.mold import Mold
from tiamat.master.roster import PROVEN, Slot
from tiamat.master.silence import Condemned
from tiamat.master.spawn import Ends, Plan
from tiamat.system import process, signals
from tiamat.system.messages import Failed, Message, Ready
from tiamat.workers.endings import CRASHED, failure

if TYPE_CHECKING:
    from tiamat.master.keeper import Keeper
    from tiamat.observe.log import Log


class Molds:
    """
    All molds of a master.

    Attributes:
        all: them.
        deadline: when ``tend`` wants to be called.
    """

    def __init__(self, keeper: "Keeper") -> None:
        self.keeper = keeper
        self.all: list[Mold] = []
        self.deadline = math.inf
        self._slot = Slot(0)  # for the pauses between molds that are lost

    @property
    def log(self) -> "Log":
        """The logs."""
        return self.keeper.premises.log

    @property
    def losses(self) -> int:
        """How many were lost in a row."""
        return self._slot.failures

    def ready_for(self, plan: Plan) -> bool:
        """Whether workers of this plan can be forked now."""
        if not wanted(plan):
            return True
        return plan.mold is not None and plan.mold.ready

    # --- In each turn ---------------------------------------------------------------

    def tend(self, candidate: Plan | None, before: Plan | None) -> None:
        """
        See that there are the molds that are wanted, and no others.

        Args:
            candidate: what a reload tries.
            before: what a reload may be rolled back to.
        """
        now, current = monotonic(), self.keeper.premises.plan
        for mold in self.all:
            self.hear(mold)
            self.look_at(mold, now)
            if mold not in [p.mold for p in (current, candidate, before) if p]:
                mold.end()
        self.deadline = min([math.inf, *(mold.deadline for mold in self.all)])
        if self.wants(current):
            if now < self._slot.retry_at:
                self.deadline = min(self.deadline, self._slot.retry_at)
            elif not self.begin(current, self.keeper.roster.generation):
                self._slot.fail(now)
        if candidate is not None and self.wants(candidate):
            generation = self.keeper.roster.newest + 1
            if not self.begin(candidate, generation):
                self.keeper.roster.trying = False

    def wants(self, plan: Plan) -> bool:
        """Whether a plan lacks its mold."""
        return wanted(plan) and plan.mold not in self.all

    def hear(self, mold: Mold) -> None:
        """Note what a mold says."""
        for message in self.keeper.messages(mold):
            if isinstance(message, Failed):
                mold.failure = message
            elif isinstance(message, Ready):
                seconds = monotonic() - mold.member.since
                mold.member.move(Event.READY, monotonic())
                self.log.info("%s has loaded the application in %.1f s", mold, seconds)

    def look_at(self, mold: Mold, now: float) -> None:
        """Condemn a mold that is too slow; kill one that can't be spoken to."""
        if mold.condemned is not None:
            mold.condemned.advance(now)
        elif now >= mold.deadline and not mold.ended:
            seconds, limit = now - mold.member.since, mold.config.boot_timeout
            mold.cause = f"did not boot in {seconds:.1f} s (boot_timeout={limit:g})"
            mold.condemned = Condemned(mold, mold.cause, self.log, now)
            mold.member.move(Event.SILENT, now)
            mold.condemned.advance(now)
        elif mold.deaf:
            mold.kill(signal.SIGKILL)

    def begin(self, plan: Plan, generation: int) -> bool:
        """Fork a mold for a plan; whether that could be done."""
        premises, now = self.keeper.premises, monotonic()
        try:
            process.adopt_orphans()
            ends = Ends.open()
            try:
                pid = signals.fork()
                if pid == 0:
                    self.be(plan, generation, ends)
            except OSError:
                ends.close_ours()
                raise
            finally:
                ends.close_theirs()
        except OSError as error:
            premises.log.error("can't fork a mold: %s", error.strerror)
            return False
        limit = plan.config.boot_timeout or math.inf
        member = Member(0, generation, pid, now, now + limit)
        plan.mold = Mold(plan.config, member, ends.here, ends.reader)
        self.all.append(plan.mold)
        self.keeper.selector.register(ends.here, selectors.EVENT_READ)
        self.deadline = min(self.deadline, member.deadline)
        premises.log.info("%s loads %s", plan.mold, plan.config.app)
        return True

    def be(self, plan: Plan, generation: int, ends: Ends) -> None:
        """In the new process: be the mold, and end with it."""
        status, keeper = CRASHED, self.keeper
        try:
            ends.close_ours()
            keeper.let_go([])
            premises = keeper.premises
            premises.log = keeper.take_settings(plan.config)
            premises.plan = plan
            plan.listeners = Listeners({})
            name = f"mold gen={generation} pid={os.getpid()}"
            status = Caster(
                *(name, premises, keeper.server, keeper.scoreboard),
                *(ends.there, ends.writer),
            ).main()
        except TiamatError as error:  # the logs, the directory
            status = error.exit_status
            ends.there.send(failure(error))
        except BaseException:
            traceback.print_exc()
        finally:
            # Exit functions of the application are its workers', not ours.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    # --- The end --------------------------------------------------------------------

    def reaped(self, pid: int) -> Mold | None:
        """The mold that this was, if it was one."""
        return next((mold for mold in self.all if mold.member.pid == pid), None)

    def bury(self, mold: Mold, status: int) -> None:
        """A mold was reaped: log it, let its things go."""
        now = monotonic()
        self.hear(mold)
        self.all.remove(mold)
        if not mold.deaf:
            self.keeper.selector.unregister(mold.channel)
        if not mold.ended:
            self.keeper.report(mold, status, mold.cause)
            self.count(mold, now)
        mold.member.move(Event.EXIT, now)
        mold.close()

    def count(self, mold: Mold, now: float) -> None:
        """A mold was lost; if it was the one that we need, there is a pause."""
        if mold is not self.keeper.premises.plan.mold:
            return
        if mold.member.state is State.READY and now - mold.member.since > PROVEN:
            self._slot.failures = 0
        if delay := self._slot.fail(now):
            self.log.warning(
                "%d molds in a row were lost; the next one comes in %g s",
                *(self.losses, delay),
            )

    def forgive(self, gap: float) -> None:
        """The master itself has slept for *gap* seconds: they count for nobody."""
        for mold in self.all:
            mold.member.deadline += gap

    def send(self, message: Message) -> None:
        """Tell all molds something."""
        for mold in self.all:
            mold.send(message)

    def end(self) -> None:
        """There will be no more workers."""
        for mold in self.all:
            mold.end()

    def close(self) -> None:
        """The master ends: wait for those that it has ended."""
        self.end()
        for mold in self.all:
            os.waitpid(mold.member.pid, 0)
            mold.close()
        self.all.clear()


def wanted(plan: Plan) -> bool:
    """
    Whether workers of this plan come from a mold.

    Not under ``reload``: who develops sees why the application can't be loaded.
    """
    config = plan.config
    return molding.POSSIBLE and config.preload_app and not config.reload
