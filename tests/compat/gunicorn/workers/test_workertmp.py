"""A file whose time says that its worker lives."""

import os
import time
from pathlib import Path

import pytest

from tiamat.compat.gunicorn.workers.workertmp import WorkerTmp
from tiamat.config import Config


def test_a_notice_is_the_time_of_the_file() -> None:
    """By the monotonic clock."""
    tmp = WorkerTmp(Config())
    before = time.monotonic()

    tmp.notify()

    assert before - 0.1 < tmp.last_update() < time.monotonic() + 0.1
    tmp.close()
    tmp.close()


def test_others_may_touch_it_by_its_descriptor() -> None:
    """C code does."""
    tmp = WorkerTmp(Config())

    os.utime(tmp.fileno(), (5, 5))

    assert 5.0 == tmp.last_update()
    tmp.close()


def test_it_is_in_the_directory_of_the_settings(tmp_path: Path) -> None:
    """Without a name there."""
    tmp = WorkerTmp(Config(worker_tmp_dir=str(tmp_path)))

    assert str(tmp_path) in os.readlink(f"/proc/self/fd/{tmp.fileno()}")
    assert [] == list(tmp_path.iterdir())
    tmp.close()


def test_a_directory_that_is_none_is_told() -> None:
    """By the system."""
    cfg = Config()
    cfg.values["worker_tmp_dir"] = "/no/such"

    with pytest.raises(FileNotFoundError):
        WorkerTmp(cfg)
