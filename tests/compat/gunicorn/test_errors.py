"""gunicorn's exceptions."""

from tiamat.compat.gunicorn.errors import HaltServer


def test_no_handler_of_exceptions_takes_the_end() -> None:
    """It is none of those that code catches."""
    assert not issubclass(HaltServer, Exception)


def test_the_end_has_a_status() -> None:
    """That of the command."""
    assert 3 == HaltServer("no worker", 3).exit_status
