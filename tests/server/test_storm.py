"""Many signals in any order: what must hold afterwards holds."""

import contextlib
import os
import random
import re
import signal
import time

import pytest
from conftest import Serve
from running import Load, Server, children, wait_until

SIGNALS = (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1)


def storm(server: Server, dice: random.Random, count: int) -> None:
    """Send signals to the master, and TERM to workers, at odd moments."""
    for _ in range(count):
        if dice.random() < 0.2 and (workers := server.workers()):
            with contextlib.suppress(ProcessLookupError):  # it was faster
                os.kill(dice.choice(workers), signal.SIGTERM)
        else:
            server.signal(dice.choice(SIGNALS))
        time.sleep(dice.random() * 0.1)  # the moment is what is tried, not waited for


def wait_for_calm(server: Server, workers: int) -> None:
    """Reload once more and wait until so many workers of one generation serve."""
    server.signal(signal.SIGHUP)

    def is_calm() -> bool:
        serving = re.findall(r"worker \d+ gen=\d+ pid=(\d+) serves", server.log)
        alive = [str(pid) for pid in children(server.pid)]
        return len(alive) == workers and set(alive) <= set(serving)

    wait_until(is_calm, "the storm is over")


def descriptors(server: Server) -> int:
    """How many the master has open."""
    return len(os.listdir(f"/proc/{server.pid}/fd"))


@pytest.mark.parametrize(
    ("seed", "count"),
    [(1, 25), *(pytest.param(s, 200, marks=pytest.mark.soak) for s in range(2, 8))],
)
def test_after_a_storm_of_signals_all_is_as_before(
    serve: Serve, seed: int, count: int
) -> None:
    """
    As many workers as wanted, no zombie, no descriptor more, no response lost.
    """
    server = serve("apps.pid:app", "--workers=2")
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=2)
    before = descriptors(server)
    with Load(server.address) as load:
        storm(server, random.Random(seed), count)
        wait_for_calm(server, workers=2)
        load.wait_for_requests()

    assert [] == load.losses
    wait_until(lambda: descriptors(server) == before, "as many descriptors as before")
    assert [] == server.zombies()
