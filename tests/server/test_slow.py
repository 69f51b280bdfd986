"""Silent and slow clients by the thousand, and who is served beside them."""

import contextlib
import csv
import http.client
import os
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Serve
from kinds import KINDS
from programs import need
from running import LIMIT, Server, wait_until

from tiamat.system.process import raise_descriptor_limit

ATTACKS = {
    "head": ("-H", "-i", "5", "-x", "24"),
    "body": ("-B", "-i", "5", "-s", "8192", "-x", "10"),
    "read": ("-X", "-w", "1", "-y", "512", "-n", "5", "-z", "32", "-k", "3"),
}
"""slowhttptest's: Slowloris, R-U-Dead-Yet, and readers with tiny windows."""


def begin(serve: Serve, kind: str, *flags: str) -> Server:
    """One worker that serves, of a class."""
    app, *others = KINDS[kind]
    server = serve(f"apps.patient:{app}", *others, *flags)
    server.wait_for_log("serves")
    return server


@contextlib.contextmanager
def silent(server: Server, count: int) -> Iterator[None]:
    """So many connections of which nothing comes, all of them with the worker."""
    if raise_descriptor_limit() < count + 200:
        pytest.skip("this machine allows too few open files")
    (worker,) = server.workers()
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            sock = socket.create_connection(server.address, timeout=LIMIT)
            stack.enter_context(sock)
        wait_until(
            lambda: len(os.listdir(f"/proc/{worker}/fd")) >= count, "all are accepted"
        )
        yield


def ask(server: Server, count: int) -> list[float]:
    """Ask so often, each on a connection of its own; how many seconds each took."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        connection = http.client.HTTPConnection(*server.address, timeout=LIMIT)
        connection.request("GET", "/")
        response = connection.getresponse()
        body = response.read()
        connection.close()
        times.append(time.perf_counter() - began)
        assert (200, b"ok") == (response.status, body)
    return times


@pytest.mark.parametrize("kind", KINDS)
def test_everybody_is_served_beside_a_thousand_who_say_nothing(
    serve: Serve, kind: str
) -> None:
    """They cost the worker a descriptor each, and nothing else."""
    server = begin(serve, kind, "--header-timeout=300")
    with silent(server, 1000):
        ask(server, 100)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_who_say_nothing_are_not_noticed(serve: Serve, kind: str) -> None:
    """Nine of ten and 99 of a hundred are served within a few milliseconds."""
    server = begin(serve, kind, "--header-timeout=300")
    before = statistics.quantiles(ask(server, 1000), n=100)
    with silent(server, 10_000):
        times = statistics.quantiles(ask(server, 2000), n=100)
    print(
        f"\n{kind}: 10,000 silent: p50 {times[49] * 1e3:.1f} ms, "
        f"p99 {times[98] * 1e3:.1f} ms (without: p50 {before[49] * 1e3:.1f} ms, "
        f"p99 {before[98] * 1e3:.1f} ms)"
    )

    assert times[98] < 1.0


@pytest.mark.soak
@pytest.mark.waits
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(300)
def test_a_thousand_slow_clients_lock_nobody_out(
    serve: Serve, tmp_path: Path, kind: str, attack: str
) -> None:
    """By slowhttptest's own report the service is available all the time."""
    program = need("slowhttptest")
    raise_descriptor_limit()
    server = begin(serve, kind)
    host, port = server.address
    path = "large" if attack == "read" else ""
    done = subprocess.run(
        [
            *(program, "-c", "1000", "-r", "100", "-l", "40", "-p", "5"),
            *ATTACKS[attack],
            *("-u", f"http://{host}:{port}/{path}", "-g", "-o", str(tmp_path / "out")),
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    down = [row["Seconds"] for row in rows if row["Service Available"] == "0"]
    most = max(int(row["Connected"]) for row in rows)
    print(f"\n{kind}, {attack}: {len(rows)} s, at most {most} open, down in {down}")

    assert rows, done.stdout + done.stderr
    assert not down
