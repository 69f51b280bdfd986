"""All settings, and where the value of each came from."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiamat.config import Config
from tiamat.errors import ConfigError


@pytest.fixture(autouse=True)
def same_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Directory, path and environment are afterwards what they were before."""
    cwd, path = os.getcwd(), sys.path[:]
    monkeypatch.setenv("TIAMAT_TEST_OLD", "old")
    monkeypatch.delenv("TIAMAT_TEST_NEW", raising=False)
    yield
    os.chdir(cwd)
    sys.path[:] = path


def test_values_may_be_given_in_code() -> None:
    """``Config(workers="2")`` has the defaults and these, checked like any."""
    config = Config(workers="2", wsgi_app="a:b")

    assert config.workers == 2
    assert config.app == "a:b"
    assert config.origin("workers") == "Config(workers=…)"
    with pytest.raises(ConfigError, match="nonsense is no setting"):
        Config(nonsense=1)


def test_defaults_are_nobodys_to_change() -> None:
    """A list of one Config is not that of the next."""
    Config().bind.append("x")

    assert Config().bind == ["127.0.0.1:8000"]


def test_a_relative_chdir_is_meant_from_where_the_command_was_given(
    tmp_path: Path,
) -> None:
    """Also on a reload, when the process works somewhere else."""
    (tmp_path / "site").mkdir()
    config = Config.load(["--chdir", "site"], {}, str(tmp_path))
    config.enter()

    again = config.read_again()

    assert str(tmp_path / "site") == config.chdir == again.chdir == os.getcwd()


def test_a_reload_reads_the_sources_again(tmp_path: Path) -> None:
    """The old object stays as it was."""
    file = tmp_path / "tiamat.conf.py"
    file.write_text("workers = 2")
    old = Config.load(["-t", "5"], {"PORT": "1"}, str(tmp_path))
    file.write_text("workers = 3")

    new = old.read_again()

    assert (old.workers, new.workers) == (2, 3)
    assert (new.timeout, new.bind) == (5.0, ["0.0.0.0:1"])


def test_a_failed_reload_changes_nothing(tmp_path: Path) -> None:
    """Neither the settings nor the environment of the process."""
    file = tmp_path / "tiamat.conf.py"
    file.write_text("raw_env = ['TIAMAT_TEST_NEW=1']")
    config = Config.load([], {}, str(tmp_path))
    config.enter()
    file.write_text("workers = ")

    with pytest.raises(ConfigError, match=r"tiamat\.conf\.py, line 1"):
        config.read_again()

    assert config.workers == 1
    assert os.environ["TIAMAT_TEST_NEW"] == "1"


def test_a_reload_reads_files_where_the_command_was_given(tmp_path: Path) -> None:
    """A file that opens others by relative paths does so on every reload."""
    (tmp_path / "site").mkdir()
    (tmp_path / "count").write_text("3")
    (tmp_path / "tiamat.conf.py").write_text(
        "with open('count') as _file: workers = int(_file.read())\n"
    )
    config = Config.load(["--chdir", "site"], {}, str(tmp_path))
    config.enter()

    assert config.read_again().workers == 3
    assert str(tmp_path / "site") == os.getcwd()


def test_variables_come_and_go_with_their_settings(tmp_path: Path) -> None:
    """``raw_env`` is undone before other settings come, as in gunicorn."""
    pairs = ["-e", "TIAMAT_TEST_NEW=1", "-e", "TIAMAT_TEST_OLD=a=b"]
    config = Config.load(pairs, {}, str(tmp_path))

    config.enter()
    inside = (os.environ["TIAMAT_TEST_NEW"], os.environ["TIAMAT_TEST_OLD"])
    config.leave()

    assert inside == ("1", "a=b")
    assert "TIAMAT_TEST_NEW" not in os.environ
    assert os.environ["TIAMAT_TEST_OLD"] == "old"


def test_a_file_does_not_see_the_variables_of_the_old_settings(tmp_path: Path) -> None:
    """What a reload reads does not depend on what was set before."""
    (tmp_path / "tiamat.conf.py").write_text(
        "import os\nworkers = int(os.environ.get('TIAMAT_TEST_NEW', 0)) + 1\n"
        "raw_env = ['TIAMAT_TEST_NEW=7']\n"
    )
    config = Config.load([], {}, str(tmp_path))
    config.enter()

    again = config.read_again()

    config.leave()
    assert (config.workers, again.workers) == (1, 1)


def test_python_looks_for_modules_where_the_settings_say(tmp_path: Path) -> None:
    """First in ``chdir``, then in the directories of ``pythonpath``."""
    for name in ("site", "lib", "more"):
        (tmp_path / name).mkdir()
    words = ["--chdir", "site", "--pythonpath", f"../lib, {tmp_path}/more"]
    config = Config.load(words, {}, str(tmp_path))
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]

    config.enter()

    expected = [str(tmp_path / name) for name in ("site", "lib", "more")]
    assert expected == sys.path[:3]


def test_modules_that_changed_since_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload can't renew what the file imports, but says so."""
    helper = tmp_path / "tiamat_test_changing.py"
    helper.write_text("x = 1")
    (tmp_path / "tiamat.conf.py").write_text("import tiamat_test_changing")
    config = Config.load([], {}, str(tmp_path))
    assert config.changed_modules() == []
    os.utime(helper, (1, 1))

    again = config.read_again()

    assert again.changed_modules() == ["tiamat_test_changing"]
    monkeypatch.delitem(sys.modules, "tiamat_test_changing")
