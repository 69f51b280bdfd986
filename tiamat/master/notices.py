"""
What systemd is told: that we are ready, reload, stop; how it goes; that we live.

The loop calls ``look_after`` in each turn, and everything is read off the state of
the arbiter there, so that nothing has to be said from elsewhere. Without a manager
that listens none of this does anything, and nothing wakes the master.
"""

import math
import os
import time
from collections import deque
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING, Final

from tiamat.master.member import State
from tiamat.master.outcome import Outcome
from tiamat.system.systemd import Manager

if TYPE_CHECKING:
    from tiamat.master.arbiter import Arbiter
    from tiamat.system.listener import Listener

EXTENSION: Final = 30.0
"""Seconds that we ask for at a time, while the service starts, reloads or stops."""

AGAIN: Final = 10.0
"""Seconds behind which we ask for more: two of these may get lost."""

RETRY: Final = 1.0
"""Seconds until what the manager had no room for is sent again."""

BARRIER: Final = 5.0
"""The most seconds that the end of this process waits for the manager."""

REASON: Final = 200
"""The most characters of a reason that go into the status."""

SILENT: Final = frozenset({None, Outcome.COMMITTED, Outcome.SUPERSEDED})
"""What became of a reload, if nobody has to see it."""

GONE: Final = frozenset({State.KILLED, State.GONE})


class Told(Enum):
    """What the manager believes that we do."""

    STARTING = "starting"
    READY = "ready"
    RELOADING = "reloading"
    STOPPING = "stopping"


