"""What takes more than one value is checked, and completed."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from tiamat.config import Config
from tiamat.errors import ConfigError


def test_without_chdir_it_is_the_directory_of_the_command(tmp_path: Path) -> None:
    """The place of the command, not that of this process."""
    config = Config.load([], {}, str(tmp_path))

    assert str(tmp_path) == config.chdir
    with pytest.raises(ConfigError, match=r"--chdir '/no/such' is no directory"):
        Config.load(["--chdir", "/no/such"], {}, str(tmp_path))


def test_a_user_that_can_not_be_had_is_called_as_it_was_typed() -> None:
    """Its name, not the number that it stands for."""
    script = """
import os
from tiamat.config import Config
Config.load(["--user=0"], {}, "/") if os.geteuid() == 0 else None
os.geteuid() or os.seteuid(65534)
Config.load(["--user=root"], {}, "/")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "--user 'root' can't be: only root runs workers as somebody" in done.stderr


def test_a_user_without_a_group_gets_his_own(tmp_path: Path) -> None:
    """Workers of another user don't keep the group of root."""
    if os.geteuid() != 0:
        pytest.skip("only root runs workers as somebody else")
    someone = pwd.getpwnam("nobody")

    config = Config.load(["-u", "nobody"], {}, str(tmp_path))
    other = Config.load(["-u", "nobody", "-g", "0"], {}, str(tmp_path))

    assert (someone.pw_uid, someone.pw_gid) == (config.user, config.group)
    assert config.origin("group") == "login group of user, --user"
    assert other.group == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--max-surge", "0"], "max_unavailable = 0 leave no way to replace a worker"),
    ],
)
def test_settings_that_contradict_each_other_are_told(
    tmp_path: Path, words: list[str], complaint: str
) -> None:
    """Each value may be right and both together wrong."""
    with pytest.raises(ConfigError) as caught:
        Config.load(words, {}, str(tmp_path))

    assert complaint in str(caught.value)


# --- Logs -------------------------------------------------------------------


@pytest.mark.parametrize(("words", "count"), [([], 1), (["--log-file", "e.log"], 0)])
def test_capturing_without_a_file_is_no_error(
    tmp_path: Path, words: list[str], count: int
) -> None:
    """What works with gunicorn works here: it has no effect, and we say so."""
    config = Config.load(["--capture-output", *words], {}, str(tmp_path))

    assert config.capture_output
    assert count == len(config.warnings)
    assert all("--capture-output: capture_output has no" in w for w in config.warnings)
