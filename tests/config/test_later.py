"""gunicorn's settings that Tiamat does not have yet."""

from tiamat.config import later


def test_what_would_be_dangerous_to_leave_out_is_among_them() -> None:
    """A server that was told of a certificate never serves in clear text."""
    assert set(later.FLAGS) >= set(later.FATAL)
