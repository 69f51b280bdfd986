"""Fork a worker: what the new process and the master each do next."""

import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Final

from tiamat.config import Config
from tiamat.errors import TiamatError
from tiamat.master.listeners import Listeners
from tiamat.master.member import Member, State
from tiamat.master.post import Outbox
from tiamat.master.pulse import TouchedFile
from tiamat.master.server import Server
from tiamat.system import process, signals
from tiamat.system.channel import Channel
from tiamat.system.messages import Failed, Message
from tiamat.system.scoreboard import (
    GENERATION,
    HEARTBEAT,
    MEASURED_AT,
    MEMORY,
    PID,
    SLOT,
    STARTED_AT,
    STATE,
    Row,
)
from tiamat.workers.base import Worker
from tiamat.workers.endings import CRASHED
from tiamat.workers.init import WorkerInit

if TYPE_CHECKING:
    from tiamat.master.mold import Mold

STATES: Final = tuple(State)

NO_REQUEST: Final = "no request"

STACKS_LIMIT: Final = 65536  # what a pipe holds


@dataclass(slots=True, eq=False)
class Plan:
    """
    What workers are made of: one while the server runs, another during a reload.

    Attributes:
        config: the settings.
        worker_class: of all of its workers.
        listeners: what they accept from.
        mold: what forks them, if the master does not.
        app: the application, if they need not load it.
    """

    config: Config
    worker_class: type[Worker]
    listeners: Listeners
    mold: "Mold | None" = None
    app: object = None


@dataclass(slots=True, eq=False)
class Forked:
    """
    The master's side of a worker.

    Attributes:
        worker: the object that was forked, as it was before.
        member: its entry in the roster.
        channel: our end.
        row: of the scoreboard.
        stacks: the pipe that its stacks come through when all else fails.
        failure: why it could not load the application, if it said so.
        deaf: whether its end of the channel is closed, or spoils it.
        outbox: messages of applications that wait for it.
        pulse: the file that it touches to say that it lives, if it does it so.
    """

    worker: Worker
    member: Member
    channel: Channel
    row: Row
    stacks: int
    failure: Failed | None = None
    deaf: bool = False
    outbox: Outbox = field(default_factory=Outbox)
    pulse: TouchedFile | None = None

    def __str__(self) -> str:
        return self.member.name

    def send(self, message: Message) -> bool:
        """Tell the worker something; whether it will hear of it."""
        return self.channel.send(message)

    def kill(self, number: int) -> None:
        """Send a signal; it has not been reaped, so the pid is still its own."""
        os.kill(self.member.pid, number)

    def exchange(self) -> None:
        """The roster gets the last sign of life, the scoreboard the state."""
        if self.pulse is not None:  # a worker that knows nothing of its row
            beat = self.pulse.heartbeat(monotonic())
            self.row.times[HEARTBEAT] = max(self.row.times[HEARTBEAT], beat)
        self.member.heartbeat = self.row.times[HEARTBEAT]
        self.row.counts[STATE] = STATES.index(self.member.state)

    def request_in_words(self, now: float) -> str:
        """What it has in the application: ``GET /path for 31.2 s``."""
        request = self.worker.request()
        if request is None:
            return NO_REQUEST
        method, path, begun = request
        return f"{method} {path} for {now - begun:.1f} s"

    def memory_in_words(self, now: float) -> str:
        """How much it had when it looked last; empty if it never did."""
        size = self.row.counts[MEMORY]
        if not size:
            return ""
        return f"{size >> 20} MiB {now - self.row.times[MEASURED_AT]:.0f} s before"

    def read_stacks(self) -> str:
        """What came through the pipe since it was read last."""
        return read_pipe(self.stacks)

    def close(self) -> None:
        """Let go of what only the master has."""
        self.channel.close()
        os.close(self.stacks)
        if self.pulse is not None:
            self.pulse.close()


@dataclass(frozen=True, slots=True)
class Ends:
    """
    What master and worker are joined by: a channel, and a pipe for stacks.

    Attributes:
        here, reader: the master's.
        there, writer: the worker's.
    """

    here: Channel
    there: Channel
    reader: int
    writer: int

    @classmethod
    def open(cls) -> "Ends":
        """
        Open all four.

        Raises:
            OSError: there are no more descriptors; none was used up.
        """
        here, there = Channel.pair()
        try:
            reader, writer = os.pipe()
        except OSError:
            here.close()
            there.close()
            raise
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        return cls(here, there, reader, writer)

    def close_ours(self) -> None:
        """Let go of the master's."""
        self.here.close()
        os.close(self.reader)

    def close_theirs(self) -> None:
        """Let go of the worker's."""
        self.there.close()
        os.close(self.writer)


def read_pipe(reader: int) -> str:
    """The text that has come through a pipe since it was read last."""
    try:
        return os.read(reader, STACKS_LIMIT).decode("utf-8", "replace")
    except BlockingIOError:
        return ""


def spawn(
    plan: Plan,
    member: Member,
    row: Row,
    server: Server,
    age: int,
    enter: Callable[[Worker], None],
) -> Forked:
    """
    Fork a worker from this process.

    Args:
        plan: what it is made of.
        member: its entry in the roster; gets the pid.
        row: its own.
        server: what hooks see of the master.
        age: how many workers there were before it.
        enter: makes the new process one of this plan, and lets go there of all
            that is the master's.

    Raises:
        OSError: there can't be another process, or no more descriptors.
        Exception: the class of the workers raised it. Nothing is left open.
    """

    def fork(worker: Worker, ends: Ends) -> int:
        def enter_it() -> None:
            ends.close_ours()
            enter(worker)

        server.call("pre_fork", server, worker, config=plan.config)
        pid = signals.fork()
        if pid == 0:
            live(worker, enter_it)
        return pid

    return join(plan, member, row, server, age, fork)


def join(
    plan: Plan,
    member: Member,
    row: Row,
    server: Server,
    age: int,
    fork: Callable[[Worker, Ends], int],
) -> Forked:
    """
    Fork a worker that is joined with the master by a channel.

    Args:
        plan, member, row, server, age: as for ``spawn``.
        fork: forks it, from wherever; returns its pid.

    Raises:
        Exception: *fork* or the class of the workers raised it. Nothing is left open.
    """
    ends = Ends.open()
    try:
        worker = make_worker(plan, member, row, server, age, ends)
        forked = Forked(worker, member, ends.here, row, ends.reader)
        row.times[STARTED_AT] = member.since
        row.counts[GENERATION], row.counts[SLOT] = member.generation, member.slot
        pid = fork(worker, ends)
    except BaseException:
        ends.close_ours()
        raise
    finally:
        ends.close_theirs()
    worker.pid = member.pid = row.counts[PID] = pid
    return forked


def make_worker(
    plan: Plan, member: Member, row: Row, server: Server, age: int, ends: Ends
) -> Worker:
    """The object that becomes the worker."""
    worker = plan.worker_class(
        WorkerInit(
            slot=member.slot,
            generation=member.generation,
            age=age,
            config=plan.config,
            listeners=plan.listeners.all,
            channel=ends.there,
            row=row,
            log=server.log,
            server=server,
            stacks=ends.writer,
        )
    )
    worker.app = plan.app
    return worker


def live(worker: Worker, enter: Callable[[], None]) -> None:
    """Be the worker, and end with it: the frames below never go on."""
    status = CRASHED
    try:
        try:
            enter()
        except TiamatError as error:
            status = error.exit_status
            worker.send(Failed(status, str(error)))
        else:
            status = worker.main()
        process.run_exit_functions()
    except SystemExit as error:  # a signal while it was leaving
        status = error.code if isinstance(error.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
