"""Workers that were written for gunicorn, under a real master."""

import re
import signal
import socket
from pathlib import Path

import pytest
from conftest import Serve
from running import Load, Server

# It serves one request at a time, in a few lines, and does what the path says.
PLAIN = """
import os, select, sys, time
from gunicorn.workers.base import Worker

class Plain(Worker):
    def run(self):
        while self.alive:
            self.notify()
            for ready in select.select(self.wait_fds, (), (), 0.1)[0]:
                if ready in self.sockets and self.alive:
                    self.serve(ready)

    def serve(self, listener):
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return
        client.settimeout(10)
        with client:
            head = client.recv(65536)
            if b"/sleep" in head:
                time.sleep(60)
            if b"/nr" in head:
                self.nr += 1
                self.alive = self.nr < self.max_requests
            text = b"".join(self.wsgi({}, lambda *ignored: None))
            size = len(text)
            client.sendall(
                b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n"
                b"Content-Length: %d\\r\\n\\r\\n%b" % (size, text)
            )

class Other(Plain):
    def run(self):
        sys.exit(3)
"""

APP = """
import os

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]
"""

FORK = """
def pre_fork(server, worker):
    worker.mark = "from the master"

def post_fork(server, worker):
    worker.log.info("post_fork %s %s", type(worker).__name__, worker.mark)

def post_worker_init(worker):
    worker.log.info("post_worker_init %s %s", worker.pid, worker.wsgi is not None)

def worker_abort(worker):
    worker.log.info("worker_abort %s %s", type(worker).__name__, worker.aborted)

def worker_int(worker):
    worker.log.info("worker_int %s", type(worker).__name__)

def worker_exit(server, worker):
    server.log.info("worker_exit %s", type(worker).__name__)

def child_exit(server, worker):
    server.log.info("child_exit %s", worker.pid)
"""


@pytest.fixture
def plain(tmp_path: Path, serve: Serve) -> Serve:
    """Serve with ``theirs:Plain``, or another class of that module."""
    directory = tmp_path / "server-0"
    directory.mkdir()
    (directory / "theirs.py").write_text(PLAIN)
    (directory / "their_app.py").write_text(APP)

    def start(*flags: str, kind: str = "theirs:Plain", config: str = "") -> Server:
        return serve("their_app:app", f"--worker-class={kind}", *flags, config=config)

    return start


def test_a_worker_of_another_make_serves(plain: Serve) -> None:
    """Its class is not known by name, and it is nobody's of ours."""
    server = plain("--workers=2")
    server.wait_for_log("worker 1 gen=1 pid=\\d+ serves")

    assert int(server.get().text) in server.workers()
    assert 0 == server.stop()


def test_hooks_see_its_object(plain: Serve) -> None:
    """With what pre_fork put on the one that stands for it in the master."""
    server = plain(config=FORK)
    pid = server.get().text
    server.stop()

    seen = re.findall(r"\[INFO\] ((?:worker|post|child)_.*)", server.log)
    assert [
        "post_fork Plain from the master",
        f"post_worker_init {pid} True",
        "worker_exit Plain",
        f"child_exit {pid}",
    ] == seen


def ask(server: Server, path: str) -> socket.socket:
    """Send a request, and wait for no answer."""
    client = socket.create_connection(server.address)
    client.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    return client


def test_a_silent_one_is_killed_with_its_stack(plain: Serve) -> None:
    """It touches its file no more; the log says what it does."""
    server = plain("--timeout=2", config=FORK)
    server.expect("")

    with ask(server, "/sleep"):
        server.wait_for_log(r"silent for \d+\.\d s \(timeout=2\), killing")
        server.wait_for_log(r"time\.sleep\(60\)")
        server.wait_for_log("worker_abort Plain True")

    server.wait_for_log("worker 0 gen=1 pid=\\d+ serves", times=2)


def test_a_reload_loses_nothing(plain: Serve) -> None:
    """The new ones serve before the old ones are told to finish."""
    server = plain("--workers=2")
    with Load(server.address) as load:
        server.signal(signal.SIGHUP)
        server.wait_for_log("gen=2 pid=\\d+ serves", times=2)
        load.wait_for_requests()

    assert [] == load.losses


def test_it_ends_behind_as_many_requests_as_it_counts(plain: Serve) -> None:
    """And is replaced at once, as one that is due, not as one that was lost."""
    server = plain("--max-requests=3")
    with Load(server.address, "/nr", clients=1) as load:
        server.wait_for_log("worker 0 gen=1 pid=\\d+ serves", times=4)

    assert [] == load.losses
    assert "has lost" not in server.log


def test_what_ends_before_it_serves_ends_the_start(plain: Serve) -> None:
    """With its exit status, and one line of why."""
    server = plain(kind="theirs.Other")

    assert 3 == server.wait_for_exit()
    assert "theirs.Other ended with 3 before it served" in server.log


def test_a_reload_to_what_can_not_serve_is_rolled_back(plain: Serve) -> None:
    """The workers that are there go on."""
    server = plain()
    server.wait_for_log("serves")
    pid = server.get().text
    (server.directory / "theirs.py").write_text(PLAIN.replace("class Plain", "Gone"))
    server.expect("")

    server.signal(signal.SIGHUP)
    server.wait_for_log("can't boot")
    server.wait_for_log("rolled back|refused|abandoned|kept")

    assert pid == server.get().text


@pytest.mark.parametrize(
    "number", [signal.SIGQUIT, pytest.param(signal.SIGINT, marks=pytest.mark.soak)]
)
def test_it_stops_at_once(plain: Serve, number: int) -> None:
    """By its own handler, with the hook."""
    server = plain(config=FORK)
    server.wait_for_log("serves")

    server.signal(number)

    assert 0 == server.wait_for_exit()
    assert "worker_int Plain" in server.log


def test_a_class_itself_is_driven_too(plain: Serve) -> None:
    """A configuration file may have one; the master has imported it then."""
    server = plain(
        kind="theirs.Plain", config="from theirs import Plain\nworker_class = Plain"
    )

    assert int(server.get().text) in server.workers()


@pytest.mark.soak
def test_files_are_watched_under_reload(plain: Serve) -> None:
    """By Tiamat, which reloads as it does else."""
    server = plain("--reload", "--reload-extra-file=extra")
    server.get()
    (server.directory / "extra").write_text("changed")

    server.wait_for_log("changed: .*extra: reloading")
    server.wait_for_log("worker 0 gen=2 pid=\\d+ serves")


def test_a_check_is_left_out_with_a_line(plain: Serve) -> None:
    """The master need not wait for its answer."""
    server = plain("--reload-check=/none")
    server.get()

    server.signal(signal.SIGHUP)

    server.wait_for_log("reload_check and check_worker are left out")
    server.wait_for_log("worker 0 gen=2 pid=\\d+ serves")
