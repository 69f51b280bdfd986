"""The sync worker: the loop, between the master and the application."""

import pytest
from conftest import Serve
from running import LIMIT

from tiamat.workers import load_worker_class
from tiamat.workers.base import Worker
from tiamat.workers.sync import SyncWorker

WORKERS = pytest.mark.parametrize("worker", ["sync", "threads", "gevent"])


def test_sync_is_the_name_of_the_sync_worker() -> None:
    """
    The alias, and no name at all, mean this class.
    """
    assert SyncWorker is load_worker_class("sync")
    assert issubclass(SyncWorker, Worker)


@WORKERS
def test_the_last_of_max_requests_asks_for_a_replacement(
    serve: Serve, worker: str
) -> None:
    """
    That one, on whichever thread, and none before it; all are answered.
    """
    server = serve(
        *("apps.slow:app", "-k", worker, "--max-requests=8", "--timeout=60"),
        "--threads=4" if worker == "threads" else "--threads=1",
    )
    for _ in range(7):
        assert 200 == server.get().status
    early = "retires" in server.log
    last = server.get().status
    server.wait_for_log("retires: max_requests")

    assert (False, 200) == (early, last)
    assert 200 == server.get().status


@WORKERS
def test_each_access_line_is_written_once(serve: Serve, worker: str) -> None:
    """
    However lines are gathered: those of a turn leave together, at its end.
    """
    server = serve(
        *("apps.slow:app", "-k", worker, "--access-logfile=access.log"),
        "--threads=4" if worker == "threads" else "--threads=1",
    )
    begun = [server.begin(f"/{number}?0.05") for number in range(8)]
    for connection in begun:
        connection.sock.settimeout(LIMIT)
        connection.getresponse().read()
        connection.close()
    server.stop()
    lines = (server.directory / "access.log").read_text().splitlines()

    assert {f"GET /{number}?0.05" for number in range(8)} == {
        line.split('"')[1].rpartition(" ")[0] for line in lines
    }
    assert 8 == len(lines)
