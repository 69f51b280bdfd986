"""gunicorn's settings that Tiamat does not have yet."""

from tiamat.config import later


def test_what_would_be_dangerous_to_leave_out_is_among_them() -> None:
    """Whoever reads the complaint hears of a cure."""
    assert set(later.FLAGS) >= set(later.FATAL)
