"""
HUP: new settings and new code, or everything stays as it is.

1. Trial. A forked process reads the settings. Whatever they do there, fail, hang or
   exit, is a line in the log.
2. The master reads them itself, since hooks live in it, under an alarm.
3. Candidate. New addresses are bound and one worker is forked from all that is
   new. If it does not come to be ready, or does not pass its check, everything new
   is dropped.
4. Commit. The new settings are in force, and the roster replaces worker by worker.
5. Watch. Until ``reload_watch`` seconds after the last of them, a new worker that
   dies brings back the old settings, and workers of the old generation.
"""

import math
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING

from tiamat.errors import ConfigError, TiamatError
from tiamat.master import gate
from tiamat.master.mold import load_here
from tiamat.master.outcome import REFUSALS, Outcome
from tiamat.master.roll import Roll
from tiamat.master.trial import Trial, new_plan
from tiamat.system.process import status_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiamat.master.answers import Pending
    from tiamat.master.arbiter import Arbiter
    from tiamat.master.member import Member
    from tiamat.master.spawn import Forked, Plan
    from tiamat.system.messages import Checked


class Reload:
    """
    The reload that is under way, if any.

    Attributes:
        trial: the process that tries the new settings.
        plan: what the candidate is made of.
        gate: the check that the candidate has not passed yet.
        roll: what can still be undone, behind the commit.
        again: whether HUP came meanwhile.
        last: what became of the last reload that is over.
        outcomes: what became of all of them, and how often.
        reason: why it was refused.
        waiting: who wants to hear what becomes of it.
        waiting_again: who waits for the one that was asked for meanwhile.
        why: what is known of a candidate that failed.
    """

    def __init__(self, arbiter: "Arbiter") -> None:
        self.arbiter = arbiter
        self.trial: Trial | None = None
        self.plan: Plan | None = None
        self.gate: gate.Gate | None = None
        self.roll: Roll | None = None
        self.again = False
        self.dropped = False
        self.last: Outcome | None = None
        self.outcomes: Counter[str] = Counter({str(outcome): 0 for outcome in Outcome})
        self.reason = ""
        self.waiting: list[Pending] = []
        self.waiting_again: list[Pending] = []
        self.why = ""

    @property
    def in_words(self) -> str:
        """What became of the last one: ``reload refused: boot failed: …``."""
        if self.last in REFUSALS:
            return f"reload refused: {self.last}: {self.reason}"
        return f"reload: {self.last}"

    @property
    def running(self) -> bool:
        """Whether a further one has to wait for it."""
        rolling = self.roll is not None and not self.roll.complete
        return self.trial is not None or self.plan is not None or rolling

    @property
    def before(self) -> "Plan | None":
        """What may yet be rolled back to."""
        return self.roll.before if self.roll is not None else None

    @property
    def deadline(self) -> float:
        """When ``look_after`` wants to be called."""
        if self.plan is not None and not self.arbiter.roster.trying:
            return monotonic()
        if self.roll is not None:
            return self.roll.deadline
        if self.gate is not None:
            return self.gate.deadline
        return self.trial.deadline if self.trial else math.inf

    def request(self, now: float, waiting: "Sequence[Pending]" = ()) -> None:
        """
        Reload: now, or when the reload that is under way is decided.

        Args:
            now: the time.
            waiting: who wants to hear what becomes of it.
        """
        if self.running:
            self.again = True
            self.waiting_again += waiting
            return
        if self.roll is not None:
            self.end(Outcome.COMMITTED, "the next reload begins")
        self.waiting += waiting
        self.why = ""
        try:
            self.trial = Trial(self.arbiter.premises.plan, now)
        except OSError as error:
            self.refuse(Outcome.BOOT_FAILED, f"can't fork: {error.strerror}")

    def look_after(self, now: float) -> None:
        """End a trial that takes too long; notice how candidate and roll get on."""
        if self.trial is not None and now >= self.trial.deadline:
            self.trial.kill()
            self.trial.deadline = math.inf
        if (candidate := self.arbiter.roster.candidate) is not None:
            self.look_after_candidate(candidate)
        if self.plan is not None and not self.arbiter.roster.trying:
            why = self.why or "there can be no process for it"
            self.refuse(
                Outcome.CHECK_FAILED if self.gate else Outcome.BOOT_FAILED,
                f"the first worker of the new generation did not come to serve: {why}",
            )
        if self.gate is not None and now >= self.gate.deadline:
            self.refuse(Outcome.CHECK_FAILED, self.gate.too_late)
        if self.roll is not None:
            self.look_after_roll(self.roll, now)

    def forgive(self, gap: float) -> None:
        """The master itself has slept for *gap* seconds: they count for nobody."""
        for clock in (self.trial, self.gate):
            if clock is not None:
                clock.deadline += gap

    def reaped(self, pid: int, status: int) -> bool:
        """Go on after the trial; whether *pid* was it."""
        if self.trial is None or pid != self.trial.pid:
            return False
        wrong = self.trial.result(status_in_words(status))
        self.trial = None
        if self.dropped or self.arbiter.stopping:
            self.dropped = False
            self.next()
            return True
        try:
            if wrong:
                raise ConfigError(wrong)
            most = self.arbiter.keeper.most
            self.plan = new_plan(self.arbiter.premises.plan, most)
            load_here(self.plan, self.arbiter.log)
        except TiamatError as error:
            self.refuse(Outcome.CONFIG_ERROR, str(error))
        else:
            self.arbiter.keeper.candidate_plan = self.plan
            self.arbiter.roster.trying = True
        return True

    def refuse(self, outcome: Outcome, reason: str) -> None:
        """Say why there is no reload, and drop what was prepared for it."""
        self.arbiter.log.error(
            "reload refused, going on as before: %s: %s", outcome, reason
        )
        self.reason = reason.partition("\n")[0]
        self.drop()
        self.end(outcome, reason)
        self.next()

    def drop(self) -> None:
        """Let go of what was prepared, and of the candidate; what rolls, stays."""
        if self.trial is not None:
            self.trial.kill()
            self.dropped = True
        if self.plan is not None:
            self.plan.listeners.without(self.arbiter.premises.plan.listeners).close()
        self.arbiter.roster.abandon(unfit=self.gate is not None)
        self.plan = self.gate = None

    def supersede(self) -> None:
        """There is something else to do than to reload."""
        if self.trial is None and self.plan is None and self.roll is None:
            return
        self.drop()
        if self.roll is not None and not self.roll.complete:
            self.arbiter.premises.settle(self.roll.before)
        self.again = False
        self.waiting += self.waiting_again
        self.waiting_again = []
        self.end(Outcome.SUPERSEDED, "another order came")

    def end(self, outcome: Outcome, reason: str) -> None:
        """Nothing can change any more what became of it."""
        self.last, self.roll = outcome, None
        self.outcomes[str(outcome)] += 1
        self.tell(outcome, reason)

    def tell(self, outcome: Outcome, reason: str) -> None:
        """Answer who waits."""
        for pending in self.waiting:
            pending.reloaded(outcome, reason)
        self.waiting = []

    def look_after_candidate(self, candidate: "Member") -> None:
        """The end of one that is condemned takes a while: nobody need wait for it."""
        condemned = self.arbiter.keeper.condemned.get(candidate.pid)
        if condemned is not None and not self.why:
            self.why = condemned.cause
            outcome = Outcome.CHECK_FAILED if self.gate else Outcome.BOOT_FAILED
            self.tell(outcome, f"{candidate} {self.why}")

    def candidate_exited(self, forked: "Forked", status: int) -> None:
        """It never came to be ready; remember why."""
        text = forked.failure.text if forked.failure is not None else ""
        self.why = self.why or text.partition("\n")[0] or status_in_words(status)

    def next(self) -> None:
        """Begin the reload that was asked for meanwhile."""
        if self.again and not self.arbiter.stopping:
            self.again = False
            waiting, self.waiting_again = self.waiting_again, []
            self.request(monotonic(), waiting)

    def candidate_ready(self, forked: "Forked", now: float) -> None:
        """The candidate has loaded the application: what is its check, if any?"""
        if gate.is_wanted(forked.worker.cfg):
            self.gate = gate.Gate(forked, now)
        else:
            self.commit(forked.member)

    def checked(self, candidate: "Member", message: "Checked") -> None:
        """The candidate says what became of its check."""
        if self.gate is None or not candidate.candidate:
            return  # too late
        if message.failure:
            self.refuse(Outcome.CHECK_FAILED, message.failure)
            return
        self.gate = None
        self.arbiter.log.info("%s has passed its check", candidate)
        self.commit(candidate)

    def commit(self, candidate: "Member") -> None:
        """The candidate is good: everything new is in force."""
        arbiter, plan = self.arbiter, self.plan
        if plan is None:
            return
        try:
            before = arbiter.premises.change(plan)
        except Exception as error:  # a logger class of the user's may raise anything
            self.refuse(Outcome.CONFIG_ERROR, str(error))
            return
        self.plan = None
        self.roll = Roll(arbiter.keeper, before)
        arbiter.log.info(
            "%s is ready: generation %d takes over", candidate, candidate.generation
        )
        arbiter.roster.commit(candidate)
        arbiter.server.call("on_reload", arbiter.server)
        arbiter.keeper.set_target(plan.config.workers)

    # --- Behind the commit --------------------------------------------------------

    def look_after_roll(self, roll: Roll, now: float) -> None:
        """Go on when nothing can be undone any more."""
        if proof := roll.look_after(now, watch=not self.again):
            self.end(Outcome.COMMITTED, proof)
            self.next()

    def lost(self, member: "Member") -> None:
        """A worker has died that nobody wanted to: of the new ones that is too much."""
        if self.roll is None or member.generation != self.arbiter.roster.generation:
            return
        self.end(*self.roll.undo(member))
        self.next()
