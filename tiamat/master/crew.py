"""
The crew: the helpers that the setting ``helpers`` names, kept alive.

They begin with the master and go when its last worker has gone. A reload that has
replaced all workers replaces them too, one by one. Of two masters only one has them:
the new one begins its own when those of the old one are gone.
"""

import math
import os
import selectors
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from tiamat.config.helper_kinds import command
from tiamat.master.hand import Hand
from tiamat.master.keeper import IMMEDIATE
from tiamat.system import signals
from tiamat.system.lines import Lines
from tiamat.system.messages import Relieved

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.master.arbiter import Arbiter

LEAST: Final = 5.0
"""Seconds that helpers have at a stop, however long the workers took."""


class Crew:
    """
    All helpers of the settings.

    Attributes:
        hands: they, by name.
        config: the settings that they are of.
        relieved: whether an old master has none any more.
    """

    def __init__(self, arbiter: "Arbiter") -> None:
        self.arbiter = arbiter
        self.hands: dict[str, Hand] = {}
        self.config: Config = arbiter.premises.config
        self.relieved = False
        self._told = False
        self._stop_at = math.inf

    @property
    def alive(self) -> bool:
        """Whether a process of theirs is left."""
        return any(hand.pid for hand in self.hands.values())

    @property
    def deadline(self) -> float:
        """When ``look_after`` wants to be called."""
        points = [hand.deadline for hand in self.hands.values() if hand.pid]
        if not self.arbiter.stopping:
            wanted = self.wanted()
            hands = (hand for name, hand in self.hands.items() if name in wanted)
            points += [hand.slot.retry_at for hand in hands if not hand.pid]
        return min(points, default=math.inf)

    def status(self, now: float) -> list[dict[str, Any]]:
        """They, as JSON takes it."""
        return [hand.status(now) for hand in self.hands.values()]

    def restarts(self) -> dict[str, int]:
        """How often each was begun again."""
        return {name: max(0, hand.begun - 1) for name, hand in self.hands.items()}

    def begin_stop(self, now: float) -> None:
        """The server stops; they have something to do as long as workers have."""
        limit = self.arbiter.premises.config.graceful_timeout
        self._stop_at = min(self._stop_at, now + limit)

    # --- Once per turn --------------------------------------------------------------

    def look_after(self, now: float) -> None:
        """Log what they print, end who shall go, begin who is missing."""
        for hand in self.hands.values():
            hand.hear(self.arbiter.keeper.selector, now)
        reload = self.arbiter.reload
        if reload.plan is None and (reload.roll is None or reload.roll.complete):
            self.config = self.arbiter.premises.config
        wanted = self.wanted()
        for hand in list(self.hands.values()):
            if hand.pid:
                self.look_at(hand, wanted, now)
            elif hand.name not in wanted:
                del self.hands[hand.name]
        if not self.arbiter.stopping:
            for name, what in wanted.items():
                self.look_for(name, what, now)
        self.tell_successor()

    def wanted(self) -> dict[str, str]:
        """Which there shall be, by name."""
        arbiter, succession = self.arbiter, self.arbiter.premises.succession
        over = arbiter.stopping and not arbiter.keeper.workers
        waits = succession.predecessor and not self.relieved
        if over or arbiter.hurrying or waits or succession.retired:
            return {}
        return self.config.helpers

    def look_at(self, hand: Hand, wanted: dict[str, str], now: float) -> None:
        """End one that is not wanted, or not of the settings, or late."""
        if hand.leaving:
            if self.arbiter.hurrying:
                hand.until = min(hand.until, now + IMMEDIATE)
            hand.kill_if_late(now)
            return
        if hand.name not in wanted:
            hand.retire(self.reason(), now, self.patience(now))
            return
        changing = any(other.leaving for other in self.hands.values())
        if hand.config is not self.config and not (changing or self.arbiter.stopping):
            hand.due = hand.due or "reload"
        if hand.due:
            hand.retire(hand.due, now, self.patience(now))

    def reason(self) -> str:
        """Why a helper has to go that is not wanted."""
        if self.arbiter.stopping:
            return "the server stops"
        if self.arbiter.premises.succession.retired:
            return "a new master serves"
        return "not in the settings any more"

    def patience(self, now: float) -> float:
        """Seconds that one has to go."""
        if self.arbiter.hurrying:
            return IMMEDIATE
        if self.arbiter.stopping:
            return max(self._stop_at - now, LEAST)
        return self.config.graceful_timeout

    def look_for(self, name: str, what: str, now: float) -> None:
        """Begin one that is missing, if it is time."""
        hand = self.hands.get(name)
        if hand is None:
            hand = self.hands[name] = Hand(name, self.arbiter.log)
        if not hand.pid and now >= hand.slot.retry_at:
            hand.log = self.arbiter.log
            self.begin(hand, what, now)

    def tell_successor(self) -> None:
        """The new master may begin its helpers when ours are gone."""
        succession = self.arbiter.premises.succession
        if not succession.retired:
            self._told = False
        elif not (self._told or self.alive):
            self._told = True
            succession.tell(Relieved())

    # --- Begin and end --------------------------------------------------------------

    def begin(self, hand: Hand, what: str, now: float) -> None:
        """Fork it."""
        try:
            reader, writer = os.pipe()
        except OSError as error:
            hand.not_begun(error, now)
            return
        try:
            pid = signals.fork()
        except OSError as error:
            os.close(reader)
            os.close(writer)
            hand.not_begun(error, now)
            return
        if pid == 0:
            self.be(hand, what, writer)
        os.close(writer)
        lines = Lines(reader)
        self.arbiter.keeper.selector.register(lines, selectors.EVENT_READ)
        hand.began(pid, lines, self.config, now, function=not command(what))

    def be(self, hand: Hand, what: str, output: int) -> None:
        """In the new process: be the helper, and end with it."""
        try:
            keeper = self.arbiter.keeper
            keeper.let_go(())
            log = keeper.take_settings(self.config)
            from tiamat.workers import beside

            master = self.arbiter.premises.pid
            beside.be(hand.name, what, self.config, log, output, master)
        finally:
            os._exit(1)

    def reaped(self, pid: int, status: int) -> bool:
        """Whether this was one of them; the next one comes at once, or soon."""
        for hand in self.hands.values():
            if hand.pid and hand.pid == pid:
                hand.log = self.arbiter.log
                hand.ended(status, self.arbiter.keeper.selector, monotonic())
                return True
        return False

    def reopen(self) -> None:
        """The log files were rotated: functions write to them themselves."""
        for hand in self.hands.values():
            hand.reopen()

    def forgive(self, gap: float) -> None:
        """The master itself has slept; that counts for nobody."""
        for hand in self.hands.values():
            hand.until += gap

    def forget(self) -> None:
        """In a process just forked: these are the master's."""
        for hand in self.hands.values():
            hand.forget()

    def close(self) -> None:
        """The master ends, and nobody is left."""
        for hand in self.hands.values():
            hand.close(self.arbiter.keeper.selector)
