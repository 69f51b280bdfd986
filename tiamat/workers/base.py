"""
What every worker is: a process with privileges, signals, an application, an end.

Its life: the master makes the object, calls the hook ``pre_fork`` with it and
forks; the worker drops privileges, loads the application, says ``Ready``, waits
for ``Accept``, serves in ``run``, drains and exits. A subclass overrides ``run``,
and ``close_listeners`` if it watches them with something of its own.

The main thread loads the application and serves; a second one, the helper, listens
to the master meanwhile.
"""

import gc
import math
import os
import random
import select
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar

from tiamat.config import Config, application
from tiamat.errors import AppError, TiamatError
from tiamat.gateways import interface
from tiamat.observe.log import Log
from tiamat.system import process
from tiamat.system.channel import PATIENCE
from tiamat.system.messages import Message, Ready, Retiring
from tiamat.system.signals import Wakeup
from tiamat.workers import current, hooks, signals
from tiamat.workers.endings import ABORTED, BOOT_FAILED, CRASHED, failure
from tiamat.workers.gunicorn_names import GunicornNames
from tiamat.workers.helper import Helper
from tiamat.workers.init import WorkerInit
from tiamat.workers.mailbox import Mailbox
from tiamat.workers.tls import make_security

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiamat.drivers.security import Security
    from tiamat.workers.check import SelfCheck


