"""
A worker's check of itself, before anybody connects: a hook, then a request.

The request comes through one end of a pair of sockets; the other is served by the
worker's own driver, as any connection. No listener is accepted from for it. A
thread of the system puts it, so the threads, greenlets or the loop of the worker
have nothing to do but serve.
"""

import socket
import traceback
from typing import Final
from urllib.parse import urlsplit

from tiamat.gateways.loader import reason, without_ours
from tiamat.system.messages import Checked
from tiamat.system.unpatched import unpatched
from tiamat.workers.base import Worker

PEER: Final = ("127.0.0.1", 0)
"""Who the application is told has asked."""

AGENT: Final = "tiamat-check"
"""The User-Agent of the request: it is in the access log."""

HOST: Final = "localhost"
"""Who is asked, where ``reload_check`` is a path only."""

READ_SIZE: Final = 65536


def begin(worker: Worker) -> None:
    """Do what the settings want of a candidate; the master hears what came of it."""
    failure, target = run_hook(worker), worker.cfg.reload_check
    if target and type(worker).serve_check is Worker.serve_check:
        worker.log.warning(
            "%s: a %s can't put a request to itself: reload_check is left out",
            *(worker, type(worker).__name__),
        )
        target = None
    if failure or target is None:
        worker.send(Checked(0, failure))
        return
    request = SelfCheck(worker, target)
    request.start()
    worker.serve_check(request)


def run_hook(worker: Worker) -> str:
    """Call ``check_worker`` if there is one; why the worker is unfit, or nothing."""
    hook = worker.cfg.check_worker
    if hook is None:
        return ""
    try:
        fit = hook(worker)
    except Exception as error:
        lines = traceback.format_exception(without_ours(error))
        text = f"the hook check_worker failed: {reason(error)}\n{''.join(lines)}"
        return text.rstrip()
    return "the hook check_worker returned False" if fit is False else ""


class SelfCheck:
    """
    The request.

    Attributes:
        sock: what the worker has to serve; it does not block.
        scheme, host, port: what the application is told of where it was put to.
        done: whether the master has been told; the worker is woken then.
    """

    def __init__(self, worker: Worker, target: str) -> None:
        self.worker = worker
        parts = urlsplit(target)
        self.scheme = parts.scheme or "http"
        self.host = parts.hostname or HOST
        self.port = parts.port or (443 if self.scheme == "https" else 80)
        self.done = False
        self._host = parts.netloc.rpartition("@")[2] or HOST
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not parts.scheme:
            self._path = target
        # Five megabytes with email and ssl, which the master would have, too.
        from http.client import HTTPConnection, HTTPException

        self._connection = HTTPConnection(self.host)
        self._failures = OSError, HTTPException
        self._ours, self.sock = socket_pair()
        self.sock.setblocking(False)

    def start(self) -> None:
        """Put the request."""
        unpatched("_thread", "start_new_thread")(self._run, ())

    def _run(self) -> None:
        self.worker.send(self._ask())
        self.done = True
        self.worker.wakeup.wake()

    def _ask(self) -> Checked:
        """Put the request, and judge what comes."""
        cfg = self.worker.cfg
        connection = self._connection
        connection.sock = self._ours
        self._ours.settimeout(cfg.reload_check_timeout or None)
        headers = {"Host": self._host, "User-Agent": AGENT, "Connection": "close"}
        what = f"GET {self._path.partition('?')[0]}"
        try:
            connection.request("GET", self._path, headers=headers)
            with connection.getresponse() as response:
                while response.read(READ_SIZE):
                    pass
        except TimeoutError:
            limit = f"{cfg.reload_check_timeout:g} s (reload_check_timeout)"
            return Checked(0, f"{what} was not answered within {limit}")
        except self._failures as error:
            return Checked(0, f"{what} failed: {type(error).__name__}: {error}")
        finally:
            connection.close()
        status, wanted = response.status, cfg.reload_check_status
        if is_among(status, wanted):
            return Checked(status, "")
        return Checked(status, f"{what} was answered with {status}, not {wanted}")


def is_among(status: int, wanted: str) -> bool:
    """Whether *status* is one of ``200-299,401``."""
    ranges = (word.partition("-") for word in wanted.split(","))
    return any(int(low) <= status <= int(high or low) for low, _, high in ranges)


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets of the system's own class, also where gevent patches."""
    kind: type[socket.socket] = unpatched("socket", "socket")
    family, form = socket.AF_UNIX, socket.SOCK_STREAM
    pair = unpatched("_socket", "socketpair")(family, form)
    ours, theirs = (kind(family, form, 0, end.detach()) for end in pair)
    return ours, theirs
