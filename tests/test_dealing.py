"""The longest tests come first."""

from dealing import dealt


def test_each_stretch_begins_with_a_long_one() -> None:
    """And the second half of the list is for the second process."""
    assert [4, 2, 0, 5, 3, 1] == dealt(range(6), 2, float)


def test_what_is_left_over_is_in_the_later_stretches() -> None:
    """As pytest-xdist cuts: the first has two, the others three."""
    assert [5, 2, 6, 3, 0, 7, 4, 1] == dealt(range(8), 3, float)


def test_those_of_one_length_keep_their_order() -> None:
    """Who uses one fixture, stays together."""
    assert ["bb", "a", "c"] == dealt(["a", "bb", "c"], 1, len)
