"""The control socket that the settings ask for."""

from pathlib import Path

import pytest

from tiamat.config import Config
from tiamat.errors import ConfigError
from tiamat.master.entrance import Entrance
from tiamat.observe.log import Log


def test_without_the_setting_there_is_none() -> None:
    """It is off by default."""
    assert Entrance().of(Config(), "") is None


def test_the_same_path_is_the_same_socket(tmp_path: Path) -> None:
    """Another path is another one, and then the first goes."""
    entrance = Entrance()
    first = entrance.of(Config(control_socket=str(tmp_path / "a")), "")
    entrance.use(first)

    assert first is entrance.of(Config(control_socket=str(tmp_path / "a")), "")

    entrance.use(entrance.of(Config(control_socket=str(tmp_path / "b")), ""))

    assert ["b"] == [path.name for path in tmp_path.iterdir()]

    entrance.use(None)

    assert [] == list(tmp_path.iterdir())


def test_what_was_made_for_nothing_goes(tmp_path: Path) -> None:
    """The one that is in use stays, also if it is the same."""
    config = Config(control_socket=str(tmp_path / "a"))
    entrance = Entrance()
    entrance.use(entrance.of(config, ""))
    entrance.leave(entrance.of(config, ""))
    entrance.leave(entrance.of(Config(control_socket=str(tmp_path / "b")), ""))

    assert ["a"] == [path.name for path in tmp_path.iterdir()]

    entrance.use(None)


def test_a_new_master_takes_the_path_when_the_old_one_is_gone(tmp_path: Path) -> None:
    """Until then it has one of its own beside it; a failure is one line."""
    path = tmp_path / "a"
    config, log = Config(control_socket=str(path)), Log(str(tmp_path / "error.log"))
    old, new = Entrance(), Entrance()
    old.use(old.of(config, ""))
    with pytest.raises(ConfigError, match="a server answers there already"):
        new.of(config, "")
    new.use(new.of(config, ".2"))

    assert (tmp_path / "a.2").exists()

    old.use(None)
    new.succeed(config, log)

    assert path.exists()
    assert not (tmp_path / "a.2").exists()

    path.unlink()
    new.succeed(config, log)

    assert path.exists()  # another master had it, and is gone

    path.unlink()
    path.mkdir()
    new.succeed(config, log)
    path.rmdir()
    log.close()

    assert "can't have the control socket" in (tmp_path / "error.log").read_text()

    new.use(None)
