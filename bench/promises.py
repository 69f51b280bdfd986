"""
What must hold whatever the peers do: figures beside the bar they must not pass.

``scripts/bench --promises asgi``; docs/benchmarks.md says what each one is.
"""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import client, procfs, raw_tcp, ws_client, ws_frames
from bench.environment import ROOT
from bench.peers import SERVERS
from bench.promise_apps import GIGABYTE
from bench.servers import DidNotStartError, Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.environment import Environment
    from bench.servers import Cores

WEBSOCKETS = 5000
WEBSOCKETS_BEFORE = 200  # opened first: buffers and pools that exist once
IDLE, IDLE_BEFORE = 2000, 200
SLEEPERS = 1000
SLOW = 50
WATCHED = 5.0  # seconds in which memory may grow
PATIENCE = 30.0


@dataclass(frozen=True)
class Figure:
    """What was measured, and what it must not exceed."""

    what: str
    value: float
    bar: float | None = None  # None: only to be known
    unit: str = ""

    def __str__(self) -> str:
        text = f"{self.what}: {self.value:,.2f} {self.unit}".rstrip()
        if self.bar is None:
            return text
        verdict = "held" if self.value <= self.bar else "MISSED"
        return f"{text} (at most {self.bar:g}: {verdict})"


@dataclass(frozen=True)
class Promise:
    """Something that must hold for the servers of some groups."""

    measured: Callable[[Running], list[Figure]]
    groups: tuple[str, ...]
    wsgi_app: str = "bench.promise_apps:wsgi"
    asgi_app: str = "bench.promise_apps:asgi"
    threads: int = 8

    def app(self, group: str) -> str:
        """Return the application for the servers of a group."""
        return self.asgi_app if group == "asgi" else self.wsgi_app


@dataclass(frozen=True)
class Alone:
    """Something that must hold, whose measurement starts the servers that it needs."""

    measured: Callable[[Environment, Cores], list[Figure]]
    groups: tuple[str, ...] = ()


def raw_echo(environment: Environment, cores: Cores) -> list[Figure]:
    """Echo 100 bytes on 50 connections, beside the same server by hand."""
    return [
        Figure(f"CPU time of {kind}, by that by hand", ratio, 1.1)
        for kind, ratio in raw_tcp.echo_ratios(environment, cores).items()
    ]


def websockets(server: Running) -> list[Figure]:
    """Open 5,000 WebSockets that said something once, and ask beside them."""
    return idle_websockets(server, deflate=False, bar=25_000)


def deflated_websockets(server: Running) -> list[Figure]:
    """The same with permessage-deflate, whose windows cost memory."""
    return idle_websockets(server, deflate=True, bar=60_000)


def idle_websockets(server: Running, *, deflate: bool, bar: float) -> list[Figure]:
    """Measure the memory of idle WebSockets and the patience of others."""
    client.warm_up(server.port, "GET", 0)
    worker = server.worker()
    with ExitStack() as stack:
        pongs = Pongs()
        pongs.start()
        stack.callback(pongs.stop)

        def opened(count: int) -> list[socket.socket]:
            socks = []
            for _ in range(count):
                socks.append(open_websocket(server, stack, deflate))
                pongs.add(socks[-1])
            return socks

        socks = opened(WEBSOCKETS_BEFORE)
        before = procfs.private(worker)
        socks += opened(WEBSOCKETS)
        grown = procfs.private(worker) - before
        p99 = client.probe(server.port)[1]
        lost = sum(not client.is_open(sock) for sock in socks)
    return [
        Figure("memory of each", grown * 1024 / WEBSOCKETS, bar, "B"),
        Figure("p99 of a normal client", p99, 30, "ms"),
        Figure("lost", lost, 0),
    ]


