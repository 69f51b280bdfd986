"""A pid file and its lock."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tiamat.errors import ConfigError
from tiamat.system.pidfile import PidFile

OWNER = """
import sys
from tiamat.system.pidfile import PidFile
PidFile(sys.argv[1])
print(flush=True)
input()
"""

TAKE = """
import sys
from tiamat.errors import TiamatError
from tiamat.system.pidfile import PidFile
try:
    PidFile(sys.argv[1])
except TiamatError as error:
    print(error)
"""


@contextmanager
def owner(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the pid file until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def complaint_of_another(path: Path) -> str:
    """What another process says that tries to take the file; empty if it can."""
    command = [sys.executable, "-c", TAKE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_file_has_the_pid(tmp_path: Path) -> None:
    """One line, for scripts that send signals; removed in the end."""
    path = tmp_path / "tiamat.pid"
    file = PidFile(str(path))

    assert path.read_text() == f"{os.getpid()}\n"
    assert path.stat().st_mode & 0o022 == 0

    file.remove()

    assert not path.exists()


def test_a_file_of_a_running_server_is_refused(tmp_path: Path) -> None:
    """The error names its pid, and the file stays as it is."""
    path = tmp_path / "tiamat.pid"
    with owner(path) as process:
        with pytest.raises(ConfigError, match=f"running server, pid {process.pid}"):
            PidFile(str(path))

        assert path.read_text() == f"{process.pid}\n"


def test_a_file_left_behind_is_taken(tmp_path: Path) -> None:
    """After a crash nobody has to remove it."""
    path = tmp_path / "tiamat.pid"
    with owner(path):
        pass

    assert path.exists()

    file = PidFile(str(path))

    assert path.read_text() == f"{os.getpid()}\n"

    file.remove()


@pytest.mark.parametrize("text", ["1\n", "", "no pid", "9" * 1000])
def test_the_lock_is_the_truth(tmp_path: Path, text: str) -> None:
    """What the file says is nothing: that number may be another program's now."""
    path = tmp_path / "tiamat.pid"
    path.write_text(text)
    file = PidFile(str(path))

    assert path.read_text() == f"{os.getpid()}\n"

    file.remove()


def test_a_renamed_file_keeps_its_lock(tmp_path: Path) -> None:
    """The new master takes the old one's path; the old one still holds its own."""
    path, old = tmp_path / "tiamat.pid", tmp_path / "tiamat.pid.old"
    file = PidFile(str(path))
    file.rename(str(old))

    assert "belongs to a running server" in complaint_of_another(old)
    assert complaint_of_another(path) == ""

    file.remove()

    assert not old.exists()
    assert path.exists()


def test_the_file_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    """Who removed ours and wrote another keeps that."""
    path = tmp_path / "tiamat.pid"
    file = PidFile(str(path))
    path.unlink()
    path.write_text("4711\n")
    file.remove()

    assert path.read_text() == "4711\n"


def test_a_removed_file_is_no_error(tmp_path: Path) -> None:
    """Somebody cleaned up before us."""
    path = tmp_path / "tiamat.pid"
    file = PidFile(str(path))
    path.unlink()
    file.remove()

    assert not path.exists()


def test_a_place_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """It says which file and why."""
    path = tmp_path / "missing" / "tiamat.pid"

    with pytest.raises(ConfigError, match=rf"{path}: No such file or directory"):
        PidFile(str(path))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """In a directory of many users it could lead to any file of root's."""
    target, path = tmp_path / "precious", tmp_path / "tiamat.pid"
    target.write_text("precious")
    path.symlink_to(target)

    with pytest.raises(ConfigError, match="can't write the pid file"):
        PidFile(str(path))
    assert target.read_text() == "precious"
