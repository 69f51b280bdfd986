"""A setting is declared once, and reads as its value."""

from typing import assert_type

import pytest

from tiamat.config import Config, kinds
from tiamat.config.setting import Section, Setting


class Garden(Section):
    """The garden"""

    flowers = Setting(
        "-f",
        "--flowers",
        type=kinds.count,
        default=3,
        help="""
            How many flowers
            there are.

            More is better.
        """,
    )
    secret = Setting(type=kinds.text, default="", help="Nobody knows.")


class House(Section):
    """The house"""

    rooms = Setting("--rooms", type=kinds.count, default=2, help="Rooms.")


class Estate(House, Garden):
    """All of it"""


def test_a_setting_reads_as_a_value_of_its_type() -> None:
    """``config.keepalive`` is a float, to the reader and to the type checker."""
    config = Config(keepalive=5)

    assert_type(config.keepalive, float)
    assert_type(config.pidfile, str | None)
    assert_type(config.bind, list[str])
    assert config.keepalive == 5.0


def test_a_setting_cannot_be_assigned() -> None:
    """A value without an origin would make --print-config lie."""
    config = Config()

    with pytest.raises(AttributeError, match="settings are read-only: workers"):
        config.workers = 3


def test_the_class_gives_the_setting_itself() -> None:
    """Flags, help and default can be looked at, for the manual and the parser."""
    setting = Garden.flowers

    assert isinstance(setting, Setting)
    assert setting.name == "flowers"
    assert Garden is setting.chapter
    assert setting.flag == "--flowers"
    assert Garden.secret.flag == ""


def test_the_first_paragraph_of_the_help_is_its_summary() -> None:
    """One sentence is for --help, all of it for the manual."""
    assert Garden.flowers.summary == "How many flowers there are."
    assert Garden.flowers.help.endswith("\n\nMore is better.")


def test_chapters_are_in_the_order_of_the_manual() -> None:
    """The last base comes first, as Python looks them up from the other end."""
    assert list(Estate.settings) == ["flowers", "secret", "rooms"]


def test_every_setting_has_a_help_text_and_a_good_default() -> None:
    """The manual has no gap; a default is a value that its own kind accepts."""
    for setting in Config.settings.values():
        assert setting.summary.endswith((".", ":", "not.")), setting.name
        assert setting.kind.convert(setting.default) == setting.default, setting.name


def test_flags_belong_to_one_setting_only() -> None:
    """No flag means two things."""
    flags = [flag for setting in Config.settings.values() for flag in setting.flags]

    assert len(set(flags)) == len(flags)
