"""
USR2: from the start of a new master until there is only one again.

The old master serves until the new one says that all its workers do. If the new one
ends before, all is as it was. Then, with ``reexec_mode``:

manual: both serve, until somebody stops one of them, as in gunicorn.

auto: the old master retires its workers, gives up its names (pid file, title), and
watches the new one for ``reload_watch`` seconds. If that dies, the old one has
workers and names again. If not, it tells the service manager which process is the
main one now, and goes. That comes last, since the manager listens to the main
process only: the old one could not take it back.
"""

import logging
import math
import os
import selectors
import signal
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING, Final

from tiamat.master.keeper import GRACE, IMMEDIATE
from tiamat.system import process
from tiamat.system.messages import BeMain, Failed, Message, Ready, Relieved, TakeOver

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiamat.master.arbiter import Arbiter

LIMIT: Final = 30.0
"""Seconds that a new master may take on top of ``boot_timeout``."""

POLL: Final = 1.0
"""Seconds between two looks for an old master that has no channel: gunicorn."""

STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})

FOR_BOTH: Final = frozenset({signal.SIGCHLD, signal.SIGUSR1})


class Phase(Enum):
    """How far the old master is."""

    NONE = "none"  # there is no new master
    STARTING = "starting"  # it does not serve yet
    BESIDE = "beside"  # it serves, and so do we
    WATCHED = "watched"  # it serves, and we don't
    FOLLOWED = "followed"  # it was told to stop; we end with it
    LEFT = "left"  # it is on its own; we go


ENDED_WITH_US: Final = frozenset({Phase.STARTING, Phase.WATCHED, Phase.FOLLOWED})
"""In these there is a new master, and it is not on its own."""


class Line:
    """
    What two masters say to each other.

    Attributes:
        hear: called with each message of the other one.
        reported: whether it knows that we serve.
    """

    def __init__(self, arbiter: "Arbiter", hear: "Callable[[Message], None]") -> None:
        self.arbiter = arbiter
        self.hear = hear
        self.reported = False

    def open(self) -> None:
        """Wake when the other master says something."""
        if (channel := self.arbiter.premises.succession.channel) is not None:
            self.arbiter.keeper.selector.register(channel, selectors.EVENT_READ)

    def close(self) -> None:
        """The other master says nothing more."""
        succession = self.arbiter.premises.succession
        if succession.channel is not None:
            self.arbiter.keeper.selector.unregister(succession.channel)
            succession.close()

    def listen(self) -> None:
        """Hear what the other master says, and notice that it is gone."""
        succession = self.arbiter.premises.succession
        try:
            for message in succession.messages():
                self.hear(message)
        except EOFError:
            self.close()
        except ValueError as error:
            self.arbiter.log.error("the other master is not understood: %s", error)
            self.close()
        if succession.channel is None and succession.predecessor_gone():
            premises = self.arbiter.premises
            premises.log.info("the old master is gone; this one takes its place")
            premises.take_names()

    def report(self) -> None:
        """Tell the old master, once, that all workers serve."""
        arbiter = self.arbiter
        if not self.reported and arbiter.proven and arbiter.roster.complete:
            self.reported = True
            arbiter.premises.succession.tell(Ready())


