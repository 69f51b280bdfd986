"""The sign of life of a worker that touches a file."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiamat.master.pulse import TouchedFile


@pytest.fixture
def file(tmp_path: Path) -> Iterator[TouchedFile]:
    """A file, seen at the time 100."""
    made = TouchedFile(os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR), 100.0)
    yield made
    made.close()


def test_who_touches_nothing_is_silent(file: TouchedFile) -> None:
    """Since the file came."""
    assert [100.0, 100.0] == [file.heartbeat(110.0), file.heartbeat(120.0)]


@pytest.mark.parametrize("times", [(5.0, 5.0), None])
def test_a_touch_is_a_sign_of_life(
    tmp_path: Path, times: tuple[float, float] | None
) -> None:
    """By whatever clock its time is set: the kernel knows when that was."""
    began = time.monotonic()
    file = TouchedFile(os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR), began)
    os.utime(file.fd, times)

    assert began < file.heartbeat(time.monotonic()) <= time.monotonic()
    file.close()


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_was_set_kills_nobody(
    file: TouchedFile, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """What has changed then, has changed now."""
    file.heartbeat(200.0)
    os.utime(file.fd, (0, 0))
    then = time.time() + hours * 3600
    monkeypatch.setattr("tiamat.master.pulse.time.time", lambda: then)

    assert 230.0 == file.heartbeat(230.0)
