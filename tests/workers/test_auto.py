"""The worker that is chosen by its application."""

from pathlib import Path
from typing import Any

import pytest
from children import child
from conftest import Serve

from tiamat.config import Config
from tiamat.errors import AppError
from tiamat.workers import OURS, find
from tiamat.workers.auto import AutoWorker
from tiamat.workers.base import Worker
from tiamat.workers.sync import SyncWorker

HOOKS = """
seen = []

def note(word, worker):
    seen.append(worker)
    with open("notes", "a") as file:
        print(word, type(worker).__name__, worker.mark, seen[0] is worker, file=file)

def pre_fork(server, worker):
    worker.mark = "marked"

def post_fork(server, worker):
    note("post_fork", worker)

def post_worker_init(worker):
    note("post_worker_init", worker)

def pre_request(worker, request):
    note("pre_request", worker)

def worker_exit(server, worker):
    note("worker_exit", worker)
"""


def chosen(tmp_path: Path, app: str) -> Any:
    """A worker that has loaded its application, in this process."""
    with child(tmp_path, config=Config(wsgi_app=app)) as one:
        worker = one.worker
        worker.__class__ = AutoWorker
        worker.load()
    return worker


def test_a_wsgi_application_gets_the_sync_worker(tmp_path: Path) -> None:
    """The same object, and all that the class loads is loaded."""
    worker = chosen(tmp_path, "apps.pid:app")

    assert SyncWorker is type(worker)
    assert worker.app is worker.service.gateway.app


def test_the_application_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A factory that is called twice would connect twice."""
    source = (
        "made = []\ndef make():\n    made.append(1)\n    return lambda e, s: [b'']\n"
    )
    (tmp_path / "once_made.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    worker = chosen(tmp_path, "once_made:make()")

    assert [1] == worker.app.__globals__["made"]


@pytest.mark.parametrize(
    ("source", "threads", "name"),
    [
        ("async def app(scope, receive, send): pass", 1, "asgi"),
        ("async def app(scope, receive, send): pass", 4, "asgi"),
        ("def app(environ, start_response): pass", 4, "threads"),
        ("def app(environ, start_response): pass", 1, "sync"),
    ],
)
def test_interface_and_threads_decide(
    tmp_path: Path, source: str, threads: int, name: str
) -> None:
    """ASGI has no use for threads; of WSGI it is their number."""
    with child(tmp_path, config=Config(threads=threads)) as one:
        worker = AutoWorker.__new__(AutoWorker)
        vars(worker).update(vars(one.worker))
        space: dict[str, object] = {}
        exec(source, space)  # noqa: S102
        worker.app = space["app"]

        assert name == worker.choose()


def test_an_application_that_nobody_serves_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ASGI 2, for example."""
    (tmp_path / "double_callable.py").write_text("def app(scope): pass")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(AppError, match="is called with one argument"):
        chosen(tmp_path, "double_callable:app")


@pytest.mark.parametrize("name", ["asgi", "sync", "threads"])
def test_what_can_be_chosen_is_made_without_a_constructor(name: str) -> None:
    """The object is there before its class: what it needs is set in ``load``."""
    try:
        kind = find(name)
    except Exception as error:
        pytest.skip(str(error))
    assert isinstance(kind, type)
    parts = kind.__mro__[: kind.__mro__.index(Worker)]

    assert not [part for part in parts if {"__init__", "__slots__"} & set(vars(part))]
    assert name in OURS


def test_hooks_see_one_object_throughout(serve: Serve) -> None:
    """What pre_fork puts on the worker is there in every hook after it."""
    server = serve("apps.pid:app", config=HOOKS)
    server.get()

    assert 0 == server.stop()
    assert [
        "post_fork AutoWorker marked True",
        "post_worker_init SyncWorker marked True",
        "pre_request SyncWorker marked True",
        "worker_exit SyncWorker marked True",
    ] == (server.directory / "notes").read_text().splitlines()
    assert 1 == server.log.count(" goes on as sync\n")