class Pongs(threading.Thread):
    """Answers the pings of idle WebSockets, without which a server drops them."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._socks: dict[int, socket.socket] = {}
        self._poll = select.epoll()
        self._over = False

    def add(self, sock: socket.socket) -> None:
        """Answer for one more."""
        sock.setblocking(False)
        self._socks[sock.fileno()] = sock
        self._poll.register(sock, select.EPOLLIN | select.EPOLLET)

    def run(self) -> None:
        """Answer until told to stop; what is closed is counted by others."""
        while not self._over:
            for number, _ in self._poll.poll(0.2):
                with suppress(OSError):
                    sock = self._socks[number]
                    if data := sock.recv(4096):
                        sock.send(ws_frames.pongs(data))

    def stop(self) -> None:
        """End, and wait for it."""
        self._over = True
        self.join()
        self._poll.close()


def open_websocket(server: Running, stack: ExitStack, deflate: bool) -> socket.socket:
    """Open a WebSocket and wait for one echo, so that all it needs is there."""
    sock = ws_client.connect(server.port, deflate=deflate)
    stack.callback(sock.close)
    sock.settimeout(PATIENCE)
    sock.sendall(ws_frames.frame(b"hello " * 20, deflate=deflate))
    if not sock.recv(4096):
        raise OSError("a WebSocket was closed")
    return sock


def stalled_download(server: Running) -> list[Figure]:
    """Ask for a gigabyte, stop reading after a tenth of it, and take the rest then."""
    for _ in range(5):
        with connected(server, b"GET /megabyte HTTP/1.0\r\n\r\n") as sock:
            read(sock, GIGABYTE)
    memory = Memory(server.worker())
    # Of a response to HTTP/1.0 the body is all that comes behind its head.
    with connected(server, b"GET /gigabyte HTTP/1.0\r\n\r\n") as sock:
        _, first = sock.recv(1 << 16).split(b"\r\n\r\n", 1)
        taken = len(first) + read(sock, GIGABYTE // 10)
        stalled = memory.watch()
        with memory.watched():
            taken += read(sock, 2 * GIGABYTE)
    return [
        Figure("memory grown while it stood", stalled, 1, "MB"),
        Figure("and while the rest passed", memory.grown(), 1, "MB"),
        Figure("missing", GIGABYTE - taken, 0, "B"),
    ]


def slow_upload(server: Running) -> list[Figure]:
    """Send a gigabyte, as fast as it is taken; slowly at first, then to its end."""
    client.warm_up(server.port, "POST", 500_000, 20)
    memory = Memory(server.worker())
    head = b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % GIGABYTE
    piece = memoryview(bytes(65_536))
    sent = 0

    def send() -> None:
        nonlocal sent
        with suppress(BlockingIOError):
            while sent < GIGABYTE:
                sent += sock.send(piece[: GIGABYTE - sent])

    with connected(server, head) as sock:
        sock.setblocking(False)
        slowly = memory.watch(meanwhile=send)
        meanwhile = sent
        sock.settimeout(PATIENCE)
        with memory.watched():
            send()
            answer = sock.recv(65_536)
    return [
        Figure("memory grown while it read slowly", slowly, 1, "MB"),
        Figure("sent meanwhile", meanwhile / 1e6, unit="MB"),
        Figure("memory grown while the rest passed", memory.grown(), 1, "MB"),
        Figure("missing", GIGABYTE - int(answer.rpartition(b"\n")[2]), 0, "B"),
    ]


def read(sock: socket.socket, size: int) -> int:
    """Read so much, or to the end if that comes first; return how much it was."""
    buffer = bytearray(1 << 18)
    left = size
    while left > 0 and (count := sock.recv_into(buffer, min(left, len(buffer)))):
        left -= count
    return size - left


class Memory:
    """By how much the private memory of a worker grows, in MB."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._before = self._most = procfs.private(worker)

    def grown(self) -> float:
        """Return the most that was seen since the last look."""
        most, self._most = self._most, self._before
        return (most - self._before) / 1000

    def look(self) -> None:
        """Measure once."""
        self._most = max(self._most, procfs.private(self._worker))

    def watch(self, meanwhile: Callable[[], None] = lambda: None) -> float:
        """Return the most within a while."""
        end = time.monotonic() + WATCHED
        while time.monotonic() < end:
            meanwhile()
            self.look()
            time.sleep(0.02)
        return self.grown()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Measure beside what the caller does."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.02):
                self.look()

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextmanager
def connected(server: Running, request: bytes) -> Iterator[socket.socket]:
    """Connect and send a request, or its beginning."""
    address = ("127.0.0.1", server.port)
    with closing(socket.create_connection(address, PATIENCE)) as sock:
        sock.sendall(request)
        yield sock


