"""One measurement of one server; run.py decides which, and how often."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import client, procfs, wrk
from bench.environment import ROOT

if TYPE_CHECKING:
    from bench.scenarios import Scenario
    from bench.servers import Running

SLOW = "200"  # of each kind
IDLE_FOR_MEMORY = 2000
IDLE_BEFORE = 200  # opened first: buffers and pools that exist once


@dataclass(frozen=True)
class Load:
    """A server under load."""

    cpu_us: float  # CPU time of the whole family per request, in microseconds
    rate: float  # requests per second
    p99_ms: float
    pss_mb: float  # of the worker
    family_pss_mb: float
    errors: int
    idle: int  # idle connections that were still open afterwards


@dataclass(frozen=True)
class Memory:
    """What idle kept-alive connections cost the worker."""

    kept: int
    bytes_each: float | None  # None if the server keeps none


@dataclass(frozen=True)
class Slow:
    """A normal client's answer times, without and with slow clients."""

    p50_before_ms: float
    p50_ms: float
    p99_before_ms: float
    p99_ms: float
    readers: int  # still connected at the end, of 200
    senders: int

    @property
    def added_ms(self) -> float:
        """What the slow clients add to the 99th percentile."""
        return self.p99_ms - self.p99_before_ms


def load(server: Running, scenario: Scenario, seconds: int) -> Load:
    """Put load on a server, and read its CPU time before and after."""
    request = scenario.request
    client.warm_up(server.port, request.method, request.body_size, tls=scenario.tls)
    with client.IdleConnections(server.port) as waiting:
        waiting.open(scenario.idle)
        before = server.cpu_time()
        if scenario.message_size:
            size = scenario.message_size
            figures = wrk.echo(server.port, size, seconds, server.cores.client)
        else:
            figures = wrk.run(server.url, request, seconds, server.cores.client)
        spent = server.cpu_time() - before
        return Load(
            cpu_us=spent / 1000 / max(figures.requests, 1),
            rate=figures.requests / figures.seconds,
            p99_ms=figures.p99_ms,
            pss_mb=procfs.pss(server.worker()) / 1000,
            family_pss_mb=sum(map(procfs.pss, server.family())) / 1000,
            errors=figures.errors,
            idle=waiting.alive(),
        )


def memory(server: Running) -> Memory:
    """Open idle connections and see by how much the worker's own memory grows."""
    client.warm_up(server.port, "GET", 0)
    worker = server.worker()
    with client.IdleConnections(server.port) as waiting:
        waiting.open(IDLE_BEFORE)
        before = procfs.private(worker)
        kept_before = waiting.alive()
        waiting.open(IDLE_FOR_MEMORY)
        grown = procfs.private(worker) - before
        kept = waiting.alive() - kept_before
    return Memory(kept, grown * 1024 / kept if kept > 0 else None)


def slow(server: Running, path: str) -> Slow:
    """Let slow clients arrive, then ask as a normal client does."""
    client.warm_up(server.port, "GET", 0)
    p50_before, p99_before = client.probe(server.port)
    command = ["taskset", "-c", str(server.cores.client), sys.executable, "-m"]
    crowd = subprocess.Popen(
        [*command, "bench.slow_clients", str(server.port), path, SLOW, "head"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert crowd.stdin is not None
    assert crowd.stdout is not None
    with crowd:
        crowd.stdout.readline()
        p50, p99 = client.probe(server.port)
        crowd.stdin.close()
        readers, senders = map(int, crowd.stdout.readline().split())
    return Slow(p50_before, p50, p99_before, p99, readers, senders)
