"""Developing, and looking before leaping."""

from tiamat.config import Config


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


def test_nothing_is_traced_unless_asked() -> None:
    """It would be very slow."""
    assert not Config().spew
