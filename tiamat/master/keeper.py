"""
The keeper: it does to processes what the roster asks for.

Spawn, admit, retire, kill, and bury. It decides nothing but how; which worker and
when is the roster's.
"""

import math
import selectors
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from tiamat.config import named
from tiamat.master import deaths
from tiamat.master.member import Member, State
from tiamat.master.mold import Mold
from tiamat.master.molds import Molds
from tiamat.master.roster import Admit, Retire, Roster, Spawn, Task
from tiamat.master.silence import Condemned
from tiamat.master.spawn import Forked, Plan, spawn
from tiamat.system import cgroup
from tiamat.system.messages import Accept, Drain, Message
from tiamat.system.scoreboard import Scoreboard

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.master.premises import Premises
    from tiamat.master.server import Server
    from tiamat.observe.log import Log
    from tiamat.system.listener import Listener
    from tiamat.workers.base import Worker

GRACE: Final = 0.5
"""Seconds that a worker gets on top of a deadline that it knows, to meet it itself."""

IMMEDIATE: Final = 2.0
"""Seconds that a worker has to leave on INT and QUIT."""

UNFIT: Final = 10.0
"""Seconds that a candidate has to leave on QUIT, if it did not pass its check."""

TURN_MESSAGES: Final = 32
"""The most messages of one worker per turn: a flood must not keep others waiting."""


