"""gunicorn's file that names the master."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tiamat.compat.gunicorn.pidfile import Pidfile


def test_it_has_the_pid(tmp_path: Path) -> None:
    """As long as it is there."""
    path = tmp_path / "pid"
    file = Pidfile(path)

    file.create(os.getpid())

    assert f"{os.getpid()}\n" == path.read_text()
    assert os.getpid() == file.pid == file.validate()
    file.unlink()
    assert not path.exists()


def test_it_moves(tmp_path: Path) -> None:
    """With what is in it."""
    file = Pidfile(tmp_path / "pid")
    file.create(os.getpid())

    file.rename(tmp_path / "other")

    assert [tmp_path / "other"] == list(tmp_path.iterdir())
    file.unlink()
    assert [] == list(tmp_path.iterdir())


def test_another_process_holds_it(tmp_path: Path) -> None:
    """It is left to that."""
    path = tmp_path / "pid"
    code = f"""
import os
from tiamat.compat.gunicorn.pidfile import Pidfile
Pidfile({str(path)!r}).create(os.getpid())
print("there", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert b"there\n" == other.stdout.readline()

        with pytest.raises(RuntimeError, match=rf"pid {other.pid}"):
            Pidfile(path).create(os.getpid())

        other.communicate(b"\n")


@pytest.mark.parametrize("text", ["", "no number", "999999999"])
def test_a_file_of_nobody(tmp_path: Path, text: str) -> None:
    """Names no process."""
    path = tmp_path / "pid"
    path.write_text(text)

    assert Pidfile(path).validate() is None


def test_a_process_writes_its_own() -> None:
    """Not another's."""
    with pytest.raises(ValueError, match="its own pid"):
        Pidfile("x").create(1)
