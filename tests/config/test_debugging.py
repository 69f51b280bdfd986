"""Looking before leaping."""

from tiamat.config import Config


def test_nothing_is_only_looked_at_unless_asked() -> None:
    """The command serves."""
    config = Config()

    assert not config.check_config
    assert not config.print_config