class Worker(GunicornNames):
    """
    A process that serves. Override ``run``.

    Attributes:
        interfaces: which applications it serves; others are refused at boot.
        watched: whether the helper looks for slow requests, since nobody else can.
        patches: whether ``patch`` has to come before the application.
        slot, generation: its place, and how many reloads there were before it.
        age: how many workers there were before it.
        pid, ppid: of the worker and of the master; pid is 0 before the fork.
        cfg: the settings. ``config`` is the same.
        timeout: how long it may be silent, in seconds.
        log: the logs.
        app: the application; None until it is loaded.
        sockets: the listeners. ``listeners`` is the same.
        row: its own, in the scoreboard.
        security: what makes TLS of connections; None if they are plain text.
        alive: whether it goes on; False from the moment it shall stop.
        booted: whether it has loaded the application.
        aborted: whether the master has condemned it.
        final: whether it serves the kernel's queues before it stops: those of the
            listeners that are not inherited.
        orphaned: whether the master is gone.
        accepted, check_wanted, reopen_wanted: what the helper noted for the main
            thread.
        nr: how many requests it has answered.
        max_requests: at how many of them it asks to be replaced.
        mailbox: what other processes say to the application.
        wakeup: readable when ``handle_wakeup`` shall be called.
    """

    interfaces: ClassVar[tuple[interface.Interface, ...]] = ("wsgi",)
    watched: ClassVar[bool] = False
    patches: ClassVar[bool] = False

    def __init__(self, init: WorkerInit) -> None:
        self.slot = init.slot
        self.generation = init.generation
        self.age = init.age
        self.cfg = self.config = init.config
        self.timeout = init.config.timeout
        self.sockets = self.listeners = list(init.listeners)
        self.log = init.log
        self.row = init.row
        self.server = init.server
        self.channel = init.channel
        self.stacks = init.stacks
        self.security: Security | None = None
        self.ppid = os.getpid()
        self.pid = 0
        self.app: Any = None
        self.alive = True
        self.booted = False
        self.aborted = False
        self.final = False
        self.orphaned = False
        self.nr = 0
        self.max_requests = jittered(self.cfg)
        self.mailbox = Mailbox(self)
        self._retiring = False
        self.accepted = self.check_wanted = False
        self.reopen_wanted = False
        self._stop_at = math.inf
        self.share()

    def share(self) -> None:
        """Make, before the fork, what the master shall see of the worker's memory."""

    @property
    def slow(self) -> float:
        """How many seconds in the application make a request worth a line."""
        return self.cfg.slow_request_log or self.cfg.timeout or math.inf

    @property
    def name(self) -> str:
        """What the log calls it: ``worker 3 gen=2 pid=4711``."""
        return f"worker {self.slot} gen={self.generation} pid={self.pid or '?'}"

    def request(self) -> tuple[str, str, float] | None:
        """
        The request that is in the application, or has been longest.

        The master asks, too: what it has is the worker as it was before the fork.

        Returns:
            Method, target, and when it began.
        """
        return self.row.request()

    def __str__(self) -> str:
        return self.name

    @classmethod
    def patch(cls, log: Log, name: str) -> None:
        """
        Change this process's modules before the application imports them.

        Called in a mold and in each worker, so perhaps twice.

        Args:
            log: where warnings go.
            name: what the log calls the process.
        """

    # --- Its life -------------------------------------------------------------

    def main(self) -> int:
        """Live; return the exit status. Called in the new process, once."""
        status = BOOT_FAILED
        try:
            self.boot()
            status = CRASHED
            self.booted = True
            if self.wait_for_accept():
                self.let_go_of_terminal()
                self.row.accept(True)
                self.run()
            left = self.deadline() - time.monotonic()
            self.mailbox.finish(min(left, self.cfg.graceful_timeout))
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 0
        except TiamatError as error:
            status = error.exit_status if self.alive else 0  # told to stop
            if status:
                self.fail(error)
        except BaseException as error:
            if self.alive or self.booted:
                self.log.exception("%s failed: %s", self, type(error).__name__)
            else:
                # Told to stop: a handler's SystemExit, in whatever the import that
                # it came into made of it (Python 3.11: __set_name__, RuntimeError).
                status = ABORTED if self.aborted else 0
        finally:
            self.alive = False
            self.call_hook("worker_exit", self.server, self)
        return status

    def boot(self) -> None:
        """Become a worker, and load the application."""
        self.pid = os.getpid()
        self.wakeup = Wakeup()
        self.wakeup.wake_on_signals()
        signals.install(self)
        self.after_fork()
        os.register_at_fork(after_in_child=self.forget)
        current.enter(self)
        hooks.must(self.cfg, "post_fork", self.server, self)
        self.init_process()
        Helper(self).start()
        if self.cfg.spew:
            from tiamat.workers import spew

            spew.begin()
        if self.cfg.reload:
            from tiamat.workers import developing

            developing.load(self)
        else:
            self.load_all()
        # What is here by now stays: the collector need not look at it any more, nor
        # write into pages that are shared with the master.
        gc.collect()
        gc.freeze()
        self.row.beat(time.monotonic())
        self.send(Ready())

    def after_fork(self) -> None:
        """What comes first in the new process, once it hears signals."""

    def init_process(self) -> None:
        """
        Drop privileges, take the process's name. Keys are read before.

        Raises:
            TLSError: one of them can't be used.
        """
        cfg = self.cfg
        self.security = make_security(cfg, self.log, self.listeners)
        process.set_privileges(cfg.user, cfg.group, initgroups=cfg.initgroups)
        process.set_title(f"tiamat: {self.name} [{cfg.proc_name or cfg.app}]")
        random.seed()  # else every worker throws the same dice

    def load_all(self) -> None:
        """
        Load what serves, and call the hook behind that.

        Raises:
            TiamatError: one of them failed.
        """
        self.load()
        hooks.must(self.cfg, "post_worker_init", self)

    def load(self) -> None:
        """
        Load the application if it is not; a subclass may load something else.

        Raises:
            TiamatError: it can't be loaded, or is none for this worker.
        """
        spec = self.cfg.app
        if spec is None:
            return
        if self.app is None:
            self.app = application.load(self.cfg)
        spoken = interface.interface(self.app)
        if spoken not in self.interfaces:
            raise AppError(interface.refusal(spec, spoken, self.cfg.worker_class))

    def fail(self, error: TiamatError) -> None:
        """Tell the master why there is no application to serve; it is in the log."""
        failed = failure(error)
        if not self.send(failed):
            self.log.error("%s can't boot: %s", self, failed.text)

    def wait_for_accept(self) -> bool:
        """Wait until the master lets us serve; False if it tells us to stop."""
        poll = select.poll()
        poll.register(self.wakeup, select.POLLIN)
        while self.alive and not self.accepted:
            poll.poll()
            self.handle_wakeup()
            self.check_if_wanted()
        return self.alive

    def check_if_wanted(self) -> None:
        """Say whether we are fit to serve, if the master has asked for it."""
        if self.check_wanted:
            from tiamat.workers import check

            self.check_wanted = False
            check.begin(self)

    def serve_check(self, request: "SelfCheck") -> None:
        """
        Serve one request that this worker puts to itself, until it is done.

        A class that knows how to serve ``request.sock`` overrides this; others are
        not asked.
        """
        raise NotImplementedError

    def let_go_of_terminal(self) -> None:
        """A daemon that has started has none, as its master."""
        if self.cfg.leaves_terminal:
            process.detach_output()
            self.log.detach()

    def run(self) -> None:
        """
        Serve until ``alive`` is False, then drain until ``deadline()``.

        Watch ``wakeup`` beside the listeners. Beat at least once a second or so:
        a worker whose row shows no heartbeat for ``timeout`` seconds is killed.
        """
        raise NotImplementedError

    # --- What may happen meanwhile ---------------------------------------------

    def handle_wakeup(self) -> None:
        """
        Do what was asked from other threads and from signals.

        Call it in the main thread whenever ``wakeup`` is readable; look at
        ``alive`` after it.
        """
        self.wakeup.clear()
        if self.reopen_wanted:
            self.reopen_wanted = False
            self.log.reopen()
        if self.mailbox.waiting:
            self.deliver()

    def deliver(self) -> None:
        """Let the application have its messages, where it may wait in them."""
        self.mailbox.deliver()

    def deadline(self) -> float:
        """When a graceful stop must be over; infinite while there is none."""
        return self._stop_at

    def drain(self, *, final: bool = False) -> None:
        """Stop gracefully; from any thread, and from signal handlers."""
        if self.alive:
            self._stop_at = time.monotonic() + self.cfg.graceful_timeout
        self.final = self.final or final
        self.alive = False
        self.row.accept(False)
        self.wakeup.wake()

    def condemn(self) -> None:
        """
        Accept nobody any more: the master is about to kill this worker.

        What was silent for too long may go on all the same, before it is killed: C
        code that waits ends early when a signal comes. From any thread, and from
        signal handlers.
        """
        self.drain()
        self.close_listeners()

    def close_listeners(self) -> None:
        """
        Close this worker's copies of the listeners.

        The helper calls it when the master is gone, also while a request is in the
        application. Override it if something watches them: an epoll set holds a
        descriptor that was closed.
        """
        for listener in self.listeners:
            listener.close()

    def count_request(self) -> None:
        """Count a request that was answered; ask for a replacement when it is time."""
        self.nr += 1
        if self.nr >= self.max_requests:
            self.retire("max_requests")

    def retire(self, reason: str) -> None:
        """
        Ask to be replaced.

        The worker goes on serving until its replacement is ready; then the master
        tells it to drain.
        """
        if not self._retiring and self.alive:
            self._retiring = True
            self.send(Retiring(reason))

    def send(self, message: Message) -> bool:
        """Tell the master; whether it will hear of it."""
        return self.channel.send(message, patience=PATIENCE)

    def call_hook(self, name: str, *args: object) -> None:
        """Call a hook if there is one; what it raises is logged and no more."""
        hook: Callable[..., object] | None = getattr(self.cfg, name)
        if hook is None:
            return
        try:
            hook(*args)
        except Exception as error:
            hooks.report(self.log, name, error, f"{self}: ")

    def forget(self) -> None:
        """
        Let go of what is the worker's, in a process that the application forks.

        Else that process would keep the addresses in use, the master would believe
        that the worker lives, and no TERM would end it.
        """
        signals.uninstall()
        current.leave()
        self.channel.close()
        for listener in self.listeners:
            listener.close()

    # --- Signals --------------------------------------------------------------

    def handle_term(self, number: int, frame: FrameType | None) -> None:
        """TERM: finish what is here. Before serving there is nothing to finish."""
        self.drain()
        if not self.booted:
            raise SystemExit(0)

    def handle_quit(self, number: int, frame: FrameType | None) -> None:
        """INT, QUIT: stop at once, whatever is under way."""
        self.alive = False
        self._stop_at = time.monotonic()
        self.call_hook("worker_int", self)
        raise SystemExit(0)

    def handle_abort(self, number: int, frame: FrameType | None) -> None:
        """ABRT: the master has condemned this worker."""
        self.alive = False
        self.aborted = True
        self.call_hook("worker_abort", self)
        raise SystemExit(ABORTED)

    def handle_dump(self, number: int, frame: FrameType | None) -> None:
        """``DUMP_SIGNAL``: the interpreter has written the stacks of the condemned."""
        self.condemn()

    def handle_usr1(self, number: int, frame: FrameType | None) -> None:
        """USR1: reopen the logs, in the main loop."""
        self.reopen_wanted = True


def jittered(config: Config) -> int | float:
    """At how many requests a worker asks to be replaced; infinite for never."""
    if not config.max_requests:
        return math.inf
    return config.max_requests + random.randint(0, config.max_requests_jitter)  # noqa: S311
