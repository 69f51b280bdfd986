"""All that is done to a server in a year, in some minutes, and nobody notices."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from asking import begin as begin_ctl
from asking import workers_of
from conftest import Serve
from kinds import KINDS
from masters import masters, named_in, stop_all
from running import LIMIT, Load, Server, ended, some_path, wait_until

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

SETTINGS = """
reload_watch = 0
reexec_mode = "auto"
max_surge = {surge}
max_requests = {requests}
"""

FEW, MANY = 20, 10**9

PATIENCE = 300.0
"""Seconds that a command may take: a reload imports twice, perhaps beside much else."""


class Course:
    """
    What a server is led through, and whoever is its master meanwhile.

    Attributes:
        server: it, with all masters that it has had.
    """

    def __init__(self, server: Server, pidfile: Path, control: Path) -> None:
        self.server = server
        self.pidfile = pidfile
        self.control = control

    @property
    def master(self) -> int:
        """Who serves now."""
        return named_in(self.pidfile)

    def ask(self, *words: str) -> None:
        """Tell the master something; it agrees."""
        asked = begin_ctl(self.control, *words)
        text, _ = asked.communicate(timeout=PATIENCE)

        assert 0 == asked.returncode, f"{words}: {text}{self.server.log}"

    def reload(self, count: int) -> None:
        """Reload so many times, each time to the end."""
        for _ in range(count):
            self.ask("reload", "--wait")

    def re_exec(self, count: int) -> None:
        """Have so many new masters, one after the other."""
        for _ in range(count):
            old, number = self.master, len(masters(self.server))
            os.kill(old, signal.SIGUSR2)
            self.server.wait_for_log("the old master has retired", number)
            if old == self.server.pid:
                assert 0 == self.server.process.wait(LIMIT)
            wait_until(lambda old=old: ended(old), "the old master goes")  # type: ignore[misc]
            self.server.wait_for_log("this one takes its place", number)

    def scale(self, *counts: int) -> None:
        """Have so many workers, and wait until they all serve."""
        for count in counts:
            self.ask("scale", str(count))
            self.wait_until_all_serve(count)

    def wait_until_all_serve(self, count: int) -> None:
        """Wait until every slot is served, and there are no more; some may drain."""

        def is_so() -> bool:
            workers = workers_of(self.control)
            slots = {w["slot"] for w in workers if w["state"] == "serving"}
            return slots == {*range(count)}

        wait_until(is_so, f"{count} workers serve")

    def recycle(self, count: int) -> None:
        """Wait until so many workers more are replaced, since they answered enough."""
        done = self.server.log.count("retires: max_requests")
        for number in range(done + 1, done + count + 1):
            self.server.wait_for_log("retires: max_requests", number)

    def use(self, surge: int, requests: int) -> None:
        """Reload to these settings."""
        text = SETTINGS.format(surge=surge, requests=requests)
        self.server.config_path.write_text(text)
        self.reload(1)


def begin(serve: Serve, tmp_path: Path, kind: str, wait: float) -> Course:
    """A server with two workers, whose application takes *wait* seconds to import."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "import_seconds").write_text(str(wait))
    pidfile, control = tmp_path / "pid", tmp_path / "c" / "control"
    app, *flags = KINDS[kind]
    server = serve(
        f"apps.varied:{app}",
        *("--workers=2", f"--pid={pidfile}", f"--control-socket={control}"),
        *("--keep-alive=60", "--graceful-timeout=60", *flags),
        bind="127.0.0.1:0",
        config=SETTINGS.format(surge=1, requests=MANY),
    )
    server.wait_for_log("serves", times=2)
    return Course(server, pidfile, control)


@contextmanager
def wrk(address: tuple[str, int]) -> Iterator[None]:
    """Connections of a program in C, which fails for none of its requests."""
    host, port = address
    command = ["wrk", "-t1", "-c2", "-d3600", "--timeout=60"]
    process = subprocess.Popen(
        [*command, f"http://{host}:{port}/?0.01"], stdout=subprocess.PIPE, text=True
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=LIMIT)

    assert re.search(r"[1-9]\d* requests in", text), text
    assert "Socket errors" not in text
    assert "Non-2xx" not in text


@linux
@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(0.0, id="light"),
        pytest.param(5.0, id="heavy", marks=pytest.mark.waits),
    ],
)
@pytest.mark.timeout(1200)
def test_a_year_in_some_minutes_loses_no_request(
    serve: Serve, tmp_path: Path, kind: str, wait: float
) -> None:
    """
    20 reloads, 5 re-execs, 50 recycles, and from 2 workers to 6 and back.

    The heavy application takes 5 s to import.
    """
    course = begin(serve, tmp_path, kind, wait)
    address = course.server.address
    try:
        with Load(address, some_path, clients=40) as load, wrk(address):
            course.reload(18)
            course.use(surge=6, requests=FEW)
            course.scale(3, 4, 5, 6)
            course.recycle(50)
            course.scale(5, 4, 3, 2)
            course.use(surge=1, requests=MANY)
            course.re_exec(5)
            course.wait_until_all_serve(2)
            load.wait_for_requests()
    finally:
        stop_all(course.server)

    assert [] == load.losses
    assert not course.pidfile.exists()


@linux
def test_a_week_in_some_seconds_loses_no_request(serve: Serve, tmp_path: Path) -> None:
    """One of each."""
    course = begin(serve, tmp_path, "sync", 0.0)
    try:
        with Load(course.server.address, some_path, clients=8) as load:
            course.use(surge=1, requests=FEW)
            course.scale(3)
            course.recycle(1)
            course.scale(2)
            course.re_exec(1)
            course.wait_until_all_serve(2)
            load.wait_for_requests()
    finally:
        stop_all(course.server)

    assert [] == load.losses
