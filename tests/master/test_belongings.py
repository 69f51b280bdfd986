"""The pid file and the control socket that the settings ask for."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiamat.config import Config
from tiamat.errors import ConfigError
from tiamat.master.belongings import Belonging, entrance, pidfile
from tiamat.observe.log import Log

Make = Callable[[], Belonging[Any]]

BOTH = pytest.mark.parametrize(
    ("make", "setting"), [(pidfile, "pidfile"), (entrance, "control_socket")]
)


def names(directory: Path) -> list[str]:
    """Which files there are."""
    return sorted(path.name for path in directory.iterdir())


@BOTH
def test_without_the_setting_there_is_none(make: Make, setting: str) -> None:
    """Both are off by default."""
    assert make().of(Config(), "") is None


@BOTH
def test_the_same_path_is_the_same_file(
    make: Make, setting: str, tmp_path: Path
) -> None:
    """Another path is another one, and then the first goes."""
    one = make()
    first = one.of(Config(**{setting: str(tmp_path / "a")}), "")
    one.use(first)

    assert first is one.of(Config(**{setting: str(tmp_path / "a")}), "")

    one.use(one.of(Config(**{setting: str(tmp_path / "b")}), ""))

    assert ["b"] == names(tmp_path)

    one.use(None)

    assert [] == names(tmp_path)


@BOTH
def test_what_was_made_for_nothing_goes(
    make: Make, setting: str, tmp_path: Path
) -> None:
    """The one that is in use stays, also if it is the same."""
    config = Config(**{setting: str(tmp_path / "a")})
    one = make()
    one.use(one.of(config, ""))
    one.leave(one.of(config, ""))
    one.leave(one.of(Config(**{setting: str(tmp_path / "b")}), ""))

    assert ["a"] == names(tmp_path)

    one.use(None)


@BOTH
def test_one_that_can_not_be_had_leaves_the_first(
    make: Make, setting: str, tmp_path: Path
) -> None:
    """The master is still found where it was."""
    (tmp_path / "file").touch()
    one = make()
    one.use(one.of(Config(**{setting: str(tmp_path / "a")}), ""))
    first = one.file
    with pytest.raises(ConfigError, match=r"file/b: (Not a directory|File exists)"):
        one.of(Config(**{setting: str(tmp_path / "file" / "b")}), "")

    assert first is one.file
    assert ["a", "file"] == names(tmp_path)

    one.use(None)


@BOTH
def test_a_new_master_takes_the_path_when_the_old_one_is_gone(
    make: Make, setting: str, tmp_path: Path
) -> None:
    """Until then it has one of its own beside it; a failure is one line."""
    path = tmp_path / "a"
    log = Log(str(tmp_path / "error.log"))
    config = Config(**{setting: str(path)})
    old, new = make(), make()
    old.use(old.of(config, ""))
    new.use(new.of(config, ".2"))

    assert ["a", "a.2", "error.log"] == names(tmp_path)

    old.use(None)
    new.succeed(config, log)

    assert ["a", "error.log"] == names(tmp_path)

    path.unlink()
    new.succeed(config, log)

    assert path.exists()  # another master had it, and is gone

    path.unlink()
    path.mkdir()
    new.succeed(config, log)
    path.rmdir()
    log.close()

    assert f"can't have the {new.name}: " in (tmp_path / "error.log").read_text()

    new.use(None)


@BOTH
def test_what_a_new_master_left_is_removed(
    make: Make, setting: str, tmp_path: Path
) -> None:
    """It was killed; what another process still holds, stays."""
    config = Config(**{setting: str(tmp_path / "a")})
    one, killed = make(), make()
    one.use(one.of(config, ""))
    killed.use(killed.of(config, ".2"))
    killed.forget()

    assert ["a", "a.2"] == names(tmp_path)

    one.tidy_up(config, ".2")
    one.tidy_up(config, ".2")

    assert ["a"] == names(tmp_path)

    one.use(None)


def test_the_pid_file_names_the_master(tmp_path: Path) -> None:
    """Its number and a newline."""
    path = tmp_path / "tiamat.pid"
    one = pidfile()
    one.use(one.of(Config(pidfile=str(path)), ""))

    assert f"{os.getpid()}\n" == path.read_text()

    one.use(None)


def test_a_control_socket_that_answers_is_not_taken(tmp_path: Path) -> None:
    """Whoever asks there must reach the server that was there first."""
    config = Config(control_socket=str(tmp_path / "a"))
    old, new = entrance(), entrance()
    old.use(old.of(config, ""))
    with pytest.raises(ConfigError, match="a server answers there already"):
        new.of(config, "")

    old.use(None)
