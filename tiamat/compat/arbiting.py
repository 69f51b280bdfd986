"""
The ways of a master that an ``Arbiter`` of gunicorn's kind has a say in.

Each thing that the loop does is a method there, at the time that gunicorn calls it.
A subclass that overrides one is heard, and what it leaves to us is done as ever. The
loop wakes every second for it, as gunicorn's does.
"""

import inspect
import math
from functools import partial
from signal import Signals
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from tiamat.compat.gunicorn.errors import HaltServer
from tiamat.errors import TiamatError
from tiamat.master.orders import ORDERS, terminate
from tiamat.master.roster import Spawn
from tiamat.master.ways import Ways

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiamat.compat.gunicorn.arbiter import Arbiter
    from tiamat.master.arbiter import Arbiter as Master
    from tiamat.master.roster import Roster, Task

TURN: Final = 1.0
"""Seconds between two calls of what a subclass overrides, at most."""

POLLED: Final = ("manage_workers", "murder_workers", "reap_workers", "spawn_workers")
"""What the loop calls though nothing has happened."""


class Halted(TiamatError):
    """The code of a subclass has ended the server."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.exit_status = status  # type: ignore[misc]  # of this one


class EmbeddedWays(Ways):
    """
    Asks an ``Arbiter`` of gunicorn's kind.

    Attributes:
        asked: it.
        task: which worker ``spawn_worker`` is to spawn; None if it may choose.
        said: what went wrong when it was asked last, by method.
    """

    def __init__(self, arbiter: "Master", asked: "Arbiter") -> None:
        super().__init__(arbiter, asked)
        self.asked = asked
        self.task: Spawn | None = None
        self.said: dict[str, str] = {}
        self.polled = any(map(asked.overrides, POLLED))

    @property
    def deadline(self) -> float:
        """In a second, if somebody is to be asked then."""
        return monotonic() + TURN if self.polled else math.inf

    def start(self) -> None:
        """Start as the subclass does."""
        if self.asked.overrides("spawn_worker"):
            self.arbiter.keeper.doing[Spawn] = self.spawn
        self.asked.start()

    def init_signals(self) -> None:
        """Let signals come to the loop, also those that a subclass has added."""
        self.asked.init_signals()

    def obey(self, number: Signals) -> None:
        """Let the subclass handle a signal."""
        name = f"handle_{number.name.removeprefix('SIG').lower()}"
        handle = getattr(self.asked, name, None)
        if handle is None:
            self.arbiter.log.error("nobody handles %s: there is no %s()", number, name)
            return
        instead = ORDERS.get(number, ignore)
        if takes_signal(handle):
            handle = partial(handle, number, None)
        self.ask(name, handle, lambda: instead(self.arbiter))

    def murder_workers(self) -> None:
        """See who is late."""
        if self.arbiter.stopping:  # gunicorn does not ask then
            super().murder_workers()
        else:
            asked = self.asked.murder_workers
            self.ask("murder_workers", asked, super().murder_workers)

    def manage_workers(self) -> None:
        """
        See that there are as many workers as there shall be.

        Whatever the subclass does, workers that are ready come to serve, and those
        that a reload replaces retire: that is not of its concern.
        """
        keep = super().manage_workers
        self.asked.take_settings()
        if self.arbiter.stopping:
            keep()
            return
        self.ask("manage_workers", self.asked.manage_workers, keep)
        self.arbiter.keeper.keep(self.is_ours)

    def reap_workers(self) -> None:
        """Bury those who have ended."""
        self.ask("reap_workers", self.asked.reap_workers, super().reap_workers)

    # --- Asking ---------------------------------------------------------------------

    def ask(
        self, name: str, method: "Callable[[], Any]", instead: "Callable[[], Any]"
    ) -> None:
        """
        Call a method that may be a subclass's.

        It may end the server, as gunicorn's can. Else what it raises is logged when it
        is new, and we do what has to be done.
        """
        try:
            method()
            return
        except StopIteration:
            terminate(self.arbiter)
        except HaltServer as halt:
            self.halt(halt.reason, halt.exit_status)
        except SystemExit as error:
            status = (
                error.code if isinstance(error.code, int) else int(bool(error.code))
            )
            self.halt(f"{name}() called sys.exit({error.code!r})", status)
        except Exception as error:
            if self.said.get(name) != repr(error):
                self.said[name] = repr(error)
                self.arbiter.log.exception("%s() failed: we do it ourselves", name)
            instead()

    def halt(self, reason: str, status: int) -> None:
        """End the server gracefully, with this status."""
        tell = self.arbiter.log.error if status else self.arbiter.log.info
        tell("stopping: %s", reason)
        if status and not self.arbiter.stopping:
            self.arbiter.failure = Halted(reason, status)
        self.arbiter.delay.end()
        terminate(self.arbiter)

    # --- Tasks ----------------------------------------------------------------------

    def spawn(self, task: Spawn) -> None:
        """Let the subclass spawn a worker."""
        self.task = task
        age = self.arbiter.keeper.age
        try:
            self.ask("spawn_worker", self.asked.spawn_worker, self.spawn_ourselves)
        finally:
            self.task = None
        if age == self.arbiter.keeper.age:  # it did not want to
            self.arbiter.roster.not_spawned(task, monotonic())

    def spawn_ourselves(self) -> int:
        """Spawn the worker that is asked for, or one more where it fits; its pid."""
        keeper, roster = self.arbiter.keeper, self.arbiter.roster
        task, self.task = self.task or Spawn(place(roster)), None
        if not keeper.molds.ready_for(keeper.plan_for(task)):
            return 0
        return keeper.spawn(task)

    def fills(self, task: "Task") -> bool:
        """Whether a task is to spawn a worker where there is none."""
        if not isinstance(task, Spawn) or task.candidate:
            return False
        return not any(
            m.can_retire for m in self.arbiter.roster.slot(task.slot).members
        )

    def is_ours(self, task: "Task") -> bool:
        """Whether a task is not of those that ``manage_workers`` decides on."""
        if isinstance(task, Spawn):
            return not self.fills(task)
        member = task.member
        return member.slot < self.arbiter.roster.target or bool(member.due)


def place(roster: "Roster") -> int:
    """The slot of a worker more: one that lacks one, or that of the oldest worker."""
    slots = [roster.slot(number) for number in range(max(1, roster.target))]
    alive = {slot.number: [m for m in slot.members if m.stays] for slot in slots}
    fewest = min(map(len, alive.values()))
    among = [number for number, members in alive.items() if len(members) == fewest]
    return min(
        among, key=lambda number: min((m.since for m in alive[number]), default=0)
    )


def replace_surplus(roster: "Roster") -> None:
    """Where a slot has several workers that stay, the newest replaces the others."""
    for slot in roster.slots.values():
        good = [m for m in slot.members if m.stays and not m.candidate]
        for member in good[:-1]:
            member.due = "a newer worker replaces it"


def takes_signal(handle: "Callable[..., Any]") -> bool:
    """Whether a method wants to know its signal, as some did up to gunicorn 23."""
    parameters = inspect.signature(handle).parameters.values()
    return any(
        p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters
    )


def ignore(arbiter: "Master") -> None:
    """Do nothing."""
