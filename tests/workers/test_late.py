"""What is large is imported behind the fork."""

import pytest
from conftest import Serve

from tiamat.workers import load_worker_class, signals
from tiamat.workers.late import (
    LATE,
    LateASGI,
    LateWorker,
    late_worker_class,
    real,
)
from tiamat.workers.sync import SyncWorker

HOOKS = """
def note(word, worker):
    with open("hooks", "a") as file:
        print(word, type(worker).__name__, worker.mark, file=file)

def pre_fork(server, worker):
    worker.mark = "marked"
    note("pre_fork", worker)

def post_fork(server, worker):
    note("post_fork", worker)

def worker_exit(server, worker):
    note("worker_exit", worker)
"""

EMPTY = """
import sys
sys.modules[{library!r}] = None
"""


@pytest.mark.parametrize(
    "name",
    [
        *("asgi", "tiamat.workers.asgi:ASGIWorker", "tiamat.workers.asgi.ASGIWorker"),
        *("egg:gunicorn#asgi", "gunicorn.workers.gasgi.ASGIWorker"),
    ],
)
def test_a_class_is_late_by_each_of_its_names(name: str) -> None:
    """An alias, a path, gunicorn's."""
    assert LateASGI is late_worker_class(name)


def test_other_classes_are_themselves() -> None:
    """What is small, and what is not ours by name."""
    kind = load_worker_class("asgi")

    assert SyncWorker is late_worker_class("sync")
    assert kind is late_worker_class(kind)


@pytest.mark.parametrize("kind", LATE.values())
def test_who_stands_for_a_class_is_as_that(kind: type[LateWorker]) -> None:
    """In all that is asked before the fork, and the object can become one of it."""
    pytest.importorskip(kind.library or "asyncio")
    meant = real(kind)
    worker = kind.__new__(kind)
    worker.__class__ = meant  # type: ignore[assignment]

    assert (meant.interfaces, meant.patches) == (kind.interfaces, kind.patches)
    assert meant.share is kind.share
    assert meant.request is kind.request


def test_signals_are_handled_before_the_class_is_there() -> None:
    """So no class that comes late may have handlers of its own."""
    handlers = {*signals.CAUGHT.values(), "handle_dump"}
    for kind in LATE.values():
        pytest.importorskip(kind.library or "asyncio")

        assert all(getattr(real(kind), n) is getattr(kind, n) for n in handlers)


def test_hooks_behind_the_fork_see_the_class_that_serves(serve: Serve) -> None:
    """On the same object."""
    server = serve("apps.asgi_life:app", "-k", "asgi", config=HOOKS)
    server.get()

    assert 0 == server.stop()
    assert [
        "pre_fork LateASGI marked",
        "post_fork ASGIWorker marked",
        "worker_exit ASGIWorker marked",
    ] == (server.directory / "hooks").read_text().splitlines()


def test_a_missing_library_ends_the_start(serve: Serve) -> None:
    """With one line that says what to install, and the status of a wrong setting."""
    server = serve(
        "apps.pid:app", "-k", "gevent", config=EMPTY.format(library="gevent")
    )

    assert 1 == server.wait_for_exit()
    assert "pip install 'tiamat-server[gevent]'" in server.output


def test_a_library_that_breaks_ends_the_start(serve: Serve) -> None:
    """The worker says why it can't be imported."""
    pytest.importorskip("gevent")
    server = serve(
        "apps.pid:app", "-k", "gevent", config=EMPTY.format(library="greenlet")
    )

    server.allowed += ["Traceback"]

    assert 1 == server.wait_for_exit()
    assert "worker_class 'gevent' can't be imported" in server.output