class Notices:
    """
    What the manager was told, and what it should be.

    Attributes:
        manager: who listens, if anybody does.
        told: what it believes that we do.
        hung_up: whether it may have sent HUP, and waits to hear that we reload.
        kept: the names of the listeners that it keeps for us.
    """

    def __init__(self, arbiter: "Arbiter") -> None:
        self.arbiter = arbiter
        self.manager = Manager()
        self.told = Told.STARTING
        self.hung_up = False
        self.kept: set[str] = set()
        self._outbox: deque[tuple[str, ...]] = deque()
        self._status = ""
        self._extend_at = self._ping_at = 0.0

    def open(self) -> None:
        """Take what the manager has left for us out of the environment."""
        self.manager = Manager.from_environ(os.environ)

    @property
    def speaks(self) -> bool:
        """
        Whether this is the process that the manager listens to.

        Another master, from which this one comes, is that as long as it lives.
        """
        return bool(self.manager.address) and self.arbiter.premises.succession.first

    @property
    def deadline(self) -> float:
        """When ``look_after`` wants to be called, if nothing else happens."""
        if not self.speaks:
            return math.inf
        waits = self._outbox or self.misplaced()
        due = monotonic() + RETRY if waits else math.inf
        return min(due, self._ping_at, self._extend_at)

    def look_after(self, now: float) -> None:
        """Say what is new, and what has to be repeated."""
        if not self.speaks:
            if self.manager.address and self.arbiter.proven:
                self.told = Told.READY  # by the master before this one
            return
        self.say_state()
        if (status := self.status()) != self._status:
            self._status = status
            self.say(f"STATUS={status}")
        self.extend(now)
        self.live(now)
        self.flush()
        self.store()

    def say_state(self) -> None:
        """Say what we do, if it is something else by now."""
        arbiter, told = self.arbiter, self.told
        reloads = arbiter.reload.running
        if told is Told.STOPPING:
            return
        if arbiter.leaving:
            self.told = Told.STOPPING
            self.say("STOPPING=1")
        elif told is Told.STARTING:
            if arbiter.proven and arbiter.roster.complete and not reloads:
                self.say_ready()
        elif self.hung_up or (reloads and told is Told.READY):
            self.told = Told.RELOADING
            # In one datagram, and no older than the HUP: sd_notify(3), RELOADING=1.
            self.say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        self.hung_up = False
        if self.told is Told.RELOADING and not reloads:
            self.say_ready()  # also if it was refused: the old generation is ready

    def say_ready(self) -> None:
        """Say that the workers serve."""
        self.told = Told.READY
        self._status = self.status()
        self.say("READY=1", f"STATUS={self._status}")

    def extend(self, now: float) -> None:
        """Ask for more time, if what we do may take longer than the unit allows."""
        if self.told is Told.READY or not self.bounded:
            self._extend_at = math.inf
        elif now >= self._extend_at or self._extend_at == math.inf:
            self._extend_at = now + AGAIN
            self.say(f"EXTEND_TIMEOUT_USEC={int(EXTENSION * 1e6)}")

    @property
    def bounded(self) -> bool:
        """Whether we end by ourselves what takes too long; else the unit's limit is."""
        boots = self.told is not Told.STOPPING
        return bool(self.arbiter.premises.config.boot_timeout) if boots else True

    def live(self, now: float) -> None:
        """Feed the watchdog, if there is a worker that lives, or none is wanted."""
        if self.manager.watchdog == math.inf:
            self._ping_at = math.inf
        elif now >= self._ping_at:
            self._ping_at = now + self.manager.watchdog / 2
            members = self.arbiter.roster.members()
            molds = [mold.member for mold in self.arbiter.keeper.molds.all]
            # While one loads there may be no worker; when it has, it proves nothing.
            members += [mold for mold in molds if mold.state is State.BOOTING]
            if not self.arbiter.roster.target or any(
                member.state not in GONE for member in members
            ):
                self.say("WATCHDOG=1")

    def hand_over(self, pid: int) -> None:
        """Say that another process is the service's main one from now on."""
        if not self.speaks:
            return
        self.say(f"MAINPID={pid}")
        self.flush()
        if not self.manager.barrier(BARRIER):
            self.arbiter.log.warning("systemd did not hear that pid %d goes on", pid)
        self.manager = Manager()

    # --- Listeners that outlive us ------------------------------------------------

    def misplaced(self) -> set[str]:
        """Names of listeners that should be kept and are not, or that should not."""
        if self.told is Told.STOPPING or not (self.manager.room or self.kept):
            return set()
        return self.kept ^ set(self.wanted())

    def wanted(self) -> "dict[str, Listener]":
        """What shall be kept for our next start, by name: what we have bound."""
        ours = self.arbiter.premises.plan.listeners.stored()
        return dict(list(ours.items())[: self.manager.room])

    def store(self) -> None:
        """Have those listeners kept that we have bound, and no others."""
        wanted = self.wanted() if (misplaced := self.misplaced()) else {}
        for name in sorted(misplaced):
            if (listener := wanted.get(name)) is None:
                if self.manager.tell("FDSTOREREMOVE=1", f"FDNAME={name}"):
                    self.kept.discard(name)
            # FDPOLL=0: else systemd lets go of a socket that reports an error.
            elif self.manager.tell(
                *("FDSTORE=1", f"FDNAME={name}", "FDPOLL=0"), fds=[listener.fileno()]
            ):
                self.kept.add(name)
                listener.stored = True

    # --- In words -------------------------------------------------------------------

    def status(self) -> str:
        """How it goes: ``4 of 4 workers serve, generation 7``, and what else is."""
        arbiter, roster = self.arbiter, self.arbiter.roster
        if arbiter.delay.runs:
            return "stopping, and accepting for a while"
        if arbiter.stopping:
            left = len(roster.members())
            return f"stopping: {left} worker{' finishes' if left == 1 else 's finish'}"
        serving = sum(roster.slot(n).serves for n in range(roster.target))
        words = [
            f"{serving} of {roster.target} workers serve",
            f"generation {roster.generation}",
        ]
        if arbiter.reload.running:
            words.append("reloading")
        elif arbiter.reload.last not in SILENT:
            words.append(arbiter.reload.in_words[:REASON])
        if handover := arbiter.handover.in_words:
            words.append(handover[:REASON])
        return ", ".join(words)

    # --- Sending ----------------------------------------------------------------------

    def say(self, *words: str) -> None:
        """Send this, behind what waits."""
        self._outbox.append(words)

    def flush(self) -> None:
        """Send what waits, as far as the manager takes it."""
        while self._outbox and self.manager.tell(*self._outbox[0]):
            self._outbox.popleft()
