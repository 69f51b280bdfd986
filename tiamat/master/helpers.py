"""
Processes that are kept beside the workers: the one that answers on ``status_bind``.

The master holds the listener, as it holds those of the workers, and hands it to a
new master. The helper is forked from the master, so it has nothing of the
application's, and is there again when it ends.
"""

import math
import os
import selectors
import signal
import time
import traceback
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import tiamat
from tiamat.master.handover import Phase
from tiamat.master.listeners import Listeners
from tiamat.master.member import State
from tiamat.master.roster import PROVEN, Slot
from tiamat.system import backlog, process, signals
from tiamat.system.channel import Channel
from tiamat.system.messages import Drain, Facts, Look
from tiamat.system.scoreboard import (
    HEARTBEAT,
    READY,
    SERVING,
    STOPPING,
    UNREADY,
)

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.master.arbiter import Arbiter

SILENT: Final = 60.0
"""Seconds behind which a helper that shows no sign of life is killed."""

LEAVE: Final = 5.0
"""Seconds that one has to finish what it answers."""

ELSEWHERE: Final = frozenset({Phase.BESIDE, Phase.WATCHED, Phase.LEFT})
"""How far a re-exec is when the new master serves."""


def facts(arbiter: "Arbiter") -> dict[str, Any]:
    """What the master knows beside the scoreboard, as JSON takes it."""
    age = monotonic() - arbiter.control.began
    lengths: dict[str, int | None] = {}
    for listener in arbiter.premises.plan.listeners.all:
        if listener.fileno() >= 0:
            url = listener.url_by(arbiter.premises.config.scheme)
            length = backlog.length(listener.sock)
            if length is not None:
                length += lengths.get(url) or 0
            lengths[url] = length
    return {
        "version": tiamat.__version__,
        "began": time.time() - age,
        "generation": arbiter.roster.generation,
        "target": arbiter.roster.target,
        "backlog": {url: count for url, count in lengths.items() if count is not None},
        "ends": dict(arbiter.keeper.ends),
        "reloads": dict(arbiter.reload.outcomes),
        "helpers": arbiter.crew.restarts(),
    }


