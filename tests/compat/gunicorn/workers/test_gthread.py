"""Workers that derive from gunicorn's ThreadWorker, where there is no gunicorn."""

import signal

import pytest
from running import Load
from theirs_type import Theirs

LIMITED = """
import ctypes, threading
from gunicorn.workers.gthread import ThreadWorker

class TooLong(Exception):
    pass

class Limit:
    def __enter__(self):
        self.thread = threading.get_ident()
        self.timer = threading.Timer(0.2, self.end)
        self.timer.start()

    def end(self):
        set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
        set_exception(ctypes.c_ulong(self.thread), ctypes.py_object(TooLong))

    def __exit__(self, *exc):
        self.timer.cancel()

class Theirs(ThreadWorker):
    def handle_request(self, req, conn):
        if req.path == "/slow":
            with Limit():
                super().handle_request(req, conn)
        else:
            return super().handle_request(req, conn)
"""

POOLED = """
import threading
from concurrent.futures import ThreadPoolExecutor
from gunicorn.workers.gthread import ThreadWorker

class Theirs(ThreadWorker):
    def get_thread_pool(self):
        return ThreadPoolExecutor(self.cfg.threads, thread_name_prefix="their-pool")

    def enqueue_req(self, conn):
        self.log.info("enqueue %s", conn.client[0])
        super().enqueue_req(conn)

    def handle(self, conn):
        keeps, conn = super().handle(conn)
        self.log.info("handled in %s: %s", threading.current_thread().name, keeps)
        return keeps, conn
"""


def test_a_request_can_be_ended_by_its_method(theirs: Theirs) -> None:
    """With an exception that is raised within the application."""
    server = theirs(LIMITED, "--threads=2")
    server.expect("Traceback")

    assert 500 == server.get("/slow").status
    server.wait_for_log("TooLong")
    assert "/next" == server.get("/next").text


@pytest.mark.soak
def test_its_own_pool_is_used(theirs: Theirs) -> None:
    """And the other methods of a request."""
    server = theirs(POOLED, "--threads=2")
    server.get()

    server.wait_for_log("enqueue 127.0.0.1")
    server.wait_for_log("handled in their-pool_0: \\w+")


@pytest.mark.soak
def test_a_reload_loses_nothing(theirs: Theirs) -> None:
    """Requests and connections go on."""
    server = theirs(LIMITED, "--threads=2", "--workers=2")
    with Load(server.address) as load:
        server.signal(signal.SIGHUP)
        server.wait_for_log("every worker is of generation 2")
        load.wait_for_requests()

    assert [] == load.losses
