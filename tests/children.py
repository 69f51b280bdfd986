"""The master's side of a worker, around a process that a test chooses."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tiamat.config import Config
from tiamat.master.member import Member, State
from tiamat.master.spawn import Forked
from tiamat.observe.log import Log
from tiamat.system.channel import Channel
from tiamat.system.scoreboard import Scoreboard
from tiamat.workers.base import Worker
from tiamat.workers.init import WorkerInit


@dataclass
class Master:
    """What a worker knows of its master."""

    cfg: Config
    log: Log
    pid: int


@dataclass
class Child:
    """
    A process, and what both sides have of it.

    Attributes:
        process: it.
        forked: the master's side.
        there: the worker's end of the channel.
        log: where the master writes.
        path: the file of the log.
    """

    process: subprocess.Popen[bytes]
    forked: Forked
    there: Channel
    log: Log
    path: Path

    @property
    def worker(self) -> Worker:
        """The object that the process would be made of."""
        return self.forked.worker

    @property
    def logged(self) -> str:
        """What the log says."""
        return self.path.read_text()


@contextlib.contextmanager
def child(
    tmp_path: Path,
    command: Sequence[str] = ("sleep", "1000"),
    *,
    state: State = State.SERVING,
    config: Config | None = None,
) -> Iterator[Child]:
    """Start a process as if it were a worker; ``{stacks}`` is its stacks' pipe."""
    path = tmp_path / "error.log"
    log = Log(str(path))
    config = config or Config()
    here, there = Channel.pair()
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    process = subprocess.Popen(
        [word.replace("{stacks}", str(writer)) for word in command],
        pass_fds=[writer],
        stdout=subprocess.PIPE,
    )
    row = Scoreboard(4).take()
    master = Master(config, log, os.getpid())
    init = WorkerInit(3, 2, 1, config, [], there, row, log, master, writer)
    member = Member(3, 2, process.pid, since=0.0, state=state)
    forked = Forked(Worker(init), member, here, row, reader)
    try:
        yield Child(process, forked, there, log, path)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
        there.close()
        os.close(writer)
        forked.close()
        log.close()
