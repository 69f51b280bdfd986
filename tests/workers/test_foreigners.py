"""Whose a worker class is."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tiamat.errors import ConfigError
from tiamat.workers import foreigners, load_worker_class
from tiamat.workers.sync import SyncWorker

THEIRS = """
class Theirs:
    def init_process(self): pass
    def run(self): pass
    def notify(self): pass
"""

OURS = "from tiamat.workers.sync import SyncWorker as Ours"


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


@pytest.mark.parametrize(("text", "whose"), [(THEIRS, "foreign"), (OURS, "ours")])
def test_a_process_of_its_own_looks(modules: Path, text: str, whose: str) -> None:
    """The master does not import what is not ours."""
    name = f"looked_at_{whose}"
    (modules / f"{name}.py").write_text(text)
    kind = "Theirs" if whose == "foreign" else "Ours"

    assert whose == foreigners.whose(f"{name}:{kind}")
    assert name not in sys.modules


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("raise RuntimeError('no')", "can't be imported: RuntimeError: no"),
        ("x = 1", "has no 'Theirs'"),
        ("import os; os._exit(7)", "ends or blocks the process that imports it"),
    ],
)
def test_what_can_not_be_imported_is_told(
    modules: Path, text: str, complaint: str
) -> None:
    """Whatever it does to the process that tries."""
    name = f"broken_{len(text)}"
    (modules / f"{name}.py").write_text(text)

    with pytest.raises(ConfigError, match=complaint):
        foreigners.whose(f"{name}.Theirs")


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
