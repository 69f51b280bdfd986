"""Developing, and looking before leaping."""

import sys

import pytest

from tiamat.config import Config
from tiamat.errors import ConfigError


def test_nothing_is_only_looked_at_unless_asked() -> None:
    """The command serves."""
    config = Config()

    assert not config.check_config
    assert not config.print_config


def test_files_are_watched_only_if_asked() -> None:
    """It is for who develops; the engine is chosen then."""
    config = Config()

    assert not config.reload
    assert ("auto", []) == (config.reload_engine, config.reload_extra_files)


def test_without_what_watches_files_there_is_no_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)

    with pytest.raises(ConfigError) as caught:
        Config(reload=True)

    assert "reload = True needs the package watchfiles: pip install" in str(
        caught.value
    )
    assert not Config().reload
