"""Files, users, directories."""

import os

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
