"""What becomes of a reload has a number for scripts and words for people."""

import pytest

from tiamat.master.outcome import REFUSALS, Outcome


@pytest.mark.parametrize(
    ("outcome", "status", "words", "refused"),
    [
        (Outcome.COMMITTED, 0, "committed", False),
        (Outcome.CONFIG_ERROR, 10, "config error", True),
        (Outcome.BOOT_FAILED, 11, "boot failed", True),
        (Outcome.CHECK_FAILED, 12, "check failed", True),
        (Outcome.ROLLED_BACK, 13, "rolled back", False),
        (Outcome.SUPERSEDED, 14, "superseded", False),
    ],
)
def test_an_outcome_is_a_status_and_words(
    outcome: Outcome, status: int, words: str, refused: bool
) -> None:
    """The numbers are in the documentation of ``tiamatctl reload``."""
    assert status == outcome.value
    assert words == str(outcome)
    assert refused is (outcome in REFUSALS)
