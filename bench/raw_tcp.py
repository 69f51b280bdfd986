"""What worker scripts cost beside the same servers of asyncio, run by hand."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from statistics import median
from typing import TYPE_CHECKING

from bench import procfs, wrk
from bench.environment import ROOT
from bench.servers import DidNotStartError, clean_environ, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.environment import Environment
    from bench.servers import Cores

KINDS = ("streams", "protocol")
SIZE = 100  # bytes of a message
ROUNDS = 5
SECONDS = 3  # of each turn
PATIENCE = 60.0  # seconds until a server must take connections, or have ended

TIAMAT = (
    "{bin}/tiamat -k tcp -w 1 -b 127.0.0.1:{port} --asgi-loop asyncio"
    " --log-level warning bench.raw_apps:{kind}"
)
BY_HAND = "{bin}/python -m bench.raw_apps {port} {kind}"


def echo_ratios(environment: Environment, cores: Cores) -> dict[str, float]:
    """
    Let 50 connections have 100 bytes echoed, by Tiamat and by hand in turn.

    Returns:
        For each kind of server: CPU time of all our processes per message, divided by
        that of the server by hand; the median of the rounds.

    Raises:
        DidNotStartError: one takes no connections.
        RuntimeError: an echo failed.
    """
    ratios = {}
    for kind in KINDS:
        rounds = []
        for _ in range(ROUNDS):
            ours, by_hand = (
                cpu_per_message(command, kind, environment, cores)
                for command in (TIAMAT, BY_HAND)
            )
            rounds.append(ours / by_hand)
        ratios[kind] = median(rounds)
    return ratios


def cpu_per_message(
    command: str, kind: str, environment: Environment, cores: Cores
) -> float:
    """Measure one server once, in nanoseconds."""
    port = free_port()
    words = command.format(bin=environment.bin, port=port, kind=kind)
    with running(words, port, cores) as pid:
        wrk.echo(port, SIZE, 1, cores.client, raw=True)  # warm it up
        before = sum(map(procfs.cpu_time, procfs.family(pid)))
        figures = wrk.echo(port, SIZE, SECONDS, cores.client, raw=True)
        spent = sum(map(procfs.cpu_time, procfs.family(pid))) - before
    if figures.errors or not figures.requests:
        raise RuntimeError(f"{figures.errors} of {figures.requests} echoes failed")
    return spent / figures.requests


@contextmanager
def running(command: str, port: int, cores: Cores) -> Iterator[int]:
    """Start a server on its core, wait until it takes connections; its pid."""
    process = subprocess.Popen(
        ["taskset", "-c", str(cores.server), *command.split()],
        cwd=ROOT,
        env=clean_environ(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not takes_connections(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise DidNotStartError(f"{command} takes no connections")
            time.sleep(0.02)
        yield process.pid
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        process.kill()


def takes_connections(port: int) -> bool:
    """Tell whether somebody echoes there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(b"ready?")
        return bool(sock.recv(6))
    return False
