"""The life of a worker: what it says, what it hears, when it goes."""

import math
import os
import signal
from pathlib import Path

import pytest
from children import child
from conftest import Serve
from running import LIMIT

from tiamat.config import Config
from tiamat.errors import AppError
from tiamat.system.messages import Failed, Retiring
from tiamat.system.signals import Wakeup
from tiamat.workers.base import jittered

HOOKS = """
def note(*words):
    with open("notes", "a") as file:
        print(*words, file=file)

def post_fork(server, worker):
    note("post_fork", worker.pid == os.getpid(), worker.app)

def post_worker_init(worker):
    note("post_worker_init", callable(worker.app))

def worker_int(worker):
    note("worker_int")

def worker_exit(server, worker):
    note("worker_exit", worker.alive)

import os
"""


def test_a_worker_has_gunicorn_s_attributes(tmp_path: Path) -> None:
    """What hooks in the field use, as it is before the fork."""
    with child(tmp_path) as one:
        worker = one.worker

        assert worker.cfg is worker.config
        assert worker.sockets is worker.listeners
        assert os.getpid() == worker.ppid
        assert (0, 0, 1) == (worker.pid, worker.nr, worker.age)
        assert (True, False, False) == (worker.alive, worker.booted, worker.aborted)
        assert worker.app is None
        assert "worker 3 gen=2 pid=?" == str(worker)


def test_max_requests_asks_for_a_replacement_once(tmp_path: Path) -> None:
    """The worker goes on serving: it is the master that says when to drain."""
    with child(tmp_path, config=Config(max_requests=3)) as one:
        for _ in range(2):
            one.worker.count_request()

        assert one.forked.channel.receive() is None

        for _ in range(3):
            one.worker.count_request()

        assert Retiring("max_requests") == one.forked.channel.receive()
        assert one.forked.channel.receive() is None
        assert one.worker.alive
        assert 5 == one.worker.nr


def test_jitter_spreads_the_replacements() -> None:
    """Else all workers would be replaced in the same moment."""
    config = Config(max_requests=10, max_requests_jitter=5)

    assert set(range(10, 16)) == {jittered(config) for _ in range(1000)}
    assert math.inf == jittered(Config(max_requests_jitter=5))


def test_without_a_stop_there_is_no_deadline(tmp_path: Path) -> None:
    """It is infinite until the worker is told to go."""
    with child(tmp_path) as one:
        assert math.inf == one.worker.deadline()


def test_a_worker_says_why_it_can_not_boot(tmp_path: Path) -> None:
    """To the master, with what the application raised; it is the one that logs."""
    with child(tmp_path) as one:
        try:
            raise LookupError("no registry")
        except LookupError as cause:
            error = AppError("can't load shop:app")
            error.__cause__ = cause
        one.worker.fail(error)

        message = one.forked.channel.receive()

        assert isinstance(message, Failed)
        assert 4 == message.status
        assert message.text.startswith("can't load shop:app\nTraceback")
        assert message.text.endswith("LookupError: no registry")
        assert "" == one.logged


def test_a_drain_has_its_time_and_no_more(tmp_path: Path) -> None:
    """A second order does not give more, but may ask for the kernel's queue."""
    with child(tmp_path, config=Config(graceful_timeout=30)) as one:
        one.worker.wakeup = Wakeup()
        one.worker.drain()
        first = one.worker.deadline()
        one.worker.drain(final=True)
        one.worker.wakeup.close()

        assert first == one.worker.deadline()
        assert first < math.inf
        assert not one.worker.alive
        assert one.worker.final


@pytest.mark.parametrize("accepted", [True, False])
def test_nobody_serves_before_the_master_says_so(
    tmp_path: Path, accepted: bool
) -> None:
    """A worker that waits is either let accept or told to go."""
    with child(tmp_path) as one:
        one.worker.wakeup = Wakeup()
        if accepted:
            one.worker.accepted = True
            one.worker.wakeup.wake()
        else:
            one.worker.drain()
        result = one.worker.wait_for_accept()
        one.worker.wakeup.close()

        assert accepted is result


def test_hooks_of_a_worker_come_in_gunicorn_s_order(serve: Serve) -> None:
    """Before the application, after it, and at the end."""
    server = serve("apps.pid:app", config=HOOKS)
    server.get()

    assert 0 == server.stop()
    assert [
        "post_fork True None",
        "post_worker_init True",
        "worker_exit False",
    ] == (server.directory / "notes").read_text().splitlines()


def test_a_worker_that_shall_end_at_once_says_so_first(serve: Serve) -> None:
    """worker_int comes before worker_exit."""
    server = serve("apps.pid:app", config=HOOKS)
    server.get()
    server.signal(signal.SIGINT)
    server.process.wait(LIMIT)

    assert ["worker_int", "worker_exit False"] == (
        server.directory / "notes"
    ).read_text().splitlines()[2:]
