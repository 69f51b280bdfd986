"""
A process of the roster: what may happen to it, and what it becomes by that.

The table is all there is to know of a worker's life; what isn't in it, raises. A mold
has such a life too, though it never serves.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final


class State(Enum):
    """Where a worker is in its life."""

    BOOTING = "booting"  # forked; the application isn't loaded yet
    READY = "ready"  # application loaded; not accepting yet
    SERVING = "serving"  # accepting connections
    DRAINING = "draining"  # finishing what it has, accepting nothing
    KILLED = "killed"  # condemned: its stack is asked for, then SIGKILL
    GONE = "gone"  # reaped


class Event(Enum):
    """What may happen to a worker."""

    READY = "ready"  # its message on the channel
    ADMIT = "admit"  # we let it accept
    RETIRE = "retire"  # reload, TTOU, max_requests, stop
    SILENT = "silent"  # too slow: no heartbeat, not booted, not drained in time
    EXIT = "exit"  # waitpid() returned it


B, R, S, D, K, G = State
TRANSITIONS: Final[dict[State, dict[Event, State]]] = {
    B: {Event.READY: R, Event.RETIRE: D, Event.SILENT: K, Event.EXIT: G},
    R: {Event.ADMIT: S, Event.RETIRE: D, Event.SILENT: K, Event.EXIT: G},
    S: {Event.RETIRE: D, Event.SILENT: K, Event.EXIT: G},
    # READY: it was retired while it booted.
    D: {Event.READY: D, Event.RETIRE: D, Event.SILENT: K, Event.EXIT: G},
    K: {Event.READY: K, Event.RETIRE: K, Event.SILENT: K, Event.EXIT: G},
    G: {},
}


@dataclass(slots=True, eq=False)
class Member:
    """
    One process of the roster.

    Attributes:
        slot: its place.
        generation: how many reloads there were before it.
        pid: of the process.
        state: where it is in its life.
        due: why it shall be replaced; empty if it shall not.
        candidate: whether a reload stands or falls with it.
        unfit: whether it was a candidate that did not pass its check: it shall go at
            once, since it serves nobody and perhaps hangs.
        since: when it came into its state.
        deadline: when it must have left it: to boot, to drain.
        timeout: how long it may be silent; its own, whatever newer settings say.
        heartbeat: the last one that is known.
        admitted_at: when it was let accept.
    """

    slot: int
    generation: int
    pid: int
    since: float
    deadline: float = math.inf
    timeout: float = math.inf
    state: State = State.BOOTING
    due: str = ""
    candidate: bool = False
    unfit: bool = False
    heartbeat: float = 0.0
    admitted_at: float = math.inf

    @property
    def name(self) -> str:
        """What the log calls it."""
        return f"worker {self.slot} gen={self.generation} pid={self.pid}"

    def __str__(self) -> str:
        return self.name

    @property
    def stays(self) -> bool:
        """Whether it serves, or will, and nobody wants it replaced."""
        return self.can_retire and not self.due

    @property
    def serves(self) -> bool:
        """Whether it accepts connections."""
        return self.state is S

    @property
    def beats(self) -> bool:
        """Whether it is silent if there is no heartbeat."""
        return self.state in {S, D}

    @property
    def hurries(self) -> bool:
        """Whether its deadline counts."""
        return self.state in {B, D}

    @property
    def can_retire(self) -> bool:
        """Whether it can be told to drain."""
        return self.state in {B, R, S}

    @property
    def wanted(self) -> bool:
        """Whether its end, now, would be a loss."""
        return self.state is not D and not self.due

    def move(self, event: Event, now: float) -> None:
        """
        Note an event.

        Raises:
            KeyError: it can't happen in this state.
        """
        state = TRANSITIONS[self.state][event]
        if state is not self.state:
            self.state, self.since = state, now
