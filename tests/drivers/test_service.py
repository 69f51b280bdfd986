"""What connections need."""

import pytest

from tiamat.drivers.service import Timeouts


def test_every_wait_has_a_bound() -> None:
    """
    By default no client keeps us waiting for ever, whatever it waits with.
    """
    timeouts = Timeouts()

    assert all(
        0 < seconds < 60
        for seconds in (
            timeouts.header, timeouts.body, timeouts.write, timeouts.keepalive,
            timeouts.linger,
        )
    )  # fmt: skip


@pytest.mark.parametrize(("size", "seconds"), [(0, 10), (2400, 10), (24_000, 100)])
def test_a_body_may_take_as_long_as_its_size_says(size: int, seconds: float) -> None:
    """240 bytes a second, and ten seconds whatever it is."""
    assert seconds == Timeouts().allowed(size)
