"""Workers of ours inside of objects of gunicorn's names; see workers/test_sync."""

import math
import sys
import time
from types import SimpleNamespace

from tiamat.compat.inner import Inner, same_place


def test_it_goes_on_as_long_as_both_do() -> None:
    """And has a deadline, also when the object has ended by itself."""
    config = SimpleNamespace(graceful_timeout=5.0)
    host = SimpleNamespace(alive=True, listeners=[], cfg=config, _stop_at=math.inf)
    host.foreign = SimpleNamespace(alive=True, max_requests=sys.maxsize)
    inner = Inner(host, host.foreign)  # type: ignore[arg-type]
    before = inner.alive

    host.foreign.alive = False

    assert (True, False) == (before, inner.alive)
    assert inner.deadline() <= time.monotonic() + 5.0


def test_a_listener_of_all_hosts_is_found_by_its_port() -> None:
    """A Unix socket by its path."""
    assert same_place(("0.0.0.0", 8000), ("127.0.0.1", 8000))
    assert not same_place(("0.0.0.0", 8001), ("127.0.0.1", 8000))
    assert same_place("/run/site", "/run/site")
