"""
Workers that were written for gunicorn: uvicorn's, aiohttp's, the user's own.

In the master a ``ForeignWorker`` stands for one. The class is imported and its object
made in the forked process; what the master says reaches it as the signals that
gunicorn would send. Its sign of life is gunicorn's, too: the time of a file. The
master looks at that itself, so a worker whose code keeps the interpreter is silent to
nobody as long as it touches the file.

It has a parser, limits and timeouts of its own: nothing of our drivers is used.
"""

import contextlib
import gc
import os
import select
import signal
import time
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tiamat.compat.foreign_socket import ForeignSocket
from tiamat.compat.foreign_views import ForeignConfig, app_for, log_for
from tiamat.errors import ConfigError, StartupError, TiamatError
from tiamat.gateways.loader import reason, without_ours
from tiamat.system import process
from tiamat.system.messages import Checked, Pulse, Ready
from tiamat.system.signals import Wakeup
from tiamat.system.unpatched import unpatched
from tiamat.workers import current, foreigners, hooks, signals
from tiamat.workers.base import Worker
from tiamat.workers.endings import ABORTED, BOOT_FAILED, CRASHED
from tiamat.workers.helper import Helper

if TYPE_CHECKING:
    from tiamat.workers.init import WorkerInit

NOTIFY: Final = 1.0
"""Seconds between two signs of life of a worker that waits until it may accept."""


class ForeignWorker(Worker):
    """
    Stands for a worker of gunicorn's contract, and drives it in its process.

    Attributes:
        kind: the class, or where it is found.
        foreign: the object; there is none in the master.
        own: the listeners, as the object has them.
    """

    interfaces = ("wsgi", "asgi", "asgi2", "factory")
    kind: ClassVar[type | str] = ""
    foreign: Any = None

    def __init__(self, init: "WorkerInit") -> None:
        super().__init__(init)
        self._known = {"_known", *vars(self)}
        self._serves = False
        self.own: list[ForeignSocket] = []

    # --- Its life -------------------------------------------------------------

    def main(self) -> int:
        """Live; return the exit status."""
        status = BOOT_FAILED
        try:
            self.become()
            self.make()
            hooks.must(self.cfg, "post_fork", self.server, self.foreign)
            Helper(self).start()
            self.foreign.init_process()
            status = 0
        except SystemExit as error:
            status = exit_status(error)
            self.explain_exit(status)
        except TiamatError as error:
            status = error.exit_status if self.alive else 0
            if status:
                self.fail(error)
        except BaseException as error:
            status = self.crash(error)
        finally:
            self.leave(status)
        return status

    def become(self) -> None:
        """Become a worker, until the object has its own ways."""
        self.pid = os.getpid()
        self.main_thread: int = unpatched("_thread", "get_ident")()
        self.wakeup = Relay(self)
        signals.install(self)
        os.register_at_fork(after_in_child=self.forget)
        current.enter(self)
        process.set_title(f"tiamat: {self.name} [{self.cfg.proc_name or self.cfg.app}]")

    def make(self) -> None:
        """
        Import the class and make the object.

        Raises:
            TiamatError: that can't be done.
        """
        import_module("tiamat.compat.shim").install()
        kind = self.load_kind()
        cfg = ForeignConfig.view(self.cfg)
        log = log_for(self.log, self.cfg)
        if hasattr(kind, "setup"):
            kind.setup()
        if hasattr(kind, "check_config"):
            kind.check_config(cfg, log)
        self.own = [ForeignSocket(one, cfg, log) for one in self.listeners]
        listeners: list[Any] = self.own
        self.sockets = self.listeners = listeners
        app = app_for(cfg, self.cfg, self.app)
        self.foreign = worker = kind(
            *(self.age, self.ppid, [*self.own], app, self.timeout / 2, cfg, log)
        )
        worker.pid = self.pid
        worker.host = self
        for name in vars(self).keys() - self._known - OWN:
            setattr(worker, name, getattr(self, name))
        self.send_pulse()
        worker.run = Running(self, worker.run)

    def load_kind(self) -> Any:
        """
        The class.

        Raises:
            StartupError: it can't be imported, or is none.
        """
        if isinstance(self.kind, type):
            return self.kind
        try:
            kind = foreigners.imported(self.kind)
        except ConfigError as error:
            raise StartupError(str(error)) from error.__cause__
        if not foreigners.is_foreign(kind):
            raise StartupError(f"worker_class {self.kind!r} is no class of workers")
        return kind

    def send_pulse(self) -> None:
        """Give the master the file whose time is the sign of life."""
        number = self.foreign.tmp.fileno()
        self.channel.send(Pulse(), (number,), patience=NOTIFY)

    def begin_to_serve(self) -> None:
        """Say that the worker is ready; wait until it may accept."""
        if self._serves:
            return
        self._serves = True
        self.forget_use()
        self.watch_files()
        gc.collect()
        gc.freeze()
        self.booted = True
        self.row.beat(time.monotonic())
        self.send(Ready())
        self.wait_for_accept()
        self.let_go_of_terminal()
        self.row.accept(True)

    def watch_files(self) -> None:
        """Under ``reload``: tell the master when a file is changed."""
        if self.cfg.reload and self.slot == 0:
            from tiamat.workers.watch import Watch

            watch = Watch(self)
            watch.add_modules()
            watch.start()

    def forget_use(self) -> None:
        """Nobody need hear any more of when a listener is used."""
        for listener in self.own:
            listener.before_use = None

    def wait_for_accept(self) -> bool:
        """Wait until the master lets us serve; False if it tells us to stop."""
        poll = unpatched("select", "poll")()
        poll.register(self.wakeup, select.POLLIN)
        while self.alive and not self.accepted:
            self.foreign.notify()
            if poll.poll(1000 * NOTIFY):
                self.wakeup.clear()
        return self.alive

    def crash(self, error: BaseException) -> int:
        """Log what the object raised, or tell the master; return the exit status."""
        if self._serves:
            self.log.error(
                *("%s failed: %s", self, type(error).__name__), exc_info=error
            )
            return CRASHED
        if not self.alive:
            return ABORTED if self.aborted else 0
        failed = StartupError(f"{self.named} can't start: {reason(error)}")
        failed.__cause__ = without_ours(error)
        self.fail(failed)
        return BOOT_FAILED

    def explain_exit(self, status: int) -> None:
        """Tell the master of an end before there was a beginning."""
        if status and self.alive and not self._serves:
            self.fail(
                StartupError(f"{self.named} ended with {status} before it served")
            )

    @property
    def named(self) -> str:
        """What the log calls the class."""
        return self.kind if isinstance(self.kind, str) else self.kind.__qualname__

    def leave(self, status: int) -> None:
        """Say why the worker goes, if it is by its own will; call the last hook."""
        if status == 0 and self.alive and self._serves:
            self.retire(self.why_it_goes())
        self.alive = False
        worker = self if self.foreign is None else self.foreign
        with contextlib.suppress(AttributeError, OSError):
            worker.tmp.close()
        self.call_hook("worker_exit", self.server, worker)

    def why_it_goes(self) -> str:
        """Why the object has ended though nobody told it to."""
        if self.cfg.max_requests:
            return "max_requests"
        return "its own end"

    # --- What the master says ---------------------------------------------------

    def signal(self, number: int) -> None:
        """Send a signal to the main thread, where the object's handlers run."""
        signal.pthread_kill(self.main_thread, number)

    def handle_wakeup(self) -> None:
        """Pass on what the helper noted for the main thread; in the helper."""
        if self.reopen_wanted:
            self.reopen_wanted = False
            self.signal(signal.SIGUSR1)
        if self.check_wanted:
            self.check_wanted = False
            self.log.warning(
                "%s: %s is not Tiamat's: reload_check and check_worker are left out",
                *(self, self.named),
            )
            self.send(Checked(0, ""))

    def drain(self, *, final: bool = False) -> None:
        """Have it stop in its own way."""
        told = not self.alive
        if not told:
            self._stop_at = time.monotonic() + self.cfg.graceful_timeout
        self.final = self.final or final
        self.alive = False
        self.row.accept(False)
        self.wakeup.wake()
        if not told:
            self.signal(signal.SIGTERM)

    def condemn(self) -> None:
        """Have it accept nobody any more; from any thread, and from handlers."""
        self.alive = False
        self.aborted = True
        if self.foreign is not None:
            self.foreign.aborted = True
        self.close_listeners()

    def close_listeners(self) -> None:
        """Let go of the addresses; the object finds nobody there from now on."""
        if not self.own:
            super().close_listeners()
        for listener in self.own:
            listener.lead_away()


