"""
The mold, from inside: a process that loads the application and forks workers.

It serves nothing, runs no thread of its own, and keeps nothing of a worker that it
has forked. A worker is forked twice: when the process in between has ended, the
master is its parent, since it adopts orphans. So it is the master that reaps it, as
every other worker.
"""

import gc
import os
import select
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tiamat.errors import TiamatError
from tiamat.master.listeners import Listeners
from tiamat.master.spawn import live
from tiamat.system import process, signals
from tiamat.system.channel import PATIENCE, Channel
from tiamat.system.listener import Listener
from tiamat.system.messages import (
    Accept,
    Fork,
    Message,
    NotSpawned,
    Ready,
    Reopen,
    Spawned,
)
from tiamat.system.unpatched import unpatched
from tiamat.workers import signals as worker_signals
from tiamat.workers.base import Worker
from tiamat.workers.endings import CRASHED, failure
from tiamat.workers.init import WorkerInit
from tiamat.workers.late import real
from tiamat.workers.preload import preload

if TYPE_CHECKING:
    from tiamat.master.premises import Premises
    from tiamat.master.server import Server
    from tiamat.system.scoreboard import Scoreboard

IGNORED: Final = (*worker_signals.IGNORED, signal.SIGINT, signal.SIGQUIT)
"""Signals that a terminal or a careless operator sends to all; TERM ends a mold."""


