"""Where the server listens."""

from tiamat.config import Config


def test_nobody_outside_is_served_unless_asked() -> None:
    """The default address is local, on gunicorn's port."""
    config = Config()

    assert config.bind == ["127.0.0.1:8000"]
    assert config.backlog == 2048


def test_one_address_or_several() -> None:
    """A file may have a text or a list."""
    assert Config(bind="unix:/run/x").bind == ["unix:/run/x"]
    assert Config(bind=["a:1", "b:2"]).bind == ["a:1", "b:2"]
