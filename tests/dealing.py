"""Which test comes when, where several processes run them: the longest first."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def dealt(
    items: Sequence[Item], count: int, length: Callable[[Item], float]
) -> list[Item]:
    """
    Deal out items as cards, the longest first.

    pytest-xdist gives each of *count* processes a stretch of the list, and who has
    finished takes from the ends of the others' (``--dist worksteal``). So each begins
    with long ones, and what is left to take is short.

    Returns:
        One stretch behind the other; later ones may be longer by one.
    """
    ordered = sorted(items, key=length, reverse=True)
    return [item for first in reversed(range(count)) for item in ordered[first::count]]