def sleepers(server: Running) -> list[Figure]:
    """Ask a thousand times at once for what takes 100 ms."""
    client.warm_up(server.port, "GET", 0)
    request = b"GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n"
    poll = select.epoll()
    with ExitStack() as stack, closing(poll):
        waiting: dict[int, socket.socket] = {}
        for _ in range(SLEEPERS):
            sock = stack.enter_context(connected(server, b""))
            waiting[sock.fileno()] = sock
            poll.register(sock, select.EPOLLIN)
        begin = time.perf_counter()
        for sock in waiting.values():
            sock.sendall(request)
        times: list[float] = []
        while waiting and time.perf_counter() < begin + PATIENCE:
            for number, _ in poll.poll(1):
                answered = waiting[number].recv(4096).startswith(b"HTTP/1.1 200")
                poll.unregister(waiting.pop(number))
                if answered:
                    times.append(time.perf_counter() - begin)
    last = 0.5 if SERVERS[server.name].group == "gevent" else 3.0
    times = times or [PATIENCE]
    return [
        Figure("all answered after", times[-1], last, "s"),
        Figure("p99", times[int(len(times) * 0.99)], unit="s"),
        Figure("lost", SLEEPERS - len(times), 0),
    ]


def idle(server: Running) -> list[Figure]:
    """Keep 2,000 connections open that say nothing, and ask beside them."""
    client.warm_up(server.port, "GET", 0)
    worker = server.worker()
    with client.IdleConnections(server.port) as waiting:
        waiting.open(IDLE_BEFORE)
        before = procfs.private(worker)
        waiting.open(IDLE)
        grown = procfs.private(worker) - before
        p99 = client.probe(server.port)[1]
        lost = IDLE_BEFORE + IDLE - waiting.alive()
    bar = 16_384 if SERVERS[server.name].group == "gevent" else 4096
    return [
        Figure("memory of each", grown * 1024 / IDLE, bar, "B"),
        Figure("p99 of a normal client", p99, 20, "ms"),
        Figure("lost", lost, 0),
    ]


def slow_clients(server: Running) -> list[Figure]:
    """Let 50 upload a byte per second and 50 read slowly; 4 threads serve all."""
    client.warm_up(server.port, "GET", 0)
    command = ["taskset", "-c", str(server.cores.client), sys.executable, "-m"]
    command += ["bench.slow_clients", str(server.port), "/stream", str(SLOW), "upload"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as crowd:
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        crowd.stdout.readline()
        p99 = client.probe(server.port)[1]
        crowd.stdin.close()
        readers, senders = map(int, crowd.stdout.readline().split())
    return [
        Figure("p99 of a normal client", p99, 50, "ms"),
        Figure("slow clients dropped", 2 * SLOW - readers - senders),
    ]


ECHO = "bench.asgi_apps:echo"
PROMISES: dict[str, Promise | Alone] = {
    "websockets": Promise(websockets, ("asgi",), asgi_app=ECHO),
    "deflated-websockets": Promise(deflated_websockets, ("asgi",), asgi_app=ECHO),
    "stalled-download": Promise(stalled_download, ("asgi",)),
    "slow-upload": Promise(slow_upload, ("asgi",)),
    "sleepers": Promise(sleepers, ("threads", "gevent"), threads=50),
    "idle-clients": Promise(idle, ("threads", "gevent")),
    "slow-clients": Promise(slow_clients, ("threads", "gevent"), threads=4),
    "raw-echo": Alone(raw_echo),
}


def run(
    names: Sequence[str],
    servers: Sequence[str],
    environment: Environment,
    cores: Cores,
) -> int:
    """Measure promises of servers, each freshly started; return an exit status."""
    missed = 0
    for name in names:
        promise = PROMISES[name]
        if isinstance(promise, Alone):
            missed += told(name, lambda p=promise: p.measured(environment, cores))  # type: ignore[misc]
            continue
        for server in servers:
            if SERVERS[server].group in promise.groups:
                about = promise, server, environment, cores
                missed += told(
                    f"{name}, {server}",
                    lambda about=about: measured(*about),  # type: ignore[misc]
                )
    return 1 if missed else 0


def measured(
    promise: Promise, server: str, environment: Environment, cores: Cores
) -> list[Figure]:
    """Start a server and measure it."""
    app = promise.app(SERVERS[server].group)
    with Running(server, app, environment, cores, promise.threads) as running:
        return promise.measured(running)


def told(about: str, measure: Callable[[], list[Figure]]) -> int:
    """Print figures; return how many bars were missed."""
    try:
        figures = measure()
    except (DidNotStartError, OSError, RuntimeError, ValueError) as error:
        print(f"{about}: not measured, {str(error) or repr(error)}")
        return int(not isinstance(error, DidNotStartError))
    for figure in figures:
        print(f"{about}: {figure}", flush=True)
    return sum("MISSED" in str(figure) for figure in figures)
