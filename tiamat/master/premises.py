"""What the master holds while it lives: logs, pid file, listeners, its name."""

import atexit
import os
import select
import signal
import sys
from typing import TYPE_CHECKING, Final

import tiamat
from tiamat.config import Config, application, named
from tiamat.errors import BindError, TiamatError
from tiamat.master import belongings
from tiamat.master.listeners import Listeners, never, status_listeners
from tiamat.master.reexec import Inheritance, Succession, inheritance
from tiamat.master.spawn import Plan
from tiamat.observe.log import Log
from tiamat.system import process
from tiamat.system.messages import Failed
from tiamat.workers.late import late_worker_class

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tiamat.system.signals import Inbox
    from tiamat.system.sockets import AddressInUse

RETRY: Final = 0.2
"""Seconds between two attempts to bind an address that is in use."""

STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})


class Premises:
    """
    Opened at the start, changed by a reload, closed at the end.

    Attributes:
        plan: what workers are made of: settings, class, listeners.
        before: the plan whose listeners are still here, while a reload rolls.
        log: the logs.
        succession: the other master beside this one, if any.
        pidfile: the file that names the master.
        entrance: where commands come in.
        status: what is listened on for ``status_bind``.
    """

    log: Log

    def __init__(self, config: Config) -> None:
        kind = late_worker_class(config.worker_class, config.threads)
        self.plan = Plan(config, kind, Listeners({}))
        self.before: Plan | None = None
        self.succession = Succession()
        self._inheritance = Inheritance()
        self.pidfile = belongings.pidfile()
        self.entrance = belongings.entrance()
        self.status = Listeners({})
        self._command = -1
        self._pid = os.getpid()

    @property
    def config(self) -> Config:
        """The settings that are in force."""
        return self.plan.config

    # --- At the start -----------------------------------------------------------

    def open(self) -> None:
        """
        Become the server's process: in the background if wanted, with logs and pid.

        Raises:
            TiamatError: something that the settings ask for can't be had.
        """
        process.raise_descriptor_limit()
        inherited = inheritance(os.environ, self.config.bind)
        self.succession = Succession.of(inherited)
        if self.config.daemon and not inherited.master:
            self._command = process.daemonize()
        self._inheritance = inherited
        self.open_log()
        suffix = self.succession.suffix
        self.pidfile.use(self.pidfile.of(self.config, suffix))
        self.entrance.use(self.entrance.of(self.config, suffix))
        self.set_title()

    def listen(self, inbox: "Inbox") -> None:
        """
        Bind the addresses, or take them over.

        An address in use may be held by workers that finish without their master,
        so we try for a while; a signal ends that.

        Raises:
            BindError: an address can't be had.
        """
        patience = self.config.graceful_timeout
        waiting: Callable[[AddressInUse], bool] = Patience(self.log, inbox, patience)
        handed_on = self._inheritance.listeners(self.config.bind)
        self.plan.listeners = handed_on
        self.plan.listeners = handed_on.rebound(self.config, waiting)
        if not application.makes_server(self.config):
            self.plan.listeners.refuse_datagrams()
        known = Listeners.from_predecessor(self._inheritance.status, fixed=False)
        self.status = known
        self.status = status_listeners(self.config, known, waiting)
        known.without(self.status).close(unlink=False)
        if self.kept:
            for name, listener in self.plan.listeners.stored().items():
                listener.stored = name in self.kept
        # The old master may go on with what these settings don't want any more.
        handed_on.without(self.plan.listeners).close(unlink=False)

    def greet(self) -> None:
        """Say who we are and where we are reached."""
        config, log = self.config, self.log
        version = "{}.{}.{}".format(*sys.version_info)
        log.info(
            "Tiamat %s on Python %s, pid %d", tiamat.__version__, version, self.pid
        )
        for url in self.plan.listeners.urls(config.scheme):
            log.info("listening on %s", url)
        log.info("serving %s with %s", config.app, config.workers_in_words)
        if config.user == 0 and config.origin("user") == "default":
            log.warning(
                "workers run as root: --user names who they shall be,"
                " and --user=root that this is meant"
            )
        if self.log_is_elsewhere:
            for warning in config.warnings:  # else the command has said it here
                log.warning("%s", warning)

    @property
    def pid(self) -> int:
        """Our own; also in a worker, where it is that of the master."""
        return self._pid

    @property
    def kept(self) -> "Collection[str]":
        """The names of what systemd had kept for this start."""
        return self._inheritance.kept

    # --- Now and on reloads -----------------------------------------------------------

    def open_log(self) -> None:
        """
        Open the logs of the settings, in the place of others.

        Raises:
            ConfigError: they can't be opened; the others stay.
        """
        self.use_log(named.open_log(self.config))
        self._pid = os.getpid()

    def use_log(self, log: Log) -> None:
        """Write to these logs from now on, and give them to the workers' user."""
        before, self.log = getattr(self, "log", None), log
        if before is not None:
            before.close()
        owner = self.config.user, self.config.group
        if owner != (os.geteuid(), os.getegid()):
            log.chown(*owner)

    def change(self, plan: Plan) -> Plan:
        """
        Be the premises of other settings; call ``settle`` with what is returned.

        Raises:
            TiamatError: their pid file or their logs can't be had; nothing has
                changed.
        """
        before, suffix = self.plan, self.succession.suffix
        pidfile, socket = self.pidfile.file, self.entrance.file
        status = self.status
        before.config.leave()
        plan.config.enter()
        try:
            pidfile = self.pidfile.of(plan.config, suffix)
            socket = self.entrance.of(plan.config, suffix)
            status = status_listeners(plan.config, self.status, never)
            log = named.open_log(plan.config)
        except BaseException:
            self.pidfile.leave(pidfile)
            self.entrance.leave(socket)
            status.without(self.status).close()
            plan.config.leave()
            before.config.enter()
            raise
        self.plan, self.before = plan, before
        self.pidfile.use(pidfile)
        self.entrance.use(socket)
        removed, self.status = self.status.without(status), status
        removed.close(unlink=self.succession.alone)
        self.use_log(log)
        return before

    def settle(self, before: Plan) -> None:
        """After a reload: let the addresses go that are gone, and say what is new."""
        plan, self.before = self.plan, None
        removed = before.listeners.without(plan.listeners)
        for listener in removed.all:
            listener.stored = False
        if self.succession.alone:
            removed.refuse_new()
        for url in removed.urls(before.config.scheme):
            self.log.info("no longer listening on %s", url)
        removed.close(unlink=self.succession.alone)
        known = before.listeners.urls(plan.config.scheme)
        for url in plan.listeners.urls(plan.config.scheme):
            if url not in known:
                self.log.info("listening on %s", url)
        for warning in plan.config.warnings:
            self.log.warning("%s", warning)
        for module in plan.config.changed_modules():
            self.log.warning(
                "%s has changed, but a reload does not import again what the"
                " configuration file imports; USR2 does",
                module,
            )
        self.set_title()

    def set_title(self) -> None:
        """Be found by ``ps``."""
        name = self.config.proc_name or self.config.app
        process.set_title(f"tiamat: master{self.succession.suffix} [{name}]")

    # --- Beside another master --------------------------------------------------

    def take_names(self) -> None:
        """Have the title, pid file and control socket of the only master."""
        self.set_title()
        self.entrance.succeed(self.config, self.log)
        self.pidfile.succeed(self.config, self.log)

    def tidy_up_for_successor(self) -> None:
        """Remove the files of a new master: one that was killed can't do so itself."""
        suffix = Succession(1).suffix
        self.entrance.tidy_up(self.config, suffix)
        self.pidfile.tidy_up(self.config, suffix)

    # --- At the end -----------------------------------------------------------------

    def proven(self) -> None:
        """We serve: a daemon lets go of its terminal, and the command may end."""
        if self._command >= 0:
            if self.config.leaves_terminal:
                process.detach_output()
                self.log.detach()
            self.tell_command(0)

    def tell_command(self, status: int) -> None:
        """Let the command end that waits for us to be in the background."""
        os.write(self._command, bytes([status]))
        os.close(self._command)
        self._command = -1

    def refuse_new_connections(self) -> bool:
        """
        Let nothing new into the kernel's queues of our own listeners.

        Returns:
            Whether the workers shall empty them: not while another master does.
        """
        return self.succession.alone and self.plan.listeners.refuse_new()

    def close_listeners(self) -> None:
        """Close our copies; files of Unix sockets stay while another master lives."""
        self.plan.listeners.close(unlink=self.succession.alone)

    def fail(self, error: BaseException) -> None:
        """Leave nothing behind after a start that failed; the caller raises *error*."""
        code = getattr(error, "code", 1)  # SystemExit's
        status = code if isinstance(code, int) else 1
        if isinstance(error, TiamatError):
            status = error.exit_status
            cause = error.__cause__
            # The caller prints a line, perhaps not where the log is read.
            if hasattr(self, "log") and (self.log_is_elsewhere or cause):
                self.log.error("%s", error, exc_info=cause)
        if isinstance(error, TiamatError):
            self.succession.tell(Failed(status, str(error)))
        self.close(status)

    @property
    def log_is_elsewhere(self) -> bool:
        """Whether the error log is not what the command prints to."""
        return self.config.errorlog != "-"

    def close(self, status: int) -> None:
        """Leave nothing behind; a command that waits ends with us, with *status*."""
        self.close_listeners()
        self.status.close(unlink=self.succession.alone)
        self.pidfile.use(None)
        self.entrance.use(None)
        if self._command >= 0:
            # Not now: what is wrong has not been printed yet.
            atexit.register(self.tell_command, status)

    def forget(self) -> None:
        """Let go of what is the master's alone: in a process just forked."""
        self.succession.close()
        self.pidfile.forget()
        if self._command >= 0:
            os.close(self._command)


class Patience:
    """How long we wait for an address that somebody else holds."""

    def __init__(self, log: Log, inbox: "Inbox", seconds: float) -> None:
        self.log = log
        self.inbox = inbox
        self.left = seconds
        self.said = ""

    def __call__(self, error: "AddressInUse") -> bool:
        """Wait a little; whether to try again."""
        if self.left <= 0:
            return False
        if str(error) != self.said:
            self.said = str(error)
            self.log.warning("%s; trying for %g s more", error, self.left)
        self.left -= RETRY
        select.select([self.inbox], (), (), RETRY)
        while (number := self.inbox.take()) is not None:
            if number in STOPS:
                raise BindError(f"stopped by {number.name}: {error}")
        return True