@dataclass(slots=True, eq=False)
class Caster:
    """
    What the process of a mold does.

    Attributes:
        name: what the log calls it.
        premises: its own copy of the master's: settings, logs, and no listeners.
        server: what hooks see of the master.
        scoreboard: the mapping that all processes share.
        channel: its end.
        stacks: the pipe that its stacks go to.
        warned: whether the log knows of the application's threads.
    """

    name: str
    premises: "Premises"
    server: "Server"
    scoreboard: "Scoreboard"
    channel: Channel
    stacks: int
    warned: bool = False

    def main(self) -> int:
        """Load the application, fork workers until the master is gone; a status."""
        log = self.premises.log
        try:
            self.boot()
            self.channel.send(Ready(), patience=PATIENCE)
            self.listen()
        except EOFError:
            return 0
        except TiamatError as error:
            if not self.channel.send(failure(error), patience=PATIENCE):
                log.error("%s can't boot: %s", self.name, error)
            return error.exit_status
        except BaseException as error:
            log.exception("%s failed: %s", self.name, type(error).__name__)
        return CRASHED

    def boot(self) -> None:
        """
        Become a mold, and load the application.

        Raises:
            TiamatError: it can't be loaded.
        """
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)
        worker_signals.show_stacks(self.stacks)
        process.die_with_parent(self.server.pid)
        plan, cfg, log = self.premises.plan, self.premises.config, self.premises.log
        process.set_title(f"tiamat: {self.name} [{cfg.proc_name or cfg.app}]")
        # A collection leaves holes in pages, which each worker would fill for itself.
        gc.disable()
        plan.worker_class = real(plan.worker_class)
        if plan.worker_class.patches:
            plan.worker_class.patch(log, self.name)
        plan.app = preload(cfg)

    # --- Orders -------------------------------------------------------------------

    def listen(self) -> None:
        """
        Obey the master.

        Raises:
            EOFError: it is gone, or wants no more workers.
        """
        poll = unpatched("select", "poll")()
        poll.register(self.channel, select.POLLIN)
        while True:
            poll.poll()
            while (message := self.channel.receive()) is not None:
                self.obey(message)

    def obey(self, message: Message) -> None:
        """Do what one message says."""
        match message:
            case Fork():
                self.channel.send(self.fork(message), patience=PATIENCE)
            case Reopen():
                self.premises.log.reopen()
            case Accept() if self.premises.config.leaves_terminal:
                process.detach_output()
                self.premises.log.detach()

    def fork(self, order: Fork) -> Spawned | NotSpawned:
        """Fork the worker that the master wants; keep nothing of it."""
        fds, self.channel.descriptors = self.channel.descriptors, []
        if len(fds) != 2 + len(order.listeners):  # the kernel drops what is too much
            for fd in fds:
                os.close(fd)
            return NotSpawned("the mold has too many open files")
        there, stacks, *fds = fds
        channel = Channel(unpatched("socket", "socket")(fileno=there))
        listeners = adopted(order.listeners, fds)
        self.premises.plan.listeners = listeners
        try:
            worker = self.make_worker(order, channel, stacks)
            config = self.premises.config
            self.server.call("pre_fork", self.server, worker, config=config)
            self.warn_of_threads()
            gc.freeze()
            return Spawned(self.fork_twice(worker))
        except Exception as error:  # the class of the user's, or no more processes
            return NotSpawned(str(error))
        finally:
            channel.close()
            os.close(stacks)
            for listener in listeners.all:
                listener.close()

    def make_worker(self, order: Fork, channel: Channel, stacks: int) -> Worker:
        """The object that becomes the worker."""
        plan = self.premises.plan
        worker = plan.worker_class(
            WorkerInit(
                slot=order.slot,
                generation=order.generation,
                age=order.age,
                config=plan.config,
                listeners=plan.listeners.all,
                channel=channel,
                row=self.scoreboard.row(order.row),
                log=self.premises.log,
                server=self.server,
                stacks=stacks,
            )
        )
        worker.app = plan.app
        worker.ppid = self.server.pid
        return worker

    def fork_twice(self, worker: Worker) -> int:
        """
        Fork the worker so that the master is its parent; return its pid.

        Raises:
            OSError: there can't be another process.
        """
        reader, writer = os.pipe()
        try:
            between = signals.fork()
            if between == 0:
                os.close(reader)
                self.be_between(worker, writer)
        except OSError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        pid = os.read(reader, 32)
        os.close(reader)
        unpatched("os", "waitpid")(between, 0)
        if not pid.isdigit():
            raise OSError(pid.decode() or "the process in between has ended")
        return int(pid)

    def be_between(self, worker: Worker, writer: int) -> None:
        """Fork the worker, tell its pid, and end: so it is an orphan."""
        try:
            pid = signals.fork()
            if pid == 0:
                live(worker, lambda: self.leave(writer))
            os.write(writer, str(pid).encode())
        except OSError as error:
            os.write(writer, (error.strerror or "")[:32].encode())
        finally:
            os._exit(0)

    def leave(self, writer: int) -> None:
        """In a new worker: let go of what is the mold's."""
        os.close(writer)
        self.channel.close()
        os.close(self.stacks)
        gc.enable()

    def warn_of_threads(self) -> None:
        """Name the threads of the application, which no worker will have; once."""
        names = [] if self.warned else threads()
        self.warned = True
        if names:
            self.premises.log.warning(
                "%s: threads that were started while the application was loaded do not"
                " go on in workers: %s",
                *(self.name, ", ".join(names)),
            )


def threads() -> list[str]:
    """The names of all threads but this one: the system's, no greenlets."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    me = unpatched("_thread", "get_ident")()
    return [
        names.get(ident, f"thread {ident}")
        for ident in sorted(sys._current_frames())
        if ident != me
    ]


def adopted(inherited: Mapping[str, bool], fds: Sequence[int]) -> Listeners:
    """
    The listeners of these descriptors, of the system's class of sockets.

    Args:
        inherited: by address, whether somebody else has bound it.
        fds: a descriptor for each.
    """
    by_bind = {}
    kind = unpatched("socket", "socket")
    for (bind, given), fd in zip(inherited.items(), fds, strict=True):
        sock = kind(fileno=fd)
        sock.setblocking(False)
        by_bind[bind] = Listener(sock, inherited=given)
    return Listeners(by_bind)
