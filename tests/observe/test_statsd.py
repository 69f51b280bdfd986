"""Figures to a statsd daemon, with real sockets."""

import os
import re
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from conftest import Serve
from kinds import KINDS
from running import LIMIT

from tiamat.config import Config
from tiamat.errors import ConfigError
from tiamat.observe.statsd import DATAGRAM, ENOUGH, Statsd, split


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is closed at the end."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def daemon(stack: ExitStack, tmp_path: Path) -> socket.socket:
    """A statsd daemon's socket, at the path ``statsd``."""
    sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    sock.settimeout(LIMIT)
    sock.bind(str(tmp_path / "statsd"))
    return sock


@contextmanager
def closed_port() -> Iterator[int]:
    """A port of UDP that answers with an error: its socket talks to somebody else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(("127.0.0.1", 9))
        yield sock.getsockname()[1]


def test_the_figures_of_a_second_are_one_datagram(
    stack: ExitStack, daemon: socket.socket, tmp_path: Path
) -> None:
    """Counters added up, each length of time told; with prefix and tags."""
    statsd = Statsd(f"unix://{tmp_path}/statsd", "site.", "env:prod,x")
    stack.callback(statsd.close)

    statsd.request(200, 0.0125)
    statsd.request(200, 1.0)
    statsd.request(404, 0.5)
    statsd.gauge("mine", 3)
    statsd.tick(1000.0)
    statsd.increment("other", 1)
    statsd.tick(1000.5)
    statsd.tick(1001.0)

    first, second = daemon.recv(9999).decode(), daemon.recv(9999).decode()
    assert [
        "site.gunicorn.request.duration:12.500|ms|#env:prod,x",
        "site.gunicorn.request.duration:1000.000|ms|#env:prod,x",
        "site.gunicorn.request.duration:500.000|ms|#env:prod,x",
        "site.gunicorn.requests:3|c|@1.0|#env:prod,x",
        "site.gunicorn.request.status.200:2|c|@1.0|#env:prod,x",
        "site.gunicorn.request.status.404:1|c|@1.0|#env:prod,x",
        "site.mine:3|g|#env:prod,x",
    ] == first.split("\n")
    assert "site.other:1|c|@1.0|#env:prod,x" == second


def test_many_requests_wait_for_no_second(
    stack: ExitStack, daemon: socket.socket, tmp_path: Path
) -> None:
    """A daemon's buffer would not hold those of a busy second; none is too long."""
    statsd = Statsd(f"unix://{tmp_path}/statsd", "x" * 40)
    stack.callback(statsd.close)

    for _ in range(ENOUGH):
        statsd.request(200, 0.1)

    first, second = daemon.recv(9999), daemon.recv(9999)
    assert max(len(first), len(second)) <= DATAGRAM
    assert ENOUGH + 2 == len((first + b"\n" + second).splitlines())


def test_a_daemon_that_is_not_there_is_no_trouble(stack: ExitStack) -> None:
    """And one that comes later is found."""
    statsd = Statsd("unix:///no/such/socket")
    stack.callback(statsd.close)

    statsd.gauge("mine", 1)
    statsd.send()

    assert statsd.sock is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_threads_find_out_together_that_nobody_is_there(stack: ExitStack) -> None:
    """Who closes the socket takes it away from nobody who is about to send."""
    port = stack.enter_context(closed_port())
    statsd = Statsd(f"127.0.0.1:{port}")
    stack.callback(statsd.close)
    stack.callback(sys.setswitchinterval, sys.getswitchinterval())
    sys.setswitchinterval(1e-6)

    def send(_: int) -> None:
        for _ in range(500):
            statsd.send_datagram(b"a:1|c")

    with ThreadPoolExecutor(4) as pool:
        assert [None] * 4 == list(pool.map(send, range(4)))


def test_udp_is_sent_to_host_and_port(stack: ExitStack) -> None:
    """The usual daemon."""
    sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.settimeout(LIMIT)
    sock.bind(("127.0.0.1", 0))
    statsd = Statsd(f"127.0.0.1:{sock.getsockname()[1]}")
    stack.callback(statsd.close)

    statsd.timer("mine", 5)
    statsd.histogram("mine", 6)
    statsd.send()

    assert b"mine:5|ms\nmine:6|h" == sock.recv(9999)


def test_what_waits_is_not_sent_by_a_child_again(
    stack: ExitStack, daemon: socket.socket, tmp_path: Path
) -> None:
    """Each figure is told once."""
    statsd = Statsd(f"unix://{tmp_path}/statsd")
    stack.callback(statsd.close)
    statsd.gauge("mine", 1)

    if (pid := os.fork()) == 0:
        os._exit(len(statsd.lines))
    status = os.waitpid(pid, 0)[1]

    assert 0 == status
    assert 1 == len(statsd.lines)


@pytest.mark.parametrize("text", ["localhost", "unix://", "a:b", "a:99999", "x/y:1"])
def test_what_is_no_address_is_told(text: str) -> None:
    """At the start, with the setting."""
    with pytest.raises(ConfigError, match=r"statsd_host = .* is no address"):
        Config(statsd_host=text)


def test_addresses_are_gunicorn_s() -> None:
    """Host and port, or a path."""
    found = [split(text) for text in ("a:8125", "[::1]:1", "unix:///run/statsd")]

    assert [("a", 8125), ("::1", 1), "/run/statsd"] == found


OTHERS = [
    pytest.param(kind, marks=pytest.mark.soak) for kind in ("threads", "gevent", "h11")
]


@pytest.mark.parametrize("kind", ["sync", "asgi", *OTHERS])
def test_a_server_tells_its_requests_and_workers(
    serve: Serve, daemon: socket.socket, tmp_path: Path, kind: str
) -> None:
    """Every class of workers, and the master; at the end nothing is missing."""
    name, *flags = KINDS[kind]
    server = serve(
        f"apps.varied:{name}",
        *(f"--statsd-host=unix://{tmp_path}/statsd", "--enable-backlog-metric", *flags),
    )
    for _ in range(3):
        server.get()

    found = ""

    def answered() -> int:
        return sum(map(int, re.findall(r"gunicorn\.requests:(\d+)\|c", found)))

    while answered() < 3 or "gunicorn.workers:1|g" not in found:
        found += daemon.recv(9999).decode() + "\n"

    assert 3 == answered() == len(re.findall(r"request\.duration:[\d.]+\|ms", found))
    assert re.search(r"gunicorn\.backlog:\d+\|h", found)