class Helper:
    """
    The master's side of the helper.

    Attributes:
        pid: of the process; 0 if there is none.
        deadline: when ``look_after`` wants to be called.
    """

    def __init__(self, arbiter: "Arbiter") -> None:
        self.arbiter = arbiter
        self.pid = 0
        self.deadline = math.inf
        self._channel: Channel | None = None
        self._listeners = Listeners({})
        self._config: Config | None = None
        self._began = 0.0
        self._since = 0.0
        self._until = math.inf  # when one that was told to go must have gone
        self._slot = Slot(0)  # for the pauses between those that are lost

    def __str__(self) -> str:
        return f"status helper pid={self.pid}"

    def status(self, now: float) -> dict[str, Any] | None:
        """It, as JSON takes it; None if there is none."""
        if not self.pid:
            return None
        urls = [listener.url for listener in self._listeners.all]
        return {"pid": self.pid, "seconds": now - self._began, "listeners": urls}

    # --- Once per turn --------------------------------------------------------------

    def look_after(self, now: float) -> None:
        """See that there is one if it is wanted; tell it what it asks."""
        self.say_whether_ready()
        self.listen()
        premises = self.arbiter.premises
        # Beside another master that serves it is the other one's.
        wanted = premises.status if not premises.succession.suffix else Listeners({})
        if self.pid:
            self.look_at(wanted, now)
        elif not wanted.all or self.arbiter.hurrying:
            self.deadline = math.inf
        elif now < self._slot.retry_at:
            self.deadline = self._slot.retry_at
        else:
            self.begin(wanted, now)

    def say_whether_ready(self) -> None:
        """Whether requests are served, and wanted; the helper sees it at once."""
        arbiter = self.arbiter
        ready = STOPPING if arbiter.leaving else UNREADY
        if arbiter.handover.phase in ELSEWHERE:
            ready = SERVING
        elif not arbiter.leaving:
            members = (forked.member for forked in arbiter.keeper.workers.values())
            if any(member.state is State.SERVING for member in members):
                ready = SERVING
        arbiter.keeper.scoreboard.ledger.counts[READY] = ready

    def listen(self) -> None:
        """Answer what it asks."""
        if self._channel is None:
            return
        asked = False
        try:
            while (message := self._channel.receive()) is not None:
                asked = asked or isinstance(message, Look)
        except (EOFError, ValueError):
            self.let_go()
            self.kill()
        if asked and self._channel is not None:
            self._channel.send(Facts(facts(self.arbiter)))

    def look_at(self, wanted: Listeners, now: float) -> None:
        """See that it lives, and is one of the settings that are in force."""
        same = self._config is self.arbiter.premises.config
        if self._until == math.inf and not (
            same and wanted.by_bind == self._listeners.by_bind
        ):
            self._until = now + LEAVE
            if self._channel is not None:
                self._channel.send(Drain(False))
        times = self.arbiter.keeper.scoreboard.ledger.times
        silent_at = max(times[HEARTBEAT], self._since) + SILENT
        self.deadline = min(silent_at, self._until)
        if now >= self.deadline:
            if now >= silent_at:
                self.arbiter.log.error("%s silent for %g s, killing", self, SILENT)
            self._since, self._until = now, now + LEAVE
            self.kill()

    def forgive(self, now: float) -> None:
        """The master itself has slept; that counts for nobody."""
        self._since = now

    # --- Begin and end --------------------------------------------------------------

    def begin(self, wanted: Listeners, now: float) -> None:
        """Fork it."""
        here, there = Channel.pair()
        try:
            pid = signals.fork()
        except OSError as error:
            here.close()
            there.close()
            self._slot.fail(now)
            self.deadline = self._slot.retry_at
            self.arbiter.log.error("can't fork the status helper: %s", error.strerror)
            return
        if pid == 0:
            here.close()
            self.be(wanted, there)
        there.close()
        self.pid, self._channel, self._listeners = pid, here, wanted
        self._since, self._until = now, math.inf
        self._began = now
        self._config = self.arbiter.premises.config
        self.deadline = now + SILENT
        self.arbiter.keeper.selector.register(here, selectors.EVENT_READ)
        urls = ", ".join(listener.url for listener in wanted.all)
        self.arbiter.log.info("%s answers on %s", self, urls)

    def be(self, wanted: Listeners, channel: Channel) -> None:
        """In the new process: answer, and end with it."""
        try:
            keeper = self.arbiter.keeper
            keeper.let_go(wanted.all)
            # Not before: with it come HTTP and a library that the master has not.
            from tiamat.workers import status

            premises = self.arbiter.premises
            status.serve(
                *(premises.config, keeper.scoreboard, wanted.all[0], channel),
                premises.log,
            )
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    def kill(self) -> None:
        """It has nothing to finish; it is reaped later."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)

    def reaped(self, pid: int, status: int) -> bool:
        """Whether this was it; the next one comes at once, or soon."""
        if not self.pid or pid != self.pid:
            return False
        now = monotonic()
        if self._until == math.inf:
            if now - self._since > PROVEN:
                self._slot.failures = 0
            delay = self._slot.fail(now)
            self.arbiter.log.error(
                "%s %s; the next one comes in %g s",
                *(self, process.status_in_words(status), delay),
            )
        self.let_go()
        self.pid = 0
        self.deadline = now
        return True

    def let_go(self) -> None:
        """Close our end of the channel."""
        if self._channel is not None:
            self.arbiter.keeper.selector.unregister(self._channel)
            self._channel.close()
            self._channel = None

    def forget(self) -> None:
        """In a process just forked: this is the master's."""
        if self._channel is not None:
            self._channel.close()

    def close(self) -> None:
        """The master ends."""
        if self.pid:
            self.kill()
            os.waitpid(self.pid, 0)
            self.let_go()
            self.pid = 0