class Handover:
    """
    What becomes of two masters.

    Attributes:
        phase: how far it is.
        until: when the phase has taken too long, or long enough.
        reason: why the last new master has failed.
        target: how many workers there shall be, if this one comes back.
        line: to the other master.
    """

    def __init__(self, arbiter: "Arbiter") -> None:
        self.arbiter = arbiter
        self.phase = Phase.NONE
        self.until = math.inf
        self.reason = ""
        self.target = 0
        self.line = Line(arbiter, self.obey)

    @property
    def auto(self) -> bool:
        """Whether we do by ourselves what is to be done."""
        return self.arbiter.premises.config.reexec_mode == "auto"

    @property
    def starts(self) -> bool:
        """Whether a new master is about to take over by itself."""
        return self.auto and self.phase is Phase.STARTING

    @property
    def follows(self) -> bool:
        """Whether the new master has to end before us."""
        return self.phase is Phase.FOLLOWED

    @property
    def deadline(self) -> float:
        """When ``look_after`` wants to be called."""
        arbiter, succession = self.arbiter, self.arbiter.premises.succession
        if self.phase is Phase.LEFT and not (
            arbiter.keeper.workers or arbiter.crew.alive
        ):
            return monotonic()  # nothing is left that would wake us
        polls = succession.predecessor and succession.channel is None
        return min(self.until, monotonic() + POLL if polls else math.inf)

    @property
    def in_words(self) -> str:
        """How it goes, for the status; empty if there is nothing to say."""
        pid = self.arbiter.premises.succession.successor
        if self.phase is Phase.STARTING:
            return f"a new master starts, pid {pid}"
        if self.phase is Phase.BESIDE:
            return f"a new master serves too, pid {pid}"
        if self.phase is Phase.WATCHED:
            return f"a new master serves and is watched, pid {pid}"
        return self.reason and f"re-exec failed: {self.reason}"

    # --- Both masters -------------------------------------------------------------

    def look_after(self, now: float) -> None:
        """Hear the other master, and do what is due."""
        self.line.listen()
        if self.arbiter.premises.succession.predecessor:
            self.line.report()
        elif now >= self.until and self.phase is Phase.WATCHED:
            self.conclude()
        elif now >= self.until:
            self.end_late_successor(now)

    def forgive(self, gap: float) -> None:
        """The master itself has slept for *gap* seconds: so may have the new one."""
        self.until += gap

    def obey(self, message: Message) -> None:
        """Do what the other master says."""
        arbiter, succession = self.arbiter, self.arbiter.premises.succession
        match message:
            case Ready() if self.phase is Phase.STARTING:
                self.successor_serves(monotonic())
            case Failed(_, text):
                self.reason = text.partition("\n")[0]
            case TakeOver():
                succession.named = True
                arbiter.log.info("the old master has retired; this one has its names")
                arbiter.premises.take_names()
            case BeMain():
                succession.main = True
            case Relieved():
                arbiter.crew.relieved = True

    # --- The old master ---------------------------------------------------------------

    def begin(self) -> None:
        """USR2: start a new master beside this one, on the same listeners."""
        premises = self.arbiter.premises
        if refusal := self.refusal():
            premises.log.error("USR2: %s", refusal)
            return
        try:
            premises.succession.start(
                self.arbiter.server, premises.plan.listeners, premises.status
            )
        except OSError as error:
            premises.log.error("USR2: can't fork: %s", error.strerror)
            return
        self.line.open()
        self.phase, self.reason = Phase.STARTING, ""
        limit = premises.config.boot_timeout
        if self.auto and limit:
            self.until = monotonic() + limit + LIMIT
        pid = premises.succession.successor
        premises.log.info("USR2: a new master starts, pid %d", pid)

    def refusal(self) -> str:
        """Why there can't be a new master now."""
        arbiter = self.arbiter
        if other := arbiter.premises.succession.other:
            return f"there is another master already, pid {other}"
        if not self.auto:
            return ""
        if os.getpid() == 1:
            return "process 1 can't leave its place to another one"
        if not arbiter.proven:
            return "the first workers do not serve yet"
        return "a reload is under way" if arbiter.reload.running else ""

    def successor_serves(self, now: float) -> None:
        """All workers of the new master serve: retire ours, if that is wanted."""
        arbiter, premises = self.arbiter, self.arbiter.premises
        self.until = math.inf
        if not self.auto:
            self.phase = Phase.BESIDE
            arbiter.log.info("the new master serves, and so does this one")
            return
        watch = premises.config.reload_watch
        arbiter.log.info(
            "the new master serves: this one retires, and watches it for %g s", watch
        )
        self.phase, self.until = Phase.WATCHED, now + watch
        arbiter.reload.supersede()
        self.target, why = arbiter.roster.target, arbiter.roster.why_fewer
        arbiter.roster.why_fewer = "a new master serves"
        arbiter.keeper.set_target(0)
        arbiter.keeper.keep()
        arbiter.roster.why_fewer = why
        premises.succession.retired = True
        premises.set_title()
        premises.succession.tell(TakeOver())

    def conclude(self) -> None:
        """The new master has proved good: go, as soon as our workers have gone."""
        arbiter, succession = self.arbiter, self.arbiter.premises.succession
        arbiter.log.info("the new master has proved good; this one goes")
        self.leave(succession.successor)
        arbiter.begin_stop()

    def leave(self, successor: int) -> None:
        """Let the service manager listen to the new master, which serves."""
        self.phase, self.until = Phase.LEFT, math.inf
        self.arbiter.notices.hand_over(successor)
        self.arbiter.premises.succession.tell(BeMain())

    def end_late_successor(self, now: float) -> None:
        """The new master has taken too long, to start or to stop."""
        config = self.arbiter.premises.config
        pid = self.arbiter.premises.succession.successor
        if self.phase is Phase.STARTING and not self.reason:
            seconds = config.boot_timeout + LIMIT
            self.reason = f"did not come to serve in {seconds:g} s"
            self.arbiter.log.error("the new master %s", self.reason)
            self.until = now + config.graceful_timeout + GRACE
            os.kill(pid, signal.SIGTERM)
        else:
            self.until = math.inf
            os.kill(pid, signal.SIGKILL)

    def passes_on(self, number: signal.Signals) -> bool:
        """
        Whether a signal to the retired master was meant for the one that serves.

        systemd signals what it holds for the main process, which is still this one.
        Whoever wants anything but to stop or to reopen the logs needs no watch any
        more. Orders to stop: ``stop``.
        """
        pid = self.arbiter.premises.succession.successor
        if self.phase is not Phase.WATCHED or number in STOPS:
            return False
        if number not in FOR_BOTH:
            self.conclude()
        if number != signal.SIGCHLD:
            os.kill(pid, number)
        return number not in FOR_BOTH

    def stop(self, number: signal.Signals) -> None:
        """This master is told to stop; and so is the new one, if it is our part."""
        if self.phase is Phase.BESIDE:
            self.leave(self.arbiter.premises.succession.successor)
        elif self.auto and self.phase in ENDED_WITH_US:
            self.follow(self.arbiter.premises.succession.successor, number)

    def follow(self, pid: int, number: signal.Signals) -> None:
        """The new master has to stop as well, and before us."""
        os.kill(pid, number)
        if number != signal.SIGTERM:
            self.until = monotonic() + IMMEDIATE + GRACE
        elif self.phase is Phase.STARTING:
            limit = self.arbiter.premises.config.graceful_timeout
            self.until = monotonic() + limit + GRACE
        elif self.phase is Phase.WATCHED:
            self.until = math.inf  # it keeps its own limits
        self.phase = Phase.FOLLOWED
        self.arbiter.premises.succession.ending = True

    def reaped(self, pid: int, status: int) -> bool:
        """Whether the new master has ended; then go on without it."""
        premises = self.arbiter.premises
        self.line.listen()  # its last words
        if not premises.succession.reaped(pid):
            return False
        self.line.close()
        words = process.status_in_words(status)
        level = logging.ERROR if status else logging.INFO
        why = f": {self.reason}" if status and self.reason else ""
        premises.log.log(level, "the new master %s%s", words, why)
        phase, self.phase, self.until = self.phase, Phase.NONE, math.inf
        premises.succession.ending = False
        if status and not self.reason:
            self.reason = f"the new master {words}"
        if phase is not Phase.LEFT:
            premises.tidy_up_for_successor()
        if phase is Phase.WATCHED:
            self.come_back() if status else self.end_too()
        return True

    def end_too(self) -> None:
        """Somebody has stopped the new master, which was the server by then."""
        self.arbiter.log.info("so this one stops too")
        self.arbiter.begin_stop()
        self.arbiter.premises.close_listeners()

    def come_back(self) -> None:
        """The new master has died: serve again, under the old names."""
        arbiter, premises = self.arbiter, self.arbiter.premises
        arbiter.log.error("this one comes back")
        premises.succession.retired = False
        arbiter.keeper.set_target(self.target)
        premises.take_names()
