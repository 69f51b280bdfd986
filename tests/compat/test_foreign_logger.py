"""Loggers that know gunicorn's contract and nothing of ours."""

import logging
from typing import Any

import pytest

from tiamat.compat.foreign_logger import ForeignLogger
from tiamat.config import Config
from tiamat.config.named import open_log
from tiamat.errors import ConfigError


class Theirs:
    """A logger class that has no base of ours."""

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.error_log = logging.getLogger("theirs.error")
        self.said: list[tuple[Any, ...]] = []

    def info(self, msg: object, *args: object, **options: Any) -> None:
        """Keep it."""
        self.said.append(("info", msg, *args))

    def access(self, *seen: Any) -> None:
        """Keep it."""
        self.said.append(("access", *seen))

    def reopen_files(self) -> None:
        """Keep it."""
        self.said.append(("reopen",))


class Broken(Theirs):
    """One that can't be made."""

    def __init__(self, cfg: Config) -> None:
        raise RuntimeError("no")


def test_a_logger_without_our_base_is_used_by_its_contract() -> None:
    """Made with the settings; what it lacks of ours is done for it."""
    log: Any = open_log(Config(logger_class=Theirs, loglevel="error"))

    log.info("%d workers", 3)
    log.access(1, 2, 3, 4)
    log.hold()
    log.flush()
    log.reopen()
    log.chown(0, 0)
    log.detach()

    assert isinstance(log, ForeignLogger)
    assert "error" == log.cfg.loglevel
    assert log.error_log is logging.getLogger("theirs.error")
    assert log.access_log is logging.getLogger("gunicorn.access")
    assert log.access_wanted
    expected = [("info", "%d workers", 3), ("access", 1, 2, 3, 4), ("reopen",)]
    assert expected == log.said


def test_one_that_cannot_be_made_is_told() -> None:
    """With the setting that names it."""
    with pytest.raises(ConfigError, match=r"logger_class = .*Broken.* fails: Runtime"):
        open_log(Config(logger_class=Broken))
