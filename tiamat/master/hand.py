"""One helper of the crew: a name, and the process that is kept under it."""

import contextlib
import math
import os
import signal
from selectors import BaseSelector
from typing import TYPE_CHECKING, Any, Final

from tiamat.master.roster import PROVEN, Slot
from tiamat.system import process

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.observe.log import Log
    from tiamat.system.lines import Lines

AGAIN: Final = 5.0
"""Seconds from one SIGKILL to the next, for what does not end."""

LINES: Final = 500
"""The most lines of a helper that the log gets in a second; others are counted."""


class Hand:
    """
    A helper; it outlives its processes.

    Attributes:
        name: of it, in the settings.
        log: where it is told of.
        pid: of the process; 0 if there is none.
        config: the settings that this is of.
        due: why it has to be replaced; empty if it has not.
        until: when one that was told to go must have gone.
        begun: how many processes it has had.
        slot: for the pauses between those that are lost.
    """

    def __init__(self, name: str, log: "Log") -> None:
        self.name = name
        self.log = log
        self.pid = 0
        self.config: Config | None = None
        self.due = ""
        self.until = math.inf
        self.begun = 0
        self.slot = Slot(0)
        self._lines: Lines | None = None
        self._since = 0.0
        self._function = False
        self._second = 0.0
        self._count = 0
        self._dropped = 0

    def __str__(self) -> str:
        return f"helper {self.name} pid={self.pid}"

    @property
    def leaving(self) -> bool:
        """Whether it was told to go, and has not gone yet."""
        return self.pid > 0 and self.until < math.inf

    @property
    def deadline(self) -> float:
        """When something is to be done about it."""
        return min(self.until, self._second + 1.0 if self._dropped else math.inf)

    def status(self, now: float) -> dict[str, Any]:
        """It, as JSON takes it."""
        state = "running" if self.pid else "waiting"
        return {
            "name": self.name,
            "pid": self.pid,
            "state": "leaving" if self.leaving else state,
            "seconds": now - self._since if self.pid else 0.0,
            "restarts": max(0, self.begun - 1),
        }

    # --- Its life -------------------------------------------------------------------

    def began(
        self, pid: int, lines: "Lines", config: "Config", now: float, *, function: bool
    ) -> None:
        """There is a process."""
        self.pid, self._lines, self.config = pid, lines, config
        self._since, self.until, self.due = now, math.inf, ""
        self._function = function
        self.begun += 1
        again = "" if self.begun == 1 else f", restart {self.begun - 1}"
        self.log.info("%s begins%s", self, again)

    def not_begun(self, error: OSError, now: float) -> None:
        """There can't be one."""
        delay = self.slot.fail(now)
        self.log.error(
            "can't fork helper %s: %s; next attempt in %g s",
            *(self.name, error.strerror, delay),
        )

    def retire(self, why: str, now: float, patience: float) -> None:
        """
        Tell the process to go.

        Only itself: what it has started is its own business, until it has gone.
        """
        self.log.info("%s is told to go: %s", self, why)
        self.until = now + patience
        os.kill(self.pid, signal.SIGTERM)

    def kill_if_late(self, now: float) -> None:
        """End what does not go."""
        if now >= self.until:
            self.log.warning("%s does not go, killing", self)
            self.until = now + AGAIN
            self.kill_group()
            os.kill(self.pid, signal.SIGKILL)

    def kill_group(self) -> None:
        """End it with all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def ended(self, status: int, selector: BaseSelector, now: float) -> None:
        """The process is gone: what it has left behind goes with it."""
        self.kill_group()
        self.hear(selector, now)
        words = process.status_in_words(status)
        if self.leaving:
            self.log.info("%s %s", self, words)
            self.slot.failures, self.slot.retry_at = 0, now
        else:
            if now - self._since > PROVEN:
                self.slot.failures = 0
            delay = self.slot.fail(now)
            told = self._lines is not None and os.WIFEXITED(status) and status != 0
            last = self._lines.last if told and self._lines else ""
            self.log.error(
                "%s %s%s; the next one comes in %g s",
                *(self, words, last and f": {last}", delay),
            )
        self.close(selector)
        self.pid, self.until, self.due = 0, math.inf, ""

    def reopen(self) -> None:
        """Let a function open the logs again; a command has none."""
        if self.pid and self._function:
            os.kill(self.pid, signal.SIGUSR1)

    # --- What it prints -------------------------------------------------------------

    def hear(self, selector: BaseSelector, now: float) -> None:
        """Log what it has printed; of a flood the beginning of each second."""
        if now - self._second >= 1.0:
            if self._dropped:
                self.log.warning("[%s] %d lines were dropped", self.name, self._dropped)
            self._second, self._count, self._dropped = now, 0, 0
        if self._lines is None:
            return
        try:
            for line in self._lines.take():
                self._count += 1
                if self._count <= LINES:
                    self.log.info("[%s] %s", self.name, line)
                else:
                    self._dropped += 1
        except EOFError:
            self.let_go(selector)

    def let_go(self, selector: BaseSelector) -> None:
        """Nobody prints any more; the last line is kept for the end."""
        if self._lines is not None and self._lines.fd >= 0:
            selector.unregister(self._lines)
            self._lines.close()

    def close(self, selector: BaseSelector) -> None:
        """Let go of the process's things."""
        self.let_go(selector)
        self._lines = None

    def forget(self) -> None:
        """In a process just forked: this is the master's."""
        if self._lines is not None:
            self._lines.close()
