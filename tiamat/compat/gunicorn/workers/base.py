"""``gunicorn.workers.base``: what workers for gunicorn derive from."""

import contextlib
import os
import random
import signal
import sys
from types import FrameType
from typing import Any, ClassVar, Final

from tiamat.compat.gunicorn.workers.workertmp import WorkerTmp
from tiamat.protocol.status import REASONS
from tiamat.system import process

STATUSES: Final = {
    "LimitRequestLine": 414,
    "LimitRequestHeaders": 431,
    "ExpectationFailed": 417,
    "ForbiddenProxyRequest": 403,
    "SSLError": 403,
    "UnsupportedTransferCoding": 501,
    "ConfigurationProblem": 500,
    "ParseException": 400,
}
"""What a client is answered whose request can't be read, by the error's class."""


class Worker:
    """
    A worker that serves in its own way: override ``run``.

    Args:
        age: how many workers there were before it.
        ppid: the pid of the master.
        sockets: the listeners.
        app: ``app.wsgi()`` is what to serve.
        timeout: within how many seconds ``notify`` has to be called; half of what is
            set.
        cfg: the settings.
        log: the logs.

    Attributes:
        pid: of the process.
        wsgi: the application, when it is loaded.
        alive: whether it goes on.
        booted: whether the application is loaded.
        aborted: whether the master has condemned it.
        nr: how many requests it has answered, if it counts them.
        max_requests: at how many of them it ends.
        tmp: the file that ``notify`` touches.
        PIPE: a pipe that signals write into.
        wait_fds: what ``run`` has to wait for.
        host: the worker of ours that it runs in.
    """

    SIGNALS: ClassVar[list[int]] = [
        *(signal.SIGABRT, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT, signal.SIGTERM),
        *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGCHLD),
    ]
    PIPE: Any = ()
    host: Any = None
    wsgi: Any = None

    def __init__(  # noqa: PLR0913  gunicorn's
        self,
        age: int,
        ppid: int,
        sockets: Any,
        app: Any,
        timeout: Any,
        cfg: Any,
        log: Any,
    ) -> None:
        self.age = age
        self.pid: Any = "[booting]"
        self.ppid = ppid
        self.sockets = sockets
        self.app = app
        self.timeout = timeout
        self.cfg = cfg
        self.log = log
        self.booted = self.aborted = False
        self.alive = True
        self.reloader: Any = None
        self.nr = 0
        self.max_requests = sys.maxsize
        if cfg.max_requests > 0:
            jitter = random.randint(0, cfg.max_requests_jitter)  # noqa: S311
            self.max_requests = cfg.max_requests + jitter
        self.wait_fds: list[Any] = []
        self.tmp = WorkerTmp(cfg)

    def __str__(self) -> str:
        return f"<Worker {self.pid}>"

    # --- Its life -------------------------------------------------------------------

    def notify(self) -> None:
        """Say that the worker lives."""
        self.tmp.notify()

    def run(self) -> None:
        """Serve until ``alive`` is False."""
        raise NotImplementedError

    def init_process(self) -> None:
        """Become a worker, and run. A subclass calls it last."""
        cfg = self.cfg
        os.environ.update(cfg.env)
        process.set_privileges(cfg.uid, cfg.gid, initgroups=cfg.initgroups)
        random.seed()
        self.PIPE = os.pipe()
        for end in self.PIPE:
            os.set_blocking(end, False)
        self.wait_fds = [*self.sockets, self.PIPE[0]]
        self.log.close_on_exec()
        self.init_signals()
        self.load_wsgi()
        cfg.post_worker_init(self)
        self.booted = True
        self.run()

    def load_wsgi(self) -> None:
        """Load the application."""
        self.wsgi = self.app.wsgi()

    # --- Signals ----------------------------------------------------------------------

    def init_signals(self) -> None:
        """Handle signals: TERM is graceful, INT and QUIT are immediate."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, self.handle_exit)
        signal.signal(signal.SIGINT, self.handle_quit)
        signal.signal(signal.SIGQUIT, self.handle_quit)
        signal.signal(signal.SIGABRT, self.handle_abort)
        signal.signal(signal.SIGUSR1, self.handle_usr1)
        signal.signal(signal.SIGWINCH, self.handle_winch)
        # Requests that are under way are not to be interrupted in their calls.
        signal.siginterrupt(signal.SIGTERM, False)
        signal.siginterrupt(signal.SIGUSR1, False)
        signal.set_wakeup_fd(self.PIPE[1], warn_on_full_buffer=False)

    def handle_usr1(self, sig: int, frame: FrameType | None) -> None:
        """USR1: the log files were rotated."""
        self.log.reopen_files()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """TERM: finish what is here."""
        self.alive = False

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """INT, QUIT: stop at once."""
        self.alive = False
        self.cfg.worker_int(self)
        sys.exit(0)

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """ABRT: the master has condemned the worker."""
        self.alive = False
        self.cfg.worker_abort(self)
        sys.exit(1)

    def handle_winch(self, sig: int, frame: FrameType | None) -> None:
        """WINCH is for the master."""
        self.log.debug("worker: SIGWINCH ignored.")

    # --- Errors -----------------------------------------------------------------------

    def handle_error(
        self, req: Any, client: Any, addr: Any, exc: BaseException
    ) -> None:
        """
        Log what went wrong with a request, and answer it.

        Args:
            req: the request, as far as it was read, or None.
            client: the socket.
            addr: the address of its peer.
            exc: what went wrong.
        """
        status = status_of(exc)
        if status == 500:
            about = f"{getattr(req, 'method', '')} {getattr(req, 'uri', '')}".strip()
            self.log.error("Error handling request %s", about, exc_info=exc)
        else:
            host = addr[0] if addr else ""
            self.log.warning("Invalid request from ip=%s: %s", host, exc)
        with contextlib.suppress(OSError):
            client.sendall(refusal(status, "" if status == 500 else str(exc)))


def status_of(exc: BaseException) -> int:
    """The status of the answer to what went wrong: 500 if it is not the client's."""
    names = (kind.__name__ for kind in type(exc).__mro__)
    return next((STATUSES[name] for name in names if name in STATUSES), 500)


def refusal(status: int, text: str) -> bytes:
    """An answer behind which the connection ends."""
    body = f"{text}\n".encode("utf-8", "replace") if text else b""
    head = (
        f"HTTP/1.1 {status} {REASONS.get(status, '')}\r\nConnection: close\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
