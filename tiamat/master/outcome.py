"""What may become of a reload, and the words and exit statuses for it."""

from enum import Enum
from typing import Final


class Outcome(Enum):
    """What became of a reload; the number is an exit status."""

    COMMITTED = 0
    CONFIG_ERROR = 10
    BOOT_FAILED = 11
    CHECK_FAILED = 12
    ROLLED_BACK = 13
    SUPERSEDED = 14

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


REFUSALS: Final = frozenset(
    {Outcome.CONFIG_ERROR, Outcome.BOOT_FAILED, Outcome.CHECK_FAILED}
)
"""Behind these all is as it was."""
