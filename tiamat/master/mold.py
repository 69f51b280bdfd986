"""
A mold, as the master sees it: it has loaded the application, and forks workers.

The master makes both ends of a worker's channel and hands one over. So it has its
end whatever happens to mold and worker, and their deaths are the end of a channel.
"""

import math
import os
import select
import signal
import sys
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Final

from tiamat.master.listeners import Listeners
from tiamat.master.member import Event, Member, State
from tiamat.master.spawn import NO_REQUEST, Ends, Forked, Plan, join, read_pipe
from tiamat.system.channel import FDS_LIMIT, Channel
from tiamat.system.messages import (
    Failed,
    Fork,
    Handed,
    Message,
    NotSpawned,
    Spawned,
)
from tiamat.workers.base import Worker
from tiamat.workers.late import real
from tiamat.workers.preload import preload

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.master.server import Server
    from tiamat.master.silence import Condemned
    from tiamat.observe.log import Log
    from tiamat.system.scoreboard import Row

POSSIBLE: bool = sys.platform == "linux"
"""Whether there can be molds: elsewhere nobody adopts orphans but process 1."""

ANSWER: Final = 5.0
"""Seconds that a mold has to fork; the master waits for it."""


class Mold:
    """
    The master's side of a mold.

    Attributes:
        config: the settings of the workers that it forks.
        member: its state and its times; it is not in the roster.
        began: when it was forked.
        channel: our end.
        stacks: the pipe that its stacks come through.
        failure: why it could not load the application, if it said so.
        deaf: whether its end of the channel is closed, or spoils it.
        ended: whether we have ended it.
        cause: why it is killed, if it is.
        condemned: it, if it is too slow to boot.
    """

    def __init__(
        self, config: "Config", member: Member, channel: Channel, stacks: int
    ) -> None:
        self.config = config
        self.member = member
        self.began = member.since
        self.channel = channel
        self.stacks = stacks
        self.failure: Failed | None = None
        self.deaf = self.ended = False
        self.cause = ""
        self.condemned: Condemned | None = None

    def __str__(self) -> str:
        return f"mold gen={self.member.generation} pid={self.member.pid}"

    @property
    def ready(self) -> bool:
        """Whether it can fork workers."""
        return self.member.state is State.READY and not self.deaf

    @property
    def deadline(self) -> float:
        """When it must have loaded the application, or is to be looked at."""
        if self.condemned is not None:
            return self.condemned.deadline
        booting = self.member.state is State.BOOTING
        return self.member.deadline if booting else math.inf

    def send(self, message: Message) -> bool:
        """Tell it something; whether it will hear of it."""
        return self.channel.send(message)

    def kill(self, number: int) -> None:
        """Send it a signal; it has not been reaped, so the pid is still its own."""
        os.kill(self.member.pid, number)

    def request_in_words(self, now: float) -> str:
        """What it has in the application."""
        return NO_REQUEST

    def memory_in_words(self, now: float) -> str:
        """How much memory it had; nobody has looked."""
        return ""

    def read_stacks(self) -> str:
        """What came through the pipe since it was read last."""
        return read_pipe(self.stacks)

    def end(self) -> None:
        """Nobody needs it any more; it has nothing to finish."""
        if not self.ended:
            self.ended = True
            self.kill(signal.SIGKILL)

    def close(self) -> None:
        """Let go of what only the master has."""
        self.channel.close()
        os.close(self.stacks)

    # --- Spawning -------------------------------------------------------------------

    def spawn(
        self,
        plan: Plan,
        member: Member,
        row: "Row",
        server: "Server",
        age: int,
        enter: Callable[[Worker], None],
    ) -> Forked:
        """
        Have a worker forked; as ``spawn.spawn``, for which nothing has to be entered.

        Raises:
            OSError: it can't fork, does not answer, or is gone. Nothing is left open.
        """

        def fork(worker: Worker, ends: Ends) -> int:
            return self.fork(worker, ends, plan.listeners)

        return join(plan, member, row, server, age, fork)

    def fork(self, worker: Worker, ends: Ends, listeners: Listeners) -> int:
        """Hand over what the worker needs; wait until it is there, for its pid."""
        fds = [ends.there.fileno(), ends.writer, *listeners.descriptors().values()]
        given = {bind: li.inherited for bind, li in listeners.by_bind.items()}
        order = Fork(
            worker.slot, worker.generation, worker.age, worker.row.index, given
        )
        while len(fds) > FDS_LIMIT:
            self.channel.send(Handed(), tuple(fds[:FDS_LIMIT]))
            del fds[:FDS_LIMIT]
        self.channel.send(order, tuple(fds))
        answer = self.answer(monotonic() + ANSWER)
        if isinstance(answer, Spawned):
            return answer.pid
        raise OSError(answer.text)

    def answer(self, deadline: float) -> Spawned | NotSpawned:
        """
        Wait for what becomes of an order.

        One that does not answer is killed: what it forks later finds its channel
        closed, and leaves.
        """
        poll = select.poll()
        poll.register(self.channel, select.POLLIN)
        while (left := deadline - monotonic()) > 0:
            poll.poll(left * 1000)
            try:
                message = self.channel.receive()
            except EOFError:
                return NotSpawned(f"{self} is gone")
            if isinstance(message, Spawned | NotSpawned):
                return message
        self.cause = f"did not fork in {ANSWER:g} s"
        self.member.move(Event.SILENT, monotonic())
        self.kill(signal.SIGKILL)
        return NotSpawned(f"{self} {self.cause}, killing")


def load_here(plan: Plan, log: "Log") -> None:
    """
    Load the application in the master, where there can't be molds.

    Raises:
        TiamatError: it can't be loaded.
    """
    if POSSIBLE or not plan.config.preload_app or plan.config.reload:
        return
    if plan.worker_class.patches:
        log.warning("preload_app has no effect with this worker class, but on Linux")
        return
    log.warning(
        "preload_app: the master loads the application itself, since this is not Linux;"
        " a reload does not load it again"
    )
    plan.worker_class = real(plan.worker_class)
    plan.app = preload(plan.config)
