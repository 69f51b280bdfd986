"""Worker classes of gunicorn's and of uvicorn's."""

import pytest

from tiamat.config import Config, foreign


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("gunicorn.workers.gthread.ThreadWorker", "threads"),
        ("gunicorn.workers.ggevent:GeventWorker", "gevent"),
        ("egg:gunicorn#gevent_pywsgi", "gevent_pywsgi"),
        ("uvicorn_worker.UvicornWorker", "asgi"),
        ("uvicorn.workers:UvicornH11Worker", "h11"),
        ("aiohttp.GunicornWebWorker", ""),
        ("sync", ""),
    ],
)
def test_ours_does_the_same(name: str, ours: str) -> None:
    """By the path of theirs, with points or with a colon."""
    assert ours == foreign.ours_for(name)


def test_who_names_uvicorn_s_hears_of_ours() -> None:
    """For its settings are not ours; gunicorn's own need no word."""
    (warning,) = Config(worker_class="uvicorn.workers.UvicornWorker").warnings

    assert warning.endswith("Tiamat's own asgi serves in its place")
    assert [] == Config(worker_class="gunicorn.workers.sync.SyncWorker").warnings
    assert "" == foreign.note(Config)
