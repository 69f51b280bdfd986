"""Programs with an ``Arbiter`` of their own."""

import signal
from pathlib import Path

from conftest import Serve
from embedding import STANDALONE, program, reloaded_and_stopped
from running import Load, Server, wait_until

ARBITER = """
from gunicorn.arbiter import Arbiter
"""

ROLLING = """
class Own(Arbiter):
    def __init__(self, app):
        super().__init__(app)
        self.born = {}

    def spawn_worker(self):
        pid = super().spawn_worker()
        self.born[pid] = time.monotonic()
        return pid

    def manage_workers(self):
        super().manage_workers()
        oldest = min(self.WORKERS, key=lambda pid: self.WORKERS[pid].age)
        old = time.monotonic() - self.born[oldest] > 0.5
        if old and len(self.WORKERS) == self.num_workers:
            self.spawn_worker()
            self.kill_worker(oldest, signal.SIGTERM)
"""

WITHOUT_US = """
class Own(Arbiter):
    def manage_workers(self):
        while len(self.WORKERS) < self.num_workers + 1:
            self.spawn_worker()
"""

HANDLING = """
class Own(Arbiter):
    SIGNALS = [*Arbiter.SIGNALS, signal.SIGPROF]

    def handle_hup(self):
        self.log.info("my handle_hup")
        super().handle_hup()

    def handle_chld(self, sig, frame):
        super().handle_chld(sig, frame)
        self.log.info("my handle_chld of %d", sig)

    def handle_prof(self):
        self.log.info("my handle_prof of %s", self.SIG_NAMES[signal.SIGPROF])

    def stop(self, graceful=True):
        super().stop(graceful)
        self.log.info("my stop: %s, %d left", graceful, len(self.WORKERS))
"""

HALTING = """
from gunicorn.errors import HaltServer

class Own(Arbiter):
    def handle_ttin(self):
        raise HaltServer("enough", self.APP_LOAD_ERROR)
"""

FAILING = """
class Own(Arbiter):
    def manage_workers(self):
        raise LookupError("a bug in manage_workers")
"""

ASKED = """
class Own(Arbiter):
    def setup(self, app):
        super().setup(app)
        self.log.info("set up: %s", app.cfg.workers)
        self.num_workers = 3

def when_ready(server):
    workers, address = server.num_workers, server.address
    server.log.info("ready: %s %d %d", type(server).__name__, workers, len(address))
    server.log.info("others: %d %d", server.master_pid, server.reexec_pid)

options["when_ready"] = when_ready
"""

RUN = "Own(StandaloneApplication(options)).run()"


def start(serve: Serve, directory: Path, own: str) -> Server:
    """A program with this class."""
    return serve("", program=program(directory, STANDALONE, ARBITER, own, RUN))


def test_workers_that_are_old_are_replaced(serve: Serve, tmp_path: Path) -> None:
    """One by one, when the next one serves; no request is lost."""
    server = start(serve, tmp_path, ROLLING)
    with Load(server.address) as load:
        wait_until(lambda: len(load.texts) > 5, "workers are replaced")

    assert [] == load.losses
    assert "retires: kill_worker(SIGTERM)" in server.log


def test_a_rolling_restarter_leaves_reloads_to_us(serve: Serve, tmp_path: Path) -> None:
    """And stops."""
    assert [] == reloaded_and_stopped(start(serve, tmp_path, ROLLING))


def test_workers_that_a_subclass_counts_itself(serve: Serve, tmp_path: Path) -> None:
    """They come to serve though it does not ask us to manage them."""
    server = start(serve, tmp_path, WITHOUT_US)
    server.wait_for_log("pid=\\d+ serves", 3)

    assert 3 == len(server.workers())


def test_signals_are_handled_by_methods(serve: Serve, tmp_path: Path) -> None:
    """Of ours, which go on to us, and of others; also the end."""
    server = start(serve, tmp_path, HANDLING)
    server.get()
    server.signal(signal.SIGPROF)
    server.wait_for_log("my handle_prof of prof")

    assert [] == reloaded_and_stopped(server)
    assert "my handle_hup" in server.log
    assert f"my handle_chld of {signal.SIGCHLD}" in server.log
    assert "my stop: True, 0 left" in server.log


def test_a_subclass_may_end_the_server(serve: Serve, tmp_path: Path) -> None:
    """With a status of its own."""
    server = start(serve, tmp_path, HALTING)
    server.get()
    server.signal(signal.SIGTTIN)

    assert 4 == server.wait_for_exit()
    assert "stopping: enough" in server.log


def test_a_method_that_fails_is_ours_again(serve: Serve, tmp_path: Path) -> None:
    """The log tells once, and the server serves."""
    server = start(serve, tmp_path, FAILING)
    server.expect("Traceback")

    server.wait_for_log("worker 1 gen=1 pid=\\d+ serves")
    server.get()
    assert 1 == server.log.count("LookupError: a bug in manage_workers")


def test_what_a_subclass_sets_up_counts(serve: Serve, tmp_path: Path) -> None:
    """The hooks see it, and they see the object."""
    server = start(serve, tmp_path, ASKED)

    server.wait_for_log("ready: Own 3 1")
    server.wait_for_log("others: 0 0")
    server.wait_for_log("worker 2 gen=1 pid=\\d+ serves")
    assert "set up: 2" in server.log