OWN: Final = frozenset(
    (
        *("pid", "main_thread", "wakeup", "foreign", "sockets", "listeners"),
        *("ppid", "app", "log", "own", "_serves"),
    )
)
"""What we put on the stand-in ourselves, behind the fork."""


class Running:
    """
    The object's ``run``, which begins to serve when it uses a listener.

    Where its listeners are not ours any more, since it took the descriptors into
    other objects, it serves from the first.
    """

    def __init__(self, host: ForeignWorker, run: Any) -> None:
        self.host = host
        self.run = run

    def __call__(self, *args: Any, **options: Any) -> Any:
        host = self.host
        watched = [one for one in host.foreign.sockets if one in host.own]
        if watched:
            for listener in watched:
                listener.before_use = host.begin_to_serve
        else:
            host.begin_to_serve()
        end_by_exception()
        return self.run(*args, **options)


def end_by_exception() -> None:
    """
    Where TERM or INT would end the process on the spot, let it end in order.

    uvicorn leaves them so, and sends itself the signal again when it has stopped: the
    hook ``worker_exit`` and the functions of ``atexit`` would never be called.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)


def end(number: int, frame: FrameType | None) -> None:
    """End the process, as a signal without a handler means."""
    raise SystemExit(0)


class Relay(Wakeup):
    """What the helper wakes: the worker is passed on what there is."""

    def __init__(self, host: ForeignWorker) -> None:
        super().__init__()
        self.host = host

    def wake(self) -> None:
        """Have the main thread look, if it waits; pass on the rest."""
        super().wake()
        self.host.handle_wakeup()


def exit_status(error: SystemExit) -> int:
    """The exit status that is meant."""
    if error.code is None:
        return 0
    return error.code if isinstance(error.code, int) else 1


def stand_in(kind: type | str) -> type[ForeignWorker]:
    """
    The class that stands for a class of gunicorn's contract.

    Args:
        kind: the class, or its path, which is imported in the workers.
    """
    name = kind if isinstance(kind, str) else kind.__name__
    return type(name.rpartition(".")[2], (ForeignWorker,), {"kind": kind})
