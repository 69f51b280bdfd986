"""What the setting ``worker_class`` may name, and what is said of the rest."""

import pytest
from conftest import Serve

from tiamat.errors import ConfigError
from tiamat.workers import load_worker_class
from tiamat.workers.sync import SyncWorker


class Gunicorns:
    """A class of gunicorn's, as a configuration file may import it."""

    __module__ = "gunicorn.workers.ggevent"


def test_a_class_has_many_names() -> None:
    """An alias, a path with a colon or with points, the class itself."""
    path = "tiamat.workers.sync"
    names = [None, "sync", f"{path}:SyncWorker", f"{path}.SyncWorker", SyncWorker]

    assert [SyncWorker] * 5 == [load_worker_class(name) for name in names]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("snyc", "worker_class 'snyc' is not known; there is sync, or write"),
        ("tiamat.workers.sync:Nobody", "module 'tiamat.workers.sync' has no 'Nobody'"),
        ("no.such:Worker", "can't be imported: ModuleNotFoundError"),
        (dict, "is no class of workers; they derive from tiamat.workers.base.Worker"),
    ],
)
def test_what_is_no_class_of_workers_is_told(name: object, complaint: str) -> None:
    """With what there is."""
    with pytest.raises(ConfigError) as caught:
        load_worker_class(name)

    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        *("gthread", "gevent", "gevent_wsgi", "gevent_pywsgi", "eventlet", "tornado"),
        *("egg:gunicorn#gthread", "gunicorn.workers.ggevent.GeventWorker", Gunicorns),
    ],
)
def test_who_comes_from_gunicorn_hears_what_to_use(name: object) -> None:
    """Its workers that we don't have are known by name."""
    with pytest.raises(ConfigError) as caught:
        load_worker_class(name)

    assert str(caught.value).endswith(
        "a gunicorn worker that Tiamat does not have yet; use sync with more workers"
    )


@pytest.mark.parametrize(
    "name", ["uvicorn.workers.UvicornWorker", "uvicorn_worker.UvicornH11Worker", "asgi"]
)
def test_for_asgi_sync_is_no_cure(name: str) -> None:
    """There will be a worker."""
    with pytest.raises(ConfigError, match="for ASGI; Tiamat's asgi worker comes later"):
        load_worker_class(name)


def test_a_start_with_gunicorn_s_worker_is_one_line(serve: Serve) -> None:
    """And status 1, as for every wrong setting."""
    server = serve("apps.pid:app", "--worker-class=gthread")

    assert 1 == server.wait_for_exit()
    assert (
        "tiamat: error: worker_class 'gthread' is a gunicorn worker that Tiamat does"
        " not have yet; use sync with more workers\n"
    ) == server.output
