"""
A loop on a real socket, in a thread, around one application.

``KIND`` says whether the application runs in place, in a pool of four threads, or in
greenlets; the fixture ``kind`` sets it, so that each test of a driver runs with all.
"""

import logging
import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
from running import LIMIT

from tiamat.drivers.evented import EventedLoop, Handle
from tiamat.drivers.overload import busy_wsgi, in_time
from tiamat.drivers.pool import Pool
from tiamat.drivers.pooled import PooledLoop
from tiamat.drivers.service import FOREVER, Finished, Timeouts, WSGIService
from tiamat.gateways.wsgi import WSGIGateway
from tiamat.gateways.wsgi_environ import Environs
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.headers import Names
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser import ParserFactory
from tiamat.protocol.parser_httptools import Parser
from tiamat.system.scoreboard import Scoreboard
from tiamat.system.signals import Wakeup
from tiamat.workers.green_loop import GreenLoop

KIND = "sync"

LOG = logging.getLogger("tests.drivers")

BUFFERED = pytest.mark.parametrize("kind", ["sync", "threads"], indirect=True)
"""Of tests about what waits outside of the application; greens wait inside."""

GET = b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n"
LAST = b"GET /%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%s\r\n"
PLAIN = [("Content-Type", "text/plain")]


def only(kind: str) -> list[pytest.MarkDecorator]:
    """Marks of tests about one way to run an application."""
    return [
        pytest.mark.usefixtures("kind"),
        pytest.mark.parametrize("kind", [kind], indirect=True),
    ]


class Running:
    """
    A loop at work, and the address that it serves.

    Args:
        app: What is served.
        kind: How: "sync", "threads" or "greens".
        busiest: Of greens, how many requests may be in the application at a time.
        options: Of the service.
    """

    loop: EventedLoop

    def __init__(self, app: Any, kind: str, busiest: int, **options: Any) -> None:
        self.kind = kind
        self.busiest = busiest
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.listener.getsockname()
        self.listener.setblocking(False)
        self.gateway = WSGIGateway(app, CommonHeaders(b"tiamat"), LOG)
        self.service = WSGIService(
            gateway=self.gateway,
            environs=Environs(),
            log=LOG,
            **{
                "limits": Limits(),
                "names": Names("drop"),
                "parser": Parser,
                "timeouts": Timeouts(),
                **{name: value for name, value in options.items() if value is not None},
            },
        )
        self.handle: Handle = self.gateway.run
        limit = self.service.max_queue_time
        if limit < FOREVER:
            turn_away = WSGIGateway(busy_wsgi(limit), self.gateway.common, LOG)
            self.handle = in_time(self.gateway.run, turn_away.run, limit)
        self.row = Scoreboard(4).take()
        self.stopping = False
        self.draining = False
        self.made = threading.Event()
        if kind == "threads":
            self.loop = PooledLoop(*self.parts)
            wakeup = self.wakeup = Wakeup()
            self.pool = Pool(self.loop, 4, wakeup, wakeup.clear)
        elif kind == "sync":
            self.loop = EventedLoop(*self.parts)
        runs = {
            "sync": self.run, "threads": self.run_pool, "greens": self.run_greens
        }  # fmt: skip
        if kind != "greens":
            self.loop.accept()
            self.made.set()
        self.thread = threading.Thread(target=runs[kind])
        self.thread.start()
        self.made.wait()

    @property
    def parts(self) -> tuple[Any, ...]:
        """What every loop is made of."""
        return [self.listener], self.service, self.row, self.handle

    def run(self) -> None:
        while not self.stopping:
            self.loop.turn(0.02)
        if self.draining:
            self.loop.close_listeners()
            self.loop.drain(time.monotonic() + 20)
        self.loop.close()

    def run_pool(self) -> None:
        """Do what the threads worker does."""
        pool, loop = self.pool, self.loop
        while not self.stopping:
            pool.tend(0.02)
        pool.summon()
        while not pool.leads:
            pool.tend(0.05)
        if self.draining:
            loop.close_listeners()
            loop.hasten()
            deadline = time.monotonic() + 20
            while loop.connections and time.monotonic() < deadline:
                pool.tend(0.05)
        pool.end(time.monotonic() + 20)
        loop.close()
        self.wakeup.close()

    def run_greens(self) -> None:
        """Do what the gevent worker does, in a hub of this thread."""
        loop = self.loop = GreenLoop(
            *self.parts, hub=gevent.get_hub(), spawn=gevent.Greenlet
        )
        loop.busiest = self.busiest
        loop.accept()
        self.made.set()
        while not self.stopping:
            gevent.sleep(0.02)
            loop.sweep_soon()
            loop.soon()
        if self.draining:
            loop.close_listeners()
            deadline = time.monotonic() + 20
            while loop.connections and time.monotonic() < deadline:
                loop.hasten()
                loop.soon()
                gevent.sleep(0.02)
        loop.close()
        gevent.get_hub().destroy(destroy_loop=True)
        assert loop.failure is None

    @property
    def handled(self) -> int:
        """How many requests the application has answered."""
        if self.kind == "threads":
            return sum(seat.handled for seat in self.pool.seats)
        return self.loop.handled

    def change(self, name: str, value: object) -> Any:
        """Change what was chosen at construction; return what it was."""
        before = getattr(self.loop, name)
        if self.kind != "threads":
            setattr(self.loop, name, value)
            return before
        with self.pool._starting:  # a seat that is being made would keep the old one
            setattr(self.loop, name, value)
            for seat in self.pool.seats:
                setattr(seat, name, value)
        return before

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=20)

    def ask(self, data: bytes) -> bytes:
        """Send *data*, and everything that comes back until the server closes."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)


class Gate:
    """An application that waits for ``opened`` under ``/wait``."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/wait":
            self.entered.set()
            assert self.opened.wait(LIMIT)
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]


