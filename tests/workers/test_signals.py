"""What a worker does on each signal, in real workers."""

import os
import signal

import pytest
from conftest import Serve
from running import ended, get, open_files, wait_until

HOOKS = """
def worker_int(worker): worker.log.info("worker_int %s", worker.pid)
def worker_abort(worker): worker.log.info("worker_abort %s", worker.pid)
def worker_exit(server, worker): worker.log.info("worker_exit %s", worker.pid)
"""


def test_term_lets_a_worker_finish(serve: Serve) -> None:
    """
    A worker that gets TERM itself answers what it has, and its slot is filled.
    """
    server = serve("apps.slow:app")
    client = server.begin("/?0.5")
    pid = server.workers()[0]
    os.kill(pid, signal.SIGTERM)

    assert str(pid) == client.getresponse().read().decode()
    client.close()
    server.wait_for_log(f"pid={pid} exited")
    assert 200 == server.get().status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_end_a_worker_at_once(serve: Serve, number: int) -> None:
    """
    The hooks worker_int and worker_exit are called, and the request is lost.
    """
    server = serve("apps.slow:app", config=HOOKS)
    client = server.begin("/?50")
    pid = server.workers()[0]
    os.kill(pid, number)
    server.wait_for_log(f"pid={pid} exited")
    client.close()

    assert server.log.index(f"worker_int {pid}") < server.log.index(f"_exit {pid}")


def test_abort_calls_its_hook_and_ends_with_1(serve: Serve) -> None:
    """
    ABRT is what a condemned worker gets.
    """
    server = serve("apps.pid:app", config=HOOKS)
    pid = int(server.get().text)
    os.kill(pid, signal.SIGABRT)
    server.wait_for_log(f"pid={pid} exited with status 1")

    assert f"worker_abort {pid}" in server.log


@pytest.mark.parametrize(
    "number",
    [
        *(signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH),
        *(signal.SIGTTIN, signal.SIGTTOU),
    ],
)
def test_a_worker_survives_what_is_for_the_master(serve: Serve, number: int) -> None:
    """
    A terminal sends its signals to all processes; a worker lives on.
    """
    server = serve("apps.pid:app")
    pid = int(server.get().text)
    os.kill(pid, number)

    assert pid == int(server.get().text)


def test_a_process_that_the_application_forks_is_none_of_ours(serve: Serve) -> None:
    """
    It dies of TERM, and keeps neither the address nor the worker alive.
    """
    server = serve("apps.forking:app", bind="127.0.0.1:0")
    address = server.address
    forked = int(get(address).text)
    listening = listening_inodes(address[1])
    wait_until(lambda: not listening & open_files(forked), "the forked process lets go")
    os.kill(forked, signal.SIGTERM)
    wait_until(lambda: ended(forked), "TERM ends the forked process")

    assert listening


def listening_inodes(port: int) -> set[str]:
    """What links under /proc to the listening socket look like."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table]
    return {
        f"socket:[{row[9]}]"
        for row in rows[1:]
        if row[3] == "0A" and int(row[1].split(":")[1], 16) == port
    }


WRAPPING = """
import pathlib, time
from tiamat.workers.sync import SyncWorker

class Slow(SyncWorker):
    def init_process(self):
        super().init_process()
        pathlib.Path("begun").touch()
        try:
            time.sleep(60)
        except BaseException as error:
            raise RuntimeError("as an import may") from error

worker_class = Slow
"""


def test_term_while_booting_is_no_failure(serve: Serve) -> None:
    """
    Whatever the code that it comes into makes of the exception of a handler.
    """
    server = serve(config=WRAPPING)
    wait_until((server.directory / "begun").exists, "the worker boots")

    assert 0 == server.stop()
    assert "failed" not in server.log
