"""Whose a worker class is."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tiamat.workers import foreigners, load_worker_class
from tiamat.workers.sync import SyncWorker

THEIRS = """
class Theirs:
    def init_process(self): pass
    def run(self): pass
    def notify(self): pass
"""


class Duck:
    """What gunicorn drives, without a base."""

    def init_process(self) -> None:
        """Become a worker."""

    def run(self) -> None:
        """Serve."""

    def notify(self) -> None:
        """Live."""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory where modules can be imported from."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_class_is_known_by_what_it_has() -> None:
    """The three methods that are gunicorn's contract, and no base of ours."""
    assert foreigners.is_foreign(Duck)
    assert not foreigners.is_foreign(SyncWorker)
    assert not foreigners.is_foreign(dict)
    assert not foreigners.is_foreign(Duck())


ASK = """
import sys
from tiamat.errors import ConfigError
from tiamat.workers import foreigners
try:
    print(foreigners.whose("looked_at:Theirs"), "looked_at" in sys.modules)
except ConfigError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (THEIRS, "foreign False"),
        ("from tiamat.workers.sync import SyncWorker as Theirs", "ours False"),
        ("raise RuntimeError('no')", "can't be imported: RuntimeError: no"),
        ("x = 1", "has no 'Theirs'"),
        ("import os; os._exit(7)", "ends or blocks the process that imports it"),
    ],
)
def test_a_process_of_its_own_looks(tmp_path: Path, text: str, answer: str) -> None:
    """So the master imports nothing, whatever the module does to its process."""
    (tmp_path / "looked_at.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer in done.stdout


def test_a_stand_in_knows_the_class_by_its_path() -> None:
    """The class is for the workers to import."""
    kind: Any = foreigners.stand_in("shop.workers:Fast")

    assert "shop.workers:Fast" == kind.kind
    assert "wsgi" in kind.interfaces


def test_a_class_itself_gets_a_stand_in() -> None:
    """What gunicorn calls by our name is ours, though."""

    class Sync(Duck):
        __module__ = "gunicorn.workers.sync"

    Sync.__name__ = "SyncWorker"

    stand_in: Any = load_worker_class(Duck)
    assert Duck is stand_in.kind
    assert SyncWorker is load_worker_class(Sync)


def test_entry_points_of_gunicorn_s_group_are_found(modules: Path) -> None:
    """By name, or with the package that has it."""
    info = modules / "their_server-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: their-server\nVersion: 1.0\n")
    points = "[gunicorn.workers]\ntheirs = their_server.workers:Theirs\n"
    (info / "entry_points.txt").write_text(points)

    names = ("theirs", "egg:their_server#theirs", "egg:other#theirs", "a.b", "others")
    path = "their_server.workers:Theirs"
    assert [path, path, "", "", ""] == [foreigners.entry_point(one) for one in names]
