"""Files, users, directories."""

import os
from pathlib import Path

import pytest

from tiamat.config import Config
from tiamat.errors import ConfigError


def test_workers_run_as_who_started_them_unless_asked() -> None:
    """The default user and group are our own."""
    config = Config()

    assert (config.user, config.group) == (os.geteuid(), os.getegid())


def test_the_umask_is_octal() -> None:
    """``027``, ``0o27`` and ``27`` are all 0o27, as every shell has it."""
    for text in ("027", "0o27", "27"):
        assert Config(umask=text).umask == 0o27


def test_sendfile_true_switches_it_on() -> None:
    """Here, though not in gunicorn; False and the flag switch it off."""
    assert Config(sendfile=True).sendfile
    assert not Config(sendfile=False).sendfile


def test_a_variable_without_a_value_is_refused() -> None:
    """NAME alone sets nothing."""
    with pytest.raises(ConfigError, match="write NAME=VALUE"):
        Config(raw_env=["NAME"])


def test_the_heartbeats_directory_is_accepted() -> None:
    """gunicorn's configuration files set it; it does nothing here."""
    assert Config(worker_tmp_dir="/dev/shm").worker_tmp_dir == "/dev/shm"


def test_the_control_socket_has_a_usual_place(tmp_path: Path) -> None:
    """systemd's, or the session's under the name of the server; or any path."""

    def path(*words: str, **environ: str) -> str | None:
        words = ("app:app", *words)
        return Config.load(words, environ, str(tmp_path)).control_path()

    assert path(RUNTIME_DIRECTORY="/run/a") is None
    assert "/run/a/control" == path("--control-socket=true", RUNTIME_DIRECTORY="/run/a")
    assert "/run/user/7/tiamat/app:app" == path(
        "--control-socket=true", XDG_RUNTIME_DIR="/run/user/7"
    )
    assert "/run/user/7/tiamat/shop" == path(
        *("--control-socket=true", "--name=shop"), XDG_RUNTIME_DIR="/run/user/7"
    )
    assert "/x" == path("--control-socket=/x", RUNTIME_DIRECTORY="/run/a")
    assert path("--control-socket=/x", "--no-control-socket") is None
    with pytest.raises(ConfigError, match=r"RUNTIME_DIR is set; give a path"):
        path("--control-socket=true")
