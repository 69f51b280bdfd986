"""gunicorn's class of settings."""

import argparse
from collections.abc import Iterator
from typing import Any

import pytest

from tiamat.compat.setting import KNOWN_SETTINGS, Setting, SettingMeta
from tiamat.compat.validators import validate_pos_int


@pytest.fixture
def added() -> Iterator[Any]:
    """A setting that a plugin adds, and that goes with the test."""
    attributes = {
        "name": "pool_size",
        "section": "Pool",
        "cli": ["--pool-size"],
        "validator": validate_pos_int,
        "type": int,
        "default": 5,
        "desc": "\nHow many.\n\nMore of it.\n",
    }
    yield SettingMeta("PoolSize", (Setting,), attributes)
    KNOWN_SETTINGS.pop()


def test_a_subclass_is_known(added: Any) -> None:
    """As soon as there is one."""
    assert added is KNOWN_SETTINGS[-1]


def test_a_base_is_not_known() -> None:
    """It has no name."""
    assert Setting not in KNOWN_SETTINGS


def test_it_has_the_default(added: Any) -> None:
    """Checked."""
    assert 5 == added().get() == added().value


def test_it_takes_a_value(added: Any) -> None:
    """By the rule of its validator."""
    setting = added()

    setting.set("0x10")

    assert 16 == setting.get()


def test_it_refuses_what_is_none(added: Any) -> None:
    """As its validator does."""
    with pytest.raises(ValueError, match="negative"):
        added().set(-1)


def test_a_copy_has_a_value_of_its_own(added: Any) -> None:
    """Later."""
    setting = added()
    other = setting.copy()

    other.set(7)

    assert (5, 7) == (setting.get(), other.get())


def test_the_first_line_is_the_short_description(added: Any) -> None:
    """For the help."""
    assert "How many." == added.short


def test_its_flag_is_parsed(added: Any) -> None:
    """With its type, and None if nobody gives it."""
    parser = argparse.ArgumentParser()
    added().add_option(parser)

    assert 3 == parser.parse_args(["--pool-size", "3"]).pool_size
    assert parser.parse_args([]).pool_size is None


def test_they_have_an_order(added: Any) -> None:
    """By section, and within it as they were made."""
    workers, threads = (
        next(one() for one in KNOWN_SETTINGS if one.name == name)
        for name in ("workers", "threads")
    )

    assert added() < workers < threads
