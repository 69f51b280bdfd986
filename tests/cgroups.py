"""Control groups in which a test lets little be had; where it may make some."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiamat.system import cgroup


@contextlib.contextmanager
def group(controller: str) -> Iterator[Path]:
    """A new group below our own, whose processes may be many; else skip the test."""
    groups = cgroup.groups(controller, cgroup.ROOT)
    above = next((here for here, _, version_2 in groups if not version_2), None)
    if above is None:
        pytest.skip(f"needs a control group of version 1 for {controller}")
    directory = above / f"tiamat-test-{os.getpid()}-{time.monotonic_ns()}"
    try:
        directory.mkdir()
    except OSError as error:
        pytest.skip(f"can't make a control group: {error}")
    try:
        yield directory
    finally:
        for _ in range(100):  # its last process may be a zombie for a moment
            with contextlib.suppress(OSError):
                directory.rmdir()
                break
            time.sleep(0.1)


def move(pid: int, directory: Path) -> None:
    """Have this process, and what it forks later, in a group."""
    (directory / "cgroup.procs").write_text(str(pid))
