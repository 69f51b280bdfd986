"""What code that was written for gunicorn asks of a worker."""

import time

from tiamat.system.scoreboard import HEARTBEAT, Scoreboard
from tiamat.workers.gunicorn_names import GunicornNames, Heartbeat


def test_a_worker_has_gunicorn_s_other_names() -> None:
    """Its application, and a sign of life in the place of a file."""
    worker = GunicornNames()
    worker.app, worker.row = str, Scoreboard(2).take()
    before = time.monotonic()

    assert worker.wsgi is str
    worker.notify()
    assert before <= worker.row.times[HEARTBEAT] <= time.monotonic()


def test_the_sign_of_life_is_read_and_given() -> None:
    """As of the file that gunicorn's workers touch."""
    row = Scoreboard(2).take()
    heartbeat = Heartbeat(row)
    before = time.monotonic()
    heartbeat.notify()

    assert before <= heartbeat.last_update() == row.times[HEARTBEAT]
    heartbeat.close()
