"""Where workers go that a subclass of ``Arbiter`` spawns; the rest is tested there."""

from tiamat.compat.arbiting import place, replace_surplus
from tiamat.master.member import Member
from tiamat.master.roster import Roster


def roster(*slots: int) -> Roster:
    """Two workers wanted, and one in each of these slots, the oldest first."""
    made = Roster(2)
    for since, slot in enumerate(slots):
        made.add(Member(slot, 1, 100 + since, float(since)))
    return made


def test_a_worker_more_goes_where_one_is_missing() -> None:
    """If there is such a slot."""
    assert 1 == place(roster(0))


def test_a_worker_more_joins_the_oldest_one() -> None:
    """Which it is to replace."""
    assert 1 == place(roster(1, 0))


def test_another_one_joins_the_next_oldest() -> None:
    """So that each of them is replaced once."""
    assert 0 == place(roster(1, 0, 1))


def test_a_worker_that_is_due_is_none() -> None:
    """Its slot is the one that wants another."""
    wanting = roster(0, 1)
    wanting.slot(1).members[0].due = "kill_worker(SIGTERM)"

    assert 1 == place(wanting)


def test_the_newest_of_a_slot_stays() -> None:
    """The others are due, and those of other slots are not."""
    crowded = roster(0, 1, 0)
    replace_surplus(crowded)

    due = [bool(member.due) for member in crowded.members()]
    assert [True, False, False] == due
