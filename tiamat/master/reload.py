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

import contextlib
import math
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Final

from tiamat.errors import ConfigError, TiamatError
from tiamat.master import gate
from tiamat.master.mold import load_here
from tiamat.master.spawn import Forked, Plan
from tiamat.system import signals
from tiamat.system.process import status_in_words
from tiamat.workers import load_worker_class

if TYPE_CHECKING:
    from tiamat.master.answers import Pending
    from tiamat.master.arbiter import Arbiter
    from tiamat.master.roster import Member
    from tiamat.system.messages import Checked
    from tiamat.system.sockets import AddressInUse

LIMIT: Final = 30.0
"""Seconds that the configuration file may take."""


ANSWER: Final = 4000
"""The most bytes of what a trial has to say: a pipe takes as many at once."""


class Outcome(Enum):
    """What became of a reload; the number is an exit status."""

    COMMITTED = 0
    CONFIG_ERROR = 10
    BOOT_FAILED = 11
    CHECK_FAILED = 12
    ROLLED_BACK = 13
    SUPERSEDED = 14

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


REFUSALS: Final = frozenset(
    {Outcome.CONFIG_ERROR, Outcome.BOOT_FAILED, Outcome.CHECK_FAILED}
)
"""Behind these all is as it was."""


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
    def before(self) -> Plan | None:
        """What may yet be rolled back to."""
        return self.roll.before if self.roll is not None else None

    @property
    def deadline(self) -> float:
        """When ``look_after`` wants to be called."""
        if self.plan is not None and not self.arbiter.roster.trying:
            return monotonic()
        if self.roll is not None:
            due = not self.roll.complete and self.arbiter.roster.complete
            return monotonic() if due else self.roll.until
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
        self.plan = self.gate = None
        self.arbiter.roster.abandon()

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
        self.roll = Roll(before, arbiter.roster.generation)
        arbiter.log.info(
            "%s is ready: generation %d takes over", candidate, candidate.generation
        )
        arbiter.roster.commit(candidate)
        arbiter.server.call("on_reload", arbiter.server)
        arbiter.keeper.set_target(plan.config.workers)

    # --- Behind the commit --------------------------------------------------------

    def look_after_roll(self, roll: "Roll", now: float) -> None:
        """Notice that every worker is a new one, and that they have proved good."""
        arbiter = self.arbiter
        if not roll.complete and arbiter.roster.complete:
            watch = arbiter.premises.config.reload_watch
            roll.until = now + watch
            arbiter.premises.settle(roll.before)
            arbiter.log.info(
                "reload: every worker is of generation %d", arbiter.roster.generation
            )
            if self.again or not watch:
                self.end(Outcome.COMMITTED, "every worker is a new one")
                self.next()
        elif now >= roll.until:
            arbiter.log.info(
                "reload: %s, generation %d has proved good",
                *(Outcome.COMMITTED, arbiter.roster.generation),
            )
            proof = f"generation {arbiter.roster.generation} has proved good"
            self.end(Outcome.COMMITTED, proof)

    def lost(self, member: "Member") -> None:
        """A worker has died that nobody wanted to: of the new ones that is too much."""
        roll, arbiter = self.roll, self.arbiter
        if roll is None or member.generation != arbiter.roster.generation:
            return
        try:
            before = arbiter.premises.change(self.plan_before(roll))
        except Exception as error:  # an address, a file, a logger class
            arbiter.log.error("reload: can't go back, so going on: %s", error)
            self.end(Outcome.COMMITTED, f"can't go back though {member} died: {error}")
            self.next()
            return
        arbiter.log.error(
            "reload: %s to generation %d, since %s died",
            *(Outcome.ROLLED_BACK, roll.generation, member),
        )
        arbiter.roster.roll_back(roll.generation)
        arbiter.premises.settle(before)
        arbiter.keeper.set_target(arbiter.premises.config.workers)
        self.end(
            Outcome.ROLLED_BACK,
            f"generation {roll.generation} is in force again, since {member} died",
        )
        self.next()

    def plan_before(self, roll: "Roll") -> Plan:
        """
        What the workers of the old generation were made of.

        Raises:
            TiamatError: an address of theirs was given up, and is taken by now.
        """
        old = roll.before
        if not roll.complete:
            return old
        listeners = self.arbiter.premises.plan.listeners.rebound(old.config, never)
        return replace(old, listeners=listeners)


class Roll:
    """
    A reload that is in force, as long as it can be undone.

    Attributes:
        before: what the old workers are made of.
        generation: of them.
        until: when the new ones have proved good; infinite until all are new.
    """

    def __init__(self, before: Plan, generation: int) -> None:
        self.before = before
        self.generation = generation
        self.until = math.inf

    @property
    def complete(self) -> bool:
        """Whether every worker is a new one."""
        return self.until < math.inf


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
    worker_class = load_worker_class(config.worker_class, config.threads)
    return Plan(config, worker_class, plan.listeners.rebound(config, never))


def never(error: "AddressInUse") -> bool:
    """Don't wait for an address: the server has others, and goes on with them."""
    return False


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