def read_all(sock: socket.socket) -> bytes:
    """Everything until the peer closes."""
    parts = []
    while data := sock.recv(65536):
        parts.append(data)
    return b"".join(parts)


def read_until(sock: socket.socket, end: bytes) -> bytes:
    """Everything up to and with *end*."""
    data = b""
    while not data.endswith(end):
        more = sock.recv(65536)
        if not more:
            break
        data += more
    return data


@contextmanager
def running(
    app: Any,
    timeouts: Timeouts | None = None,
    limits: Limits | None = None,
    parser: ParserFactory = Parser,
    names: Names | None = None,
    *,
    kind: str = "",
    busiest: int = 1000,
    finished: Finished | None = None,
    max_queue_time: float | None = None,
) -> Iterator[Running]:
    """Serve *app* for the length of a ``with``."""
    server = Running(
        app,
        kind or KIND,
        busiest,
        timeouts=timeouts,
        limits=limits,
        parser=parser,
        names=names,
        finished=finished,
        max_queue_time=max_queue_time,
    )
    try:
        yield server
    finally:
        server.stopping = True
        server.thread.join(20)


# --- Applications, and what they answer -----------------------------------------


def echo_path(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with the path."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode("latin-1")]


def large(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with 20 MB, or with the path."""
    if environ["PATH_INFO"] != "/large":
        return echo_path(environ, start_response)
    start_response("200 OK", [])
    return [b"x" * 20_000_000]


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The path, and the body behind it."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", PLAIN)
    return [environ["PATH_INFO"].encode() + body + b"."]


def name(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with the name of the thread, after as long as the path says."""
    time.sleep(float(environ["PATH_INFO"][1:] or 0))
    start_response("200 OK", [])
    return [threading.current_thread().name.encode() + b";"]


def send_file(environ: dict[str, Any], start_response: Any) -> Any:
    """Answer with a file of 1 MB."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it
    file.write(b"f" * 1_000_000)
    file.seek(0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](file)


def drip(sock: socket.socket) -> bytes:
    """Send a byte ten times a second, until an answer comes; return that."""
    sock.settimeout(0.1)
    while True:
        sock.sendall(b"x")
        try:
            return sock.recv(65536)
        except TimeoutError:
            continue


def statuses(data: bytes) -> list[int]:
    """Those of the final responses in *data*."""
    found = [int(text) for text in re.findall(rb"HTTP/1\.1 (\d\d\d) ", data)]
    return [status for status in found if status >= 200]
