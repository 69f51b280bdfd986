"""The master as a whole: what it says, which hooks it calls, how it ends."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from children import child
from conftest import Serve
from running import LIMIT, wait_until

from tiamat import __version__
from tiamat.config import Config
from tiamat.master.arbiter import Arbiter
from tiamat.master.gate import Gate

HOOKS = """
def note(*words):
    with open("notes", "a") as file:
        print(*words, file=file)

def on_starting(server):
    note("on_starting")

def when_ready(server):
    note("when_ready", len(server.LISTENERS))

def nworkers_changed(server, new, old):
    note("nworkers_changed", new, old)

def pre_fork(server, worker):
    note("pre_fork", worker.slot)

def child_exit(server, worker):
    note("child_exit", worker.slot)

def on_exit(server):
    note("on_exit")
"""


def test_the_first_lines_say_what_a_person_wants_to_know(serve: Serve) -> None:
    """Version, pid, address, application, workers; then who serves."""
    server = serve("apps.pid:app", "--workers=2")
    server.wait_for_log("serves\n", times=2)
    # Behind them may be a warning: who tests as root serves as root.
    lines = [line.partition("] [INFO] ")[2] for line in server.log.splitlines()]
    host, port = server.address

    assert lines[0].startswith(f"Tiamat {__version__} on Python ")
    assert lines[0].endswith(f", pid {server.pid}")
    assert [
        f"listening on http://{host}:{port}",
        "serving apps.pid:app with 2 workers",
    ] == lines[1:3]


def test_hooks_of_the_master_come_in_gunicorn_s_order(serve: Serve) -> None:
    """The sockets are bound before when_ready, and that is before any worker."""
    server = serve("apps.pid:app", config=HOOKS)
    server.get()

    assert 0 == server.stop()
    assert [
        "nworkers_changed 1 None",
        "on_starting",
        "when_ready 1",
        "pre_fork 0",
        "child_exit 0",
        "on_exit",
    ] == (server.directory / "notes").read_text().splitlines()


def test_a_hook_that_refuses_the_start_ends_it(serve: Serve) -> None:
    """on_starting comes first, so that it can."""
    server = serve(
        "apps.pid:app",
        config="def on_starting(server):\n    raise SystemExit(7)\n",
    )

    assert 7 == server.wait_for_exit()
    assert [] == server.workers()
    assert "serves" not in server.log


def test_the_pid_file_lives_as_long_as_the_master(serve: Serve, tmp_path: Path) -> None:
    """A second server with the same file does not start, and says why."""
    path = tmp_path / "tiamat.pid"
    server = serve("apps.pid:app", f"--pid={path}")
    server.get()

    assert f"{server.pid}\n" == path.read_text()

    second = serve("apps.pid:app", f"--pid={path}")

    assert 1 == second.wait_for_exit()
    assert f"belongs to a running server, pid {server.pid}" in second.output
    assert f"{server.pid}\n" == path.read_text()

    server.stop()

    assert not path.exists()


def test_a_process_of_somebody_else_is_reaped_and_no_more(serve: Serve) -> None:
    """A hook may have started it, or we are pid 1 of a container."""
    server = serve(
        "apps.pid:app",
        config="import os\n"
        "def when_ready(server):\n"
        "    if os.fork() == 0:\n"
        "        os._exit(5)\n",
    )
    server.get()
    wait_until(lambda: 1 == len(server.workers()), "only the worker is left")

    assert 200 == server.get().status


@pytest.fixture
def arbiter(tmp_path: Path) -> Iterator[Arbiter]:
    """One that does not run."""
    one = Arbiter(Config(workers=1, errorlog=str(tmp_path / "log")))
    one.premises.open_log()
    yield one
    one.stop()


def test_a_master_that_has_slept_gives_a_check_its_time_back(
    arbiter: Arbiter, tmp_path: Path
) -> None:
    """The candidate may have slept, too."""
    directory = tmp_path / "child"
    directory.mkdir()
    config = Config(reload_check_timeout=7)
    with child(directory, config=config) as one:
        arbiter.reload.gate = Gate(one.forked, time.monotonic() - 3600)
        arbiter.wait()
        deadline = arbiter.reload.gate.deadline
        arbiter.reload.gate = None

    assert deadline >= time.monotonic() - LIMIT


def test_a_master_that_has_slept_gives_a_new_one_its_time_back(
    arbiter: Arbiter,
) -> None:
    """It came to serve as late as this one looks for it."""
    arbiter.handover.until = time.monotonic() - 3600
    arbiter.wait()
    until, arbiter.handover.until = arbiter.handover.until, math.inf

    assert until >= time.monotonic() - LIMIT
