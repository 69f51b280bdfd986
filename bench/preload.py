"""
What workers share: their memory with and without ``preload_app``.

``scripts/bench --preload``; the table is the one of docs/preload.md.
"""

from __future__ import annotations

import http.client
import subprocess
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench import procfs
from bench.environment import ROOT
from bench.servers import clean_environ, free_port

if TYPE_CHECKING:
    from bench.environment import Environment

WORKERS = 4
REQUESTS = 200  # that each worker answers
CLIENTS = 4 * WORKERS  # at a time: one after the other would all have one worker
BATCH = WORKERS * REQUESTS
BATCHES = 20  # of requests, until we give up
START_LIMIT = 60.0


@dataclass(frozen=True)
class Site:
    """A site, and the page of it that is asked for."""

    title: str
    app: str
    worker: str
    path: str


SITES = (
    Site("Django, sync", "bench.django_app:app", "sync", "/admin/login/"),
    Site("Django, gevent", "bench.django_app:app", "gevent", "/admin/login/"),
    Site("FastAPI, asgi", "bench.fastapi_app:app", "asgi", "/"),
)


@dataclass(frozen=True)
class Shares:
    """Memory in kB, after the requests."""

    pss: float  # of a worker, the median
    private: float  # of a worker, the median
    everything: int  # all processes together


def run(environment: Environment, rounds: int) -> int:
    """Measure all sites and print the table; return an exit status."""
    print("| | PSS of a worker | private, of a worker | all processes |")
    print("|---|--:|--:|--:|")
    for site in SITES:
        for preload in (False, True):
            found = [measure(environment, site, preload) for _ in range(rounds)]
            cells = (
                median([shares.pss for shares in found]),
                median([shares.private for shares in found]),
                median([shares.everything for shares in found]),
            )
            words = f"{site.title}{', `preload_app`' if preload else ''}"
            print(f"| {words} |", " | ".join(f"{c / 1024:.1f} MB" for c in cells), "|")
    return 0


def measure(environment: Environment, site: Site, preload: bool) -> Shares:
    """Start a server, have each worker answer, and look at its memory."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        access = Path(folder, "access.log")
        process = subprocess.Popen(
            [
                *(environment.bin / "tiamat", site.app, "-k", site.worker),
                *("-w", str(WORKERS), "-b", f"127.0.0.1:{port}"),
                *("--access-logfile", access, "--access-logformat", "%(p)s"),
                *("--log-level", "warning", *(["--preload"] if preload else [])),
            ],
            cwd=ROOT,
            env=clean_environ(),
        )
        try:
            workers = ask(port, site.path, access)
            family = procfs.family(process.pid)
            return Shares(
                median([procfs.pss(pid) for pid in workers]),
                median([procfs.private(pid) for pid in workers]),
                sum(map(procfs.pss, family)),
            )
        finally:
            process.terminate()
            process.wait()


def ask(port: int, path: str, access: Path) -> list[int]:
    """
    Send requests until every worker has answered its share; return their pids.

    Raises:
        RuntimeError: they don't come to do so.
    """
    wait(port, path)
    for _ in range(BATCHES):
        with ThreadPoolExecutor(CLIENTS) as pool:
            for _ in pool.map(answer, [port] * BATCH, [path] * BATCH):
                pass
        counts = Counter(access.read_text().split())
        if len(counts) == WORKERS and min(counts.values()) >= REQUESTS:
            return [int(word.strip("<>")) for word in counts]
    raise RuntimeError(f"not every worker answers: {counts}")


def wait(port: int, path: str) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + START_LIMIT
    while True:
        try:
            return answer(port, path)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def answer(port: int, path: str) -> None:
    """Send a request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"{path} is answered with {response.status}")
    finally:
        connection.close()
