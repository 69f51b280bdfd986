"""What code that was written for gunicorn asks of the settings."""

import os

import pytest

from tiamat.config import Config
from tiamat.errors import ConfigError


def test_settings_have_their_values() -> None:
    """``cfg.settings[name].value``, on this object and no other."""
    one, other = Config(threads=4), Config()

    assert (4, 1) == (one.settings["threads"].value, other.settings["threads"].get())
    with pytest.raises(AttributeError, match="threads has no value without a Config"):
        _ = Config.settings["threads"].value


def test_a_setting_can_be_set_by_a_hook() -> None:
    """And is checked as everywhere."""
    config = Config()
    config.set("workers", "3")

    assert (3, "a hook") == (config.workers, config.origin("workers"))
    with pytest.raises(ConfigError, match="a hook: workesr is no setting"):
        config.set("workesr", 3)


def test_other_names_mean_settings() -> None:
    """Environment, addresses, user, and the class of the workers in a word."""
    config = Config(raw_env=["A=1", "B=2=3"], bind="a:1")

    assert {"A": "1", "B": "2=3"} == config.env
    assert ["a:1"] == config.address
    assert (os.geteuid(), os.getegid()) == (config.uid, config.gid)
    assert "sync" == config.worker_class_str
    assert "gthread" == Config(threads=2).worker_class_str
    assert "Config" == Config(worker_class=Config).worker_class_str
