"""Worker classes of gunicorn's and of uvicorn's."""

from pathlib import Path

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


def test_uvicorn_s_own_serve_where_they_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of theirs is imported to see that; newer ones have no workers."""
    package = tmp_path / "uvicorn"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    name = "uvicorn.workers.UvicornH11Worker"
    before = foreign.ours_for(name)

    (package / "workers.py").touch()

    assert ("h11", "") == (before, foreign.ours_for(name))
    assert foreign.note(name).endswith("-k h11 does the same for less")
