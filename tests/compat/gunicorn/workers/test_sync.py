"""Workers that derive from gunicorn's SyncWorker, where there is no gunicorn."""

import re
import signal

import pytest
from running import Load
from theirs_type import Theirs

TIMED = """
import time
from gunicorn.workers.sync import SyncWorker

class Theirs(SyncWorker):
    def handle_request(self, listener, req, client, addr):
        began = time.time()
        req.headers.append(("X-MARK", "put there"))
        try:
            super().handle_request(listener, req, client, addr)
        except LookupError as error:
            self.log.info("seen: %r", error)
            raise
        finally:
            took = time.time() - began
            self.log.info("%s %s took %.1f s", req.method, req.path, took)
"""

BEATING = """
import os
from gunicorn.workers.sync import SyncWorker

class Theirs(SyncWorker):
    def notify(self):
        super().notify()
        if self.heartbeats == 0:
            self.log.info("first heartbeat of %s", self.pid)
        self.heartbeats += 1

    def init_process(self):
        self.heartbeats = 0
        self.log.info("init_process with %s", self.cfg.worker_class_str)
        super().init_process()

    def run(self):
        self.log.info("run, with %s", self.wsgi.__name__)
        super().run()
        self.log.info("ran: %s", self.alive)
"""

MIXED = """
from gunicorn.workers.sync import SyncWorker

class Counting:
    def handle_request(self, *args):
        self.requests = getattr(self, "requests", 0) + 1
        return super().handle_request(*args)

    def handle_error(self, req, client, addr, exc):
        self.log.info("error %s of %s", type(exc).__name__, req.uri)
        super().handle_error(req, client, addr, exc)

    def handle_quit(self, sig, frame):
        self.log.info("quit behind %d requests", self.requests)
        super().handle_quit(sig, frame)

class Theirs(Counting, SyncWorker):
    pass
"""

LOOPING = """
from gunicorn.workers.sync import SyncWorker

class Theirs(SyncWorker):
    def run_for_one(self, timeout):
        listener = self.sockets[0]
        while self.alive:
            self.notify()
            try:
                self.accept(listener)
                continue
            except BlockingIOError:
                pass
            if not self.is_parent_alive():
                return
            self.wait(timeout)

    def accept(self, listener):
        super().accept(listener)
        self.log.info("accepted")

    def handle(self, listener, client, addr):
        self.log.info("handles %s", addr[0])
        super().handle(listener, client, addr)
"""

ANSWERING = """
from gunicorn.workers.sync import SyncWorker

class Theirs(SyncWorker):
    def handle_request(self, listener, req, client, addr):
        if req.path == "/health":
            client.sendall(b"HTTP/1.1 204 No Content\\r\\nX-By: worker\\r\\n\\r\\n")
            return
        super().handle_request(listener, req, client, addr)
"""

WRAPPING = """
from gunicorn.workers import sync
original = sync.SyncWorker.handle_request

def handle_request(self, listener, req, client, addr):
    self.log.info("wrapped: %s", req.path)
    return original(self, listener, req, client, addr)

sync.SyncWorker.handle_request = handle_request
"""

HOOKS = """
from theirs import Theirs
worker_class = Theirs

def pre_request(worker, req):
    worker.log.info("pre_request %s %s", type(worker).__name__, req.path)

def post_request(worker, req, environ, resp):
    worker.log.info("post_request %s %s", type(worker).__name__, resp.status)
"""


def test_a_request_is_handled_by_its_method(theirs: Theirs) -> None:
    """What it puts into the headers, the application sees."""
    server = theirs(TIMED)

    assert "put there" == server.get("/here").headers["x-seen"]
    server.wait_for_log(r"GET /here took 0\.\d s")


@pytest.mark.soak
def test_what_the_application_raises_goes_through_it(theirs: Theirs) -> None:
    """And becomes an answer behind it."""
    server = theirs(TIMED)
    server.expect("Traceback")

    assert 500 == server.get("/fail").status
    server.wait_for_log(r"seen: LookupError\('the application fails'\)")


def test_a_reload_loses_nothing(theirs: Theirs) -> None:
    """Requests and connections go on, by a class in the configuration file."""
    server = theirs(TIMED, kind="", config=HOOKS)
    with Load(server.address) as load:
        server.signal(signal.SIGHUP)
        server.wait_for_log("every worker is of generation 2")
        load.wait_for_requests()
    server.stop()

    assert [] == load.losses
    lines = re.findall(r"(?:pre|post)_request Theirs", server.log)
    assert 2 * load.count == len(lines)


@pytest.mark.soak
def test_its_life_goes_through_its_methods(theirs: Theirs) -> None:
    """init_process, run and notify, to the end."""
    server = theirs(BEATING)
    server.get()
    server.stop()

    said = re.findall("init_process with|run, with app|first heartbeat|ran: False",
                      server.log)  # fmt: skip
    assert ["init_process with", "run, with app", "first heartbeat", "ran: False"] == (
        said
    )


def test_a_mixin_hears_of_errors_and_of_the_end(theirs: Theirs) -> None:
    """As those that export figures do."""
    server = theirs(MIXED)
    server.expect("Traceback")
    server.get("/fail?x=1")

    server.signal(signal.SIGQUIT)

    assert 0 == server.wait_for_exit()
    assert "error LookupError of /fail?x=1" in server.log
    assert "quit behind 1 requests" in server.log


@pytest.mark.soak
def test_its_loop_may_be_its_own(theirs: Theirs) -> None:
    """Of the methods that gunicorn's is made of, each of which is called."""
    server = theirs(LOOPING)
    server.get()

    server.wait_for_log("accepted(.|\n)*handles 127.0.0.1")


@pytest.mark.soak
def test_a_method_may_answer_by_itself(theirs: Theirs) -> None:
    """The socket that it has takes an answer."""
    server = theirs(ANSWERING)

    assert "worker" == server.get("/health").headers["x-by"]
    assert "/other" == server.get("/other").text


@pytest.mark.parametrize("kind", [pytest.param("sync", marks=pytest.mark.soak), ""])
def test_a_method_that_was_wrapped_is_called(theirs: Theirs, kind: str) -> None:
    """Of the class of gunicorn's name, though a worker of ours was asked for."""
    server = theirs("", kind=kind, config=WRAPPING)

    assert "/here" == server.get("/here").text
    server.wait_for_log("wrapped: /here")
