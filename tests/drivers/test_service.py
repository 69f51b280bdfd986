"""What connections need."""

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