class Keeper:
    """
    The workers, as processes.

    Attributes:
        workers: them, by pid.
        condemned: those on their way out, by pid.
        molds: what forks them, with ``preload_app``.
        scoreboard: their numbers.
        doing: how each kind of task is done.
        ends: how many have ended, by reason.
        hurrying: whether nobody may finish anything.
        final: whether those who retire empty the kernel's queues first.
        forget: lets go, in a new worker, of all else that is the master's.
    """

    def __init__(self, premises: "Premises", roster: Roster, server: "Server") -> None:
        self.premises = premises
        self.roster = roster
        self.server = server
        self.workers: dict[int, Forked] = {}
        self.condemned: dict[int, Condemned] = {}
        self.ends: Counter[str] = Counter(dict.fromkeys(LOSSES, 0))
        self.scoreboard = Scoreboard(max(256, 8 * roster.target))
        self.selector = selectors.DefaultSelector()
        self.forget: Callable[[], None] = premises.forget
        self.candidate_plan: Plan | None = None
        self.molds = Molds(self)
        self.age = 0
        self.final = self.hurrying = False
        self._failure = ""
        self._oom_kills = cgroup.oom_kills()
        self.doing: dict[type, Callable[[Any], object]] = {
            Spawn: self.spawn,
            Admit: self.admit,
            Retire: self.retire,
        }

    @property
    def most(self) -> int:
        """
        How many workers there may be: half of the rows.

        Each may be there twice while it is replaced. The rows can't become more: the
        workers that live share the mapping.
        """
        return self.scoreboard.size // 2

    def set_target(self, count: int, *, first: bool = False) -> None:
        """Say how many workers there shall be; ``keep`` does the rest."""
        config, before = self.premises.config, self.roster.target
        self.roster.target = count
        self.roster.max_surge = config.max_surge
        self.roster.max_unavailable = config.max_unavailable
        if first or count != before:
            old = None if first else before
            self.server.call("nworkers_changed", self.server, count, old)

    def keep(self, wanted: "Callable[[Task], bool]" = bool) -> None:
        """
        Do what the roster asks for now.

        Args:
            wanted: which of its tasks; all of them if not given.
        """
        while (task := next(filter(wanted, self.tasks()), None)) is not None:
            self.doing[type(task)](task)

    def tasks(self) -> Iterator[Task]:
        """What the roster asks for and can be done: a mold may not be ready yet."""
        for task in self.roster.tasks(monotonic()):
            if not isinstance(task, Spawn) or self.molds.ready_for(self.plan_for(task)):
                yield task

    def plan_for(self, task: Spawn) -> Plan:
        """What a worker is to be made of."""
        if task.candidate and self.candidate_plan is not None:
            return self.candidate_plan
        return self.premises.plan

    # --- Tasks ----------------------------------------------------------------------

    def spawn(self, task: Spawn) -> int:
        """Fork a worker; return its pid, or 0 if that is to be tried again later."""
        plan, generation = self.plan_for(task), self.roster.generation
        if plan is not self.premises.plan:
            generation = self.roster.newest + 1
        now = monotonic()
        limit = plan.config.boot_timeout or math.inf
        member = Member(task.slot, generation, 0, now, now + limit)
        member.timeout = plan.config.timeout or math.inf
        member.candidate = task.candidate
        self.age += 1
        row = None
        spawner = plan.mold.spawn if plan.mold is not None else spawn
        try:
            row = self.scoreboard.take()
            forked = spawner(plan, member, row, self.server, self.age, self.enter)
        except Exception as error:  # no process, no descriptor, a class that fails
            if row is not None:
                self.scoreboard.free(row)
            delay = self.roster.not_spawned(task, now)
            text = "" if task.candidate else f"; next attempt in {delay:g} s"
            self.premises.log.error(
                "can't fork worker %d: %s%s", task.slot, error, text
            )
            return 0
        self.roster.add(member)
        self.workers[member.pid] = forked
        self.selector.register(forked.channel, selectors.EVENT_READ, forked)
        return member.pid

    def enter(self, worker: "Worker") -> None:
        """In a new worker: let go of the master's things, take its own settings."""
        self.let_go(worker.listeners)
        worker.log = self.take_settings(worker.cfg)

    def let_go(self, kept: "Sequence[Listener]") -> None:
        """In a new process: close what is the master's, but for some listeners."""
        self.selector.close()
        for other in self.workers.values():
            other.close()
        for mold in self.molds.all:
            mold.close()
        premises = self.premises
        plans = premises.plan, premises.before, self.candidate_plan
        for listeners in (premises.status, *(p.listeners for p in plans if p)):
            for listener in listeners.all:
                if listener not in kept:
                    listener.close()  # else a reload could not close its address
        self.forget()

    def take_settings(self, config: "Config") -> "Log":
        """
        In a new process: be one of these settings; return their logs.

        Raises:
            TiamatError: the directory or the logs can't be had.
        """
        current = self.premises.config
        if config is current:
            return self.premises.log
        current.leave()
        config.enter()
        log = named.open_log(config)
        self.premises.log.close()
        return log

    def admit(self, task: Admit) -> None:
        """Let a worker accept."""
        forked = self.workers[task.member.pid]
        self.roster.admitted(task.member, monotonic())
        forked.send(Accept())
        self.premises.log.info("%s serves", forked)

    def retire(self, task: Retire) -> None:
        """Tell a worker to finish and go."""
        forked = self.workers[task.member.pid]
        now = monotonic()
        patience = forked.worker.cfg.graceful_timeout + GRACE
        if task.member.unfit:
            patience = UNFIT
        booting = forked.member.state is State.BOOTING
        self.roster.retired(task.member, now, now + patience)
        self.premises.log.info("%s retires: %s", forked, task.reason)
        # A worker that imports the application hears nothing but a signal; one that
        # does not empty its channel shall go too.
        if task.member.unfit:
            forked.kill(signal.SIGQUIT)
        elif not forked.send(Drain(self.final)) or booting:
            forked.kill(signal.SIGTERM)

    def stop_at_once(self) -> None:
        """Tell all workers to leave everything and go."""
        now = monotonic()
        self.hurrying = True
        for forked in self.workers.values():
            self.roster.retired(forked.member, now, now + IMMEDIATE)
            forked.kill(signal.SIGQUIT)

    # --- Who is late ------------------------------------------------------------------

    def exchange(self) -> None:
        """Look at the scoreboard."""
        for forked in self.workers.values():
            forked.exchange()

    def kill_late(self) -> None:
        """Condemn who is late, and go on with those who are condemned."""
        self.exchange()  # the heartbeats of while we slept
        now = monotonic()
        for member, seconds in list(self.roster.late(now)):
            forked = self.workers[member.pid]
            cause = why_late(member.state, seconds, forked.worker.cfg)
            if self.hurrying or member.unfit:
                limit = IMMEDIATE if self.hurrying else UNFIT
                cause = f"did not leave within {limit:g} s"
            self.condemned[member.pid] = Condemned(
                forked, cause, self.premises.log, now
            )
            self.roster.condemned(member, now)
        for condemned in self.condemned.values():
            condemned.advance(now)

    def next_deadline(self) -> float:
        """When ``keep`` or ``kill_late`` have something to do."""
        points = [condemned.deadline for condemned in self.condemned.values()]
        points.append(self.molds.deadline)
        return min([self.roster.next_deadline(monotonic()), *points])

    # --- Messages, and the end ------------------------------------------------------

    def messages(
        self, forked: Forked | Mold, limit: int = TURN_MESSAGES
    ) -> Iterator[Message]:
        """What a worker or a mold says, but not too much in a turn."""
        try:
            for _ in range(0 if forked.deaf else limit):
                message = forked.channel.receive()
                if message is None:
                    return
                yield message
        except EOFError:
            pass
        except ValueError as error:
            self.premises.log.error("%s is not understood: %s", forked, error)
        else:
            return
        self.selector.unregister(forked.channel)
        forked.deaf = True

    def bury(self, forked: Forked, status: int) -> None:
        """A worker was reaped: log it, let its place and its things go."""
        member = forked.member
        condemned = self.condemned.pop(member.pid, None)
        cause = ""
        if condemned is not None:
            condemned.report()
            cause = condemned.cause
        self.report(forked, status, cause)
        self.ends[why_ended(forked)] += 1
        delay = self.roster.exited(member, monotonic())
        if delay:
            self.premises.log.warning(
                "slot %d has lost %d workers in a row; the next one comes in %g s",
                *(member.slot, self.roster.slot(member.slot).failures, delay),
            )
        del self.workers[member.pid]
        self.scoreboard.free(forked.row)
        if not forked.deaf:
            self.selector.unregister(forked.channel)
        forked.close()
        self.server.call("child_exit", self.server, forked.worker)

    def report(self, forked: Forked | Mold, status: int, cause: str) -> None:
        """Log how a worker or a mold ended, and *cause*, if it is we who killed it."""
        kills = cgroup.oom_kills()
        oom, self._oom_kills = kills > self._oom_kills, kills
        deaths.report(self.premises.log, forked, status, self._failure, cause, oom=oom)
        if forked.failure is not None:
            self._failure = forked.failure.text


LOSSES: Final = ("died", "timeout", "boot failed")
"""Why workers end whose end nobody has asked for."""


def why_ended(forked: Forked) -> str:
    """Why a worker that was reaped has ended, in a word that is one of few."""
    member = forked.member
    if forked.failure is not None:
        return "boot failed"
    if member.due or member.state is State.DRAINING:
        return member.due or "retired"
    return "timeout" if member.state is State.KILLED else "died"


def why_late(state: State, seconds: float, config: "Config") -> str:
    """Why a worker is condemned, in words."""
    if state is State.BOOTING:
        return f"did not boot in {seconds:.1f} s (boot_timeout={config.boot_timeout:g})"
    limit = f"timeout={config.timeout:g}, graceful_timeout={config.graceful_timeout:g}"
    if state is State.DRAINING:
        return f"did not finish in {seconds:.1f} s ({limit})"
    return f"silent for {seconds:.1f} s (timeout={config.timeout:g})"
