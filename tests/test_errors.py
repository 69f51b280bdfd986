"""What people hear, and the exit statuses that process managers know."""

import pytest

from tiamat.errors import AppError, BindError, ConfigError, StartupError, TiamatError


@pytest.mark.parametrize(
    ("kind", "status"),
    [(ConfigError, 1), (BindError, 1), (StartupError, 3), (AppError, 4)],
)
def test_exit_statuses_are_gunicorns(kind: type[TiamatError], status: int) -> None:
    """
    Process managers keep their rules: 1, 3 and 4 mean what they meant.
    """
    assert status == kind("text").exit_status
