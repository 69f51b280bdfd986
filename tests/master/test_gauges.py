"""What the master tells a statsd daemon."""

import math
from types import SimpleNamespace
from typing import Any

from tiamat.master.gauges import Gauges


class Daemon:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float]] = []

    def gauge(self, name: str, value: float) -> None:
        """Keep it."""
        self.told.append((name, value))

    def tick(self, now: float) -> None:
        """Nothing waits here."""


def arbiter(statsd: Daemon | None) -> Any:
    """Something with two workers."""
    config = SimpleNamespace(enable_backlog_metric=False)
    return SimpleNamespace(
        log=SimpleNamespace(statsd=statsd),
        premises=SimpleNamespace(config=config),
        keeper=SimpleNamespace(workers={1: None, 2: None}),
    )


def test_without_a_daemon_nothing_wakes_the_master() -> None:
    """What is off costs nothing."""
    gauges = Gauges(arbiter(None))

    gauges.look_after(1000.0)

    assert math.inf == gauges.deadline


def test_workers_are_told_once_a_second() -> None:
    """However often the master turns."""
    daemon = Daemon()
    gauges = Gauges(arbiter(daemon))

    for now in (1000.0, 1000.5, 1001.0):
        gauges.look_after(now)

    assert [("gunicorn.workers", 2)] * 2 == daemon.told
    assert 1002.0 == gauges.deadline
