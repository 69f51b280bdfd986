"""What the setting ``worker_class`` may name, and what is said of the rest."""

import pytest
from conftest import Serve

from tiamat.errors import ConfigError
from tiamat.workers import ALIASES, OURS, load_worker_class, missing
from tiamat.workers.auto import AutoWorker
from tiamat.workers.sync import SyncWorker


class Gunicorns:
    """A class of gunicorn's, as a configuration file may import it."""

    __module__ = "gunicorn.workers.ggevent"


def test_a_class_has_many_names() -> None:
    """An alias, a path with a colon or with points, the class itself."""
    path = "tiamat.workers.sync"
    names = ["sync", f"{path}:SyncWorker", f"{path}.SyncWorker", SyncWorker]

    assert [SyncWorker] * 4 == [load_worker_class(name) for name in names]


def test_without_a_name_the_application_chooses() -> None:
    """The worker looks at it."""
    assert AutoWorker is load_worker_class(None)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("snyc", "worker_class 'snyc' is not known; there is asgi, gevent, h11, sync,"),
        ("tiamat.workers.sync:Nobody", "module 'tiamat.workers.sync' has no 'Nobody'"),
        ("no.such:Worker", "can't be imported: ModuleNotFoundError"),
        ("egg:meinheld#worker", "no package that is installed declares it"),
        (dict, "is no class of workers; they derive from tiamat.workers.base.Worker"),
    ],
)
def test_what_is_no_class_of_workers_is_told(name: object, complaint: str) -> None:
    """With what there is."""
    with pytest.raises(ConfigError) as caught:
        load_worker_class(name)

    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("eventlet", "gevent"),
        ("tornado", "asgi"),
        ("gunicorn.workers.gtornado.TornadoWorker", "asgi"),
        (Gunicorns, "gevent"),
        ("uvicorn.workers.Other", "asgi"),
    ],
)
def test_who_comes_from_gunicorn_hears_what_to_use(name: object, cure: str) -> None:
    """Its workers are known by name, and so is which of ours does the same."""
    with pytest.raises(ConfigError) as caught:
        load_worker_class(name)

    assert str(caught.value).endswith(
        f"is a worker of gunicorn's, which Tiamat does not run; use -k {cure}"
    )


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("egg:gunicorn#gthread", "threads"),
        ("gunicorn.workers.sync.SyncWorker", "sync"),
        ("gunicorn.workers.gasgi:ASGIWorker", "asgi"),
        ("uvicorn.workers.UvicornWorker", "asgi"),
        ("uvicorn_worker:UvicornH11Worker", "h11"),
    ],
)
def test_ours_serve_in_the_place_of_gunicorn_s_and_uvicorn_s(
    name: str, ours: str
) -> None:
    """Neither needs to be installed."""
    assert load_worker_class(ours) is load_worker_class(name)


def test_gunicorn_s_names_are_names_of_ours() -> None:
    """Who writes gthread gets threads."""
    found = [ALIASES[name] for name in ("gthread", "gevent_pywsgi", "h11-async")]

    assert [OURS["threads"], OURS["gevent"], OURS["h11"]] == found


def test_what_a_worker_needs_is_to_be_installed() -> None:
    """A worker whose library is not there says which."""
    module = "tiamat.workers.gevent"
    needed = ModuleNotFoundError("No module named 'gevent'", name="gevent")
    itself = ModuleNotFoundError(f"No module named {module!r}", name=module)

    assert "it needs gevent; pip install gevent" == missing(module, needed)
    assert "Tiamat does not have it yet" == missing(module, itself)


def test_a_start_with_gunicorn_s_worker_is_one_line(serve: Serve) -> None:
    """And status 1, as for every wrong setting."""
    server = serve("apps.pid:app", "--worker-class=eventlet")

    assert 1 == server.wait_for_exit()
    assert (
        "tiamat: error: worker_class 'eventlet' is a worker of gunicorn's, which Tiamat"
        " does not run; use -k gevent\n"
    ) == server.output


def test_sync_with_more_threads_is_threads() -> None:
    """As in gunicorn; other classes keep what they are."""
    pytest.importorskip("tiamat.workers.threads")
    kind = load_worker_class("threads")

    assert kind is load_worker_class("sync", 4)
    assert kind is load_worker_class(SyncWorker, 4)
    assert AutoWorker is load_worker_class(AutoWorker, 4)
