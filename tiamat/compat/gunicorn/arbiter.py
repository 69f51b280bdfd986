"""
The master under gunicorn's names, for who derives a class from it.

There is one loop, our own. It calls these methods, and what they do is what we do:
``spawn_worker`` puts a worker into a slot of the roster, ``kill_worker`` with TERM
replaces one gracefully, ``reload`` tries the new code in one worker first.
"""

import contextlib
import os
import signal
import sys
from signal import Signals
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tiamat.cli import say
from tiamat.compat.arbiting import EmbeddedWays, replace_surplus
from tiamat.compat.embedded import EmbeddedConfig
from tiamat.compat.gunicorn import SERVER_SOFTWARE
from tiamat.errors import TiamatError
from tiamat.master import arbiter as master
from tiamat.master import orders
from tiamat.master.reexec import report_failure
from tiamat.master.server import Server
from tiamat.workers import load_worker_class

if TYPE_CHECKING:
    from types import FrameType

    from tiamat.config import Config
    from tiamat.observe.log import Log

ENDING: Final = frozenset(
    {
        *(Signals.SIGTERM, Signals.SIGQUIT, Signals.SIGINT),
        *(Signals.SIGABRT, Signals.SIGKILL),
    }
)
"""Signals that end a worker."""


class Arbiter(Server):
    """
    The master process.

    Attributes:
        app: the application object; it has ``cfg`` and ``wsgi``.
        START_CTX: what a re-exec begins with.
        PIPE, systemd, master_name: kept for who reads them.
    """

    WORKER_BOOT_ERROR: ClassVar = 3
    APP_LOAD_ERROR: ClassVar = 4
    START_CTX: dict[int | str, Any] = {}  # noqa: RUF012  a subclass's instance has its own
    PIPE: list[int] = []  # noqa: RUF012
    SIGNALS: ClassVar = [
        getattr(signal, f"SIG{name}")
        for name in ("HUP", "QUIT", "INT", "TERM", "TTIN", "TTOU", "USR1", "USR2")
    ] + [signal.SIGWINCH]
    SIG_NAMES: ClassVar = {
        number: number.name.removeprefix("SIG").lower() for number in Signals
    }
    systemd = False
    master_name = "Master"

    def __init__(self, app: Any) -> None:
        os.environ["SERVER_SOFTWARE"] = SERVER_SOFTWARE
        self._started = False
        config = EmbeddedConfig.of(app)
        for warning in config.warnings:
            say("warning", warning)
        config.enter()
        self._app = app
        master.Arbiter(config, self._meet)
        args = [sys.executable, *sys.argv]
        self.START_CTX = {"args": args, "cwd": config.sources.cwd, 0: sys.executable}
        self.setup(app)

    def _meet(self, arbiter: master.Arbiter) -> EmbeddedWays:
        """Be the one that our master asks."""
        self._arbiter = arbiter
        self._ways = EmbeddedWays(arbiter, self)
        return self._ways

    def overrides(self, name: str) -> bool:
        """Whether a subclass, or this object, has a method of its own."""
        mine = getattr(Arbiter, name, None)
        return name in vars(self) or getattr(type(self), name, None) is not mine

    # --- What it has ----------------------------------------------------------------

    @property
    def app(self) -> Any:
        """The application object."""
        return self._app

    @app.setter
    def app(self, app: Any) -> None:
        self._app = app

    @property
    def log(self) -> "Log":
        """The logs; opened if they are not."""
        premises = self._arbiter.premises
        if not hasattr(premises, "log"):
            premises.open_log()
        return premises.log

    @property
    def worker_class(self) -> type:
        """That of the workers."""
        return self._arbiter.premises.plan.worker_class

    @worker_class.setter
    def worker_class(self, kind: object) -> None:
        threads = self.config.threads
        self._arbiter.premises.plan.worker_class = load_worker_class(kind, threads)

    @property
    def num_workers(self) -> int:
        """How many workers there shall be."""
        return super().num_workers

    @num_workers.setter
    def num_workers(self, count: int) -> None:
        keeper = self._arbiter.keeper
        count = min(max(0, int(count)), keeper.most)
        if count:  # setup() may set it before the start, and for a reload
            self.config.put("workers", count, "num_workers")
        if self._started:
            keeper.set_target(count)

    @property
    def master_pid(self) -> int:
        """The master that has started this one beside it; 0 if there is none."""
        return self._arbiter.premises.succession.predecessor

    @property
    def reexec_pid(self) -> int:
        """The master that this one has started beside it; 0 if there is none."""
        return self._arbiter.premises.succession.successor

    @property
    def cfg(self) -> Any:
        """The settings that are in force, as the application object knows them."""
        return self._app.cfg

    def take_settings(self) -> None:
        """Let the application object have those that are in force."""
        theirs = getattr(self.config, "theirs", None)
        if theirs is not None and self._app.cfg is not theirs:
            self._app.cfg = theirs
            self.setup(self._app)

    def call(self, name: str, *args: object, config: "Config | None" = None) -> None:
        """Call a hook, when the application object is up to date."""
        self.take_settings()
        super().call(name, *args, config=config)

    # --- Start, loop and stop -------------------------------------------------------

    def setup(self, app: Any) -> None:
        """Take an application object with new settings; they are in force already."""
        self.app = app

    def start(self) -> None:
        """Do what comes before the first worker."""
        self._arbiter.start()
        self._started = True

    def init_signals(self) -> None:
        """Let signals come to the loop; one that is not in SIGNALS has no handler."""
        numbers = {*orders.ORDERS, *map(Signals, self.SIGNALS)}
        self._arbiter.inbox.catch(numbers)

    def run(self) -> None:
        """
        Serve until told to stop.

        Raises:
            SystemExit: always.
        """
        try:
            status = self._arbiter.run()
        except TiamatError as error:
            say("error", str(error))
            report_failure(error)
            status = error.exit_status
        sys.exit(status)

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers, and wait until they have ended."""
        order = orders.terminate if graceful else orders.interrupt
        order(self._arbiter)
        self._arbiter.loop()

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        """End the server gracefully, with this status."""
        self._ways.halt(reason or "halt()", exit_status)

    def wakeup(self) -> None:
        """Let the loop look at everything."""
        os.kill(self.pid, signal.SIGCHLD)

    def reload(self) -> None:
        """New settings and new code; one worker tries them before the others."""
        orders.hang_up(self._arbiter)

    def reexec(self) -> None:
        """Start a new master beside this one."""
        orders.start_new_master(self._arbiter)

    # --- Workers --------------------------------------------------------------------

    def manage_workers(self) -> None:
        """See that there are as many workers as there shall be."""
        keeper = self._arbiter.keeper
        replace_surplus(self._arbiter.roster)
        if not self.overrides("spawn_workers"):
            keeper.keep()
            return
        if len(self.WORKERS) < self.num_workers:
            self.spawn_workers()
        keeper.keep(lambda task: not self._ways.fills(task))

    def spawn_workers(self) -> None:
        """Spawn the workers that are missing."""
        self._arbiter.keeper.keep(self._ways.fills)

    def spawn_worker(self) -> int:
        """
        Spawn a worker; where none is missing, it replaces the oldest one.

        Returns:
            Its pid; 0 if there can't be one now.
        """
        return self._ways.spawn_ourselves()

    def kill_workers(self, sig: int) -> None:
        """Send a signal to all workers, as ``kill_worker`` does."""
        for pid in list(self.WORKERS):
            self.kill_worker(pid, sig)

    def kill_worker(self, pid: int, sig: int) -> None:
        """
        Send a signal to a worker.

        With TERM it retires when another one serves in its place, if there shall be
        one.
        """
        forked = self._arbiter.keeper.workers.get(pid)
        if forked is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)
            return
        name = Signals(sig).name if sig else "0"
        if sig in ENDING:
            forked.member.due = forked.member.due or f"kill_worker({name})"
        if sig != signal.SIGTERM:
            forked.kill(sig)

    def murder_workers(self) -> None:
        """Kill who is silent, or too slow to boot or to drain."""
        self._arbiter.keeper.kill_late()

    def reap_workers(self) -> None:
        """Bury those who have ended."""
        self._arbiter.reap()

    # --- Signals --------------------------------------------------------------------

    def handle_hup(self) -> None:
        """HUP: new settings and new code."""
        self.reload()

    def handle_term(self) -> None:
        """TERM: finish what is here, and end."""
        if self.overrides("stop"):
            self.stop()
        else:
            orders.terminate(self._arbiter)

    def handle_int(self) -> None:
        """INT: end at once."""
        if self.overrides("stop"):
            self.stop(False)
        else:
            orders.interrupt(self._arbiter)

    def handle_quit(self) -> None:
        """QUIT: end at once, or as TERM where that is wanted."""
        if self.config.quit_signal == "graceful":
            self.handle_term()
        else:
            self.handle_int()

    def handle_ttin(self) -> None:
        """TTIN: one worker more."""
        orders.add_worker(self._arbiter)

    def handle_ttou(self) -> None:
        """TTOU: one worker fewer."""
        orders.remove_worker(self._arbiter)

    def handle_usr1(self) -> None:
        """USR1: the log files were rotated."""
        orders.reopen_logs(self._arbiter)

    def handle_usr2(self) -> None:
        """USR2: a new master beside this one."""
        self.reexec()

    def handle_winch(self) -> None:
        """WINCH: no workers, if it is not the terminal's own."""
        orders.remove_all_workers(self._arbiter)

    def handle_chld(self, sig: int = 0, frame: "FrameType | None" = None) -> None:
        """CHLD: a process has ended."""
        self.reap_workers()

    handle_cld = handle_chld
