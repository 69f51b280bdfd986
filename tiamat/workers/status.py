"""
The helper that answers on ``status_bind``: a process beside the workers.

It reads the memory that all processes share, so it answers when every worker is
stuck. What is not there it asks the master, and waits a moment for that: a master that
is busy leaves it with what it knew before. It serves by the same loop as the
workers do, and ends with the master.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tiamat.config import named
from tiamat.drivers.evented import EventedLoop
from tiamat.drivers.service import Timeouts, WSGIService
from tiamat.gateways.wsgi import WSGIGateway
from tiamat.gateways.wsgi_environ import Environs
from tiamat.observe.figures import figures
from tiamat.observe.metrics import exposed
from tiamat.protocol.headers import Names
from tiamat.protocol.limits import Limits
from tiamat.system import process
from tiamat.system.messages import Drain, Facts, Look
from tiamat.system.scoreboard import HEARTBEAT, READY, SERVING, STOPPING, Scoreboard
from tiamat.workers.serving import make_common

if TYPE_CHECKING:
    from tiamat.config import Config
    from tiamat.observe.log import Log
    from tiamat.system.channel import Channel
    from tiamat.system.listener import Listener
    from tiamat.types import Environ

ANSWER: Final = 1.0
"""Seconds that the master has to answer before its facts are those of before."""

LATE: Final = 10.0
"""Seconds behind which a master that does not answer is taken for dead."""

TURN: Final = 1.0
IDLE_TURN: Final = 10.0
"""At most so many seconds between two turns; nobody is connected in the longer one."""

CONNECTIONS: Final = 64

IGNORED: Final = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU),
)
"""Who stops all processes at once, as systemd may and Ctrl-C does, means the master:
until that has gone somebody has to say that it is not ready."""

TEXT: Final = "text/plain; charset=utf-8"

OK: Final = "200 OK"
UNAVAILABLE: Final = "503 Service Unavailable"


class Master:
    """
    What the helper knows of the master.

    Attributes:
        channel: to it.
        facts: what it has said last.
        left: whether it needs this helper no more.
    """

    def __init__(self, channel: "Channel") -> None:
        self.channel = channel
        self.facts: Mapping[str, Any] = {}
        self.left = False
        self._asked_at = 0.0  # 0.0: it has answered

    def hear(self) -> None:
        """Take what it says; end when it is gone."""
        try:
            while (message := self.channel.receive()) is not None:
                if isinstance(message, Facts):
                    self.facts, self._asked_at = message.facts, 0.0
                self.left = self.left or isinstance(message, Drain)
        except (EOFError, OSError, ValueError):
            os._exit(0)

    def ask(self, now: float) -> bool:
        """Ask, unless an answer is due already; whether it was."""
        due = bool(self._asked_at)
        if not due and self.channel.send(Look()):
            self._asked_at = now
        return due

    def asked(self) -> Mapping[str, Any]:
        """What it says now, or has said before if it does not answer."""
        if not self.ask(time.monotonic()):
            poll = select.poll()
            poll.register(self.channel, select.POLLIN)
            poll.poll(ANSWER * 1000)
        self.hear()
        return self.facts

    def silence(self, now: float) -> float:
        """For how many seconds it has not answered."""
        self.hear()
        return now - self._asked_at if self._asked_at else 0.0


class Status:
    """The application, of WSGI."""

    def __init__(self, board: Scoreboard, master: Master) -> None:
        self.board = board
        self.master = master
        self.pages: dict[str, Callable[[Environ], tuple[str, bytes, str]]] = {
            "/livez": self.livez,
            "/readyz": self.readyz,
            "/metrics": self.metrics,
        }

    def __call__(
        self, environ: "Environ", start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        page = self.pages.get(environ["PATH_INFO"])
        headers = [("Cache-Control", "no-store")]
        if page is None:
            status, body, kind = (
                "404 Not Found",
                b"see /livez, /readyz, /metrics\n",
                TEXT,
            )
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            status, body, kind = "405 Method Not Allowed", b"", TEXT
            headers.append(("Allow", "GET, HEAD"))
        else:
            status, body, kind = page(environ)
        length = str(len(body))
        start_response(
            status, [*headers, ("Content-Type", kind), ("Content-Length", length)]
        )
        return [body]

    def livez(self, environ: "Environ") -> tuple[str, bytes, str]:
        """Whether the server is to be left alone: its master lives."""
        now = time.monotonic()
        silence = self.master.silence(now)
        self.master.ask(now)
        if silence > LATE:
            text = f"the master has not answered for {silence:.0f} s\n"
            return UNAVAILABLE, text.encode(), TEXT
        return OK, b"ok\n", TEXT

    def readyz(self, environ: "Environ") -> tuple[str, bytes, str]:
        """Whether requests are wanted here."""
        ready = self.board.ledger.counts[READY]
        if ready == SERVING:
            return OK, b"ok\n", TEXT
        text = b"stopping\n" if ready == STOPPING else b"no worker serves\n"
        return UNAVAILABLE, text, TEXT

    def metrics(self, environ: "Environ") -> tuple[str, bytes, str]:
        """The figures."""
        found = figures(self.board, self.master.asked(), time.monotonic())
        return OK, *exposed(found, environ.get("HTTP_ACCEPT", ""))


def serve(
    config: "Config",
    board: Scoreboard,
    listener: "Listener",
    channel: "Channel",
    log: "Log",
) -> None:
    """
    Answer until the master is gone, or needs it no more. In a process of its own.

    Raises:
        OSError: it can't become the user of the settings.
    """
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    process.set_privileges(config.user, config.group, initgroups=config.initgroups)
    process.set_title(f"tiamat: status [{config.proc_name or config.app}]")
    master = Master(channel)
    gateway = WSGIGateway(Status(board, master), make_common(config), log)
    service = WSGIService(
        gateway=gateway,
        environs=Environs(),
        log=log,
        limits=Limits(),
        names=Names("drop"),
        parser=named.parser(config),
        timeouts=Timeouts(),
        limit_connections=CONNECTIONS,
    )
    row = Scoreboard(1).take()
    loop = EventedLoop([listener.sock], service, row, gateway.run)
    loop.watch_wakeup(channel.fileno(), master.hear)
    loop.accept()
    while not master.left:
        board.ledger.times[HEARTBEAT] = time.monotonic()
        loop.turn(TURN if loop.connections else IDLE_TURN)
