"""What the master does when it is told to by a signal; tests/server has the rest."""

import signal
from pathlib import Path

from conftest import Serve

from tiamat.config import Config
from tiamat.master.arbiter import Arbiter
from tiamat.master.orders import add_worker, remove_worker


def test_the_last_worker_is_not_removed(tmp_path: Path) -> None:
    """TTOU below one is no server; WINCH is for that."""
    path = tmp_path / "error.log"
    arbiter = Arbiter(Config(workers=1, errorlog=str(path)))
    arbiter.premises.open_log()
    targets = []
    for order in (remove_worker, add_worker, remove_worker):
        order(arbiter)
        targets.append(arbiter.roster.target)
    remove_worker(arbiter)
    arbiter.stop()

    assert [1, 2, 1] == targets
    assert 1 == arbiter.server.num_workers
    assert 1 == path.read_text().count("TTOU: 1 worker from now on")


def test_there_are_no_more_workers_than_there_is_room_for(tmp_path: Path) -> None:
    """Each has two rows of the scoreboard, one for whoever replaces it."""
    path = tmp_path / "error.log"
    arbiter = Arbiter(Config(workers=1, errorlog=str(path)))
    arbiter.premises.open_log()
    arbiter.roster.target = 128
    add_worker(arbiter)
    arbiter.stop()

    assert 128 == arbiter.roster.target
    assert "TTIN: 128 workers are the most until a re-exec\n" in path.read_text()
    assert 400 == Arbiter(Config(workers=100)).keeper.most


def test_a_second_order_to_stop_is_no_other_one(serve: Serve) -> None:
    """TERM and TERM again finish what is here; INT after TERM ends at once."""
    server = serve("apps.slow:app", "--workers=1")
    client = server.begin("/?600")
    server.signal(signal.SIGTERM)
    server.wait_for_log("TERM: finishing what is here")
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGINT)
    server.wait_for_log("INT or QUIT: stopping at once")

    assert 0 == server.wait_for_exit()
    assert 1 == server.log.count("TERM: finishing")

    client.close()
