"""A worker's life is a table, and every row of it is looked at."""

import pytest

from tiamat.master.member import TRANSITIONS, Event, Member, State

TABLE = {
    State.BOOTING: "ready  -        draining killed  gone",
    State.READY: "-      serving  draining killed  gone",
    State.SERVING: "-      -        draining killed  gone",
    State.DRAINING: "draining - draining killed gone",
    State.KILLED: "killed - killed   killed  gone",
    State.GONE: "-      -        -        -       -",
}
"""What READY, ADMIT, RETIRE, SILENT and EXIT make of each state."""


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_event_in_every_state(state: State, event: Event) -> None:
    """An event leads where the table says, or can't happen and changes nothing."""
    member = Member(0, 1, 100, since=1.0, state=state)
    expected = TABLE[state].split()[list(Event).index(event)]
    if expected == "-":
        with pytest.raises(KeyError):
            member.move(event, 2.0)

        assert state is member.state
        assert 1.0 == member.since
        return

    member.move(event, 2.0)

    assert State(expected) is member.state


def test_no_state_is_forgotten() -> None:
    """Every state has its row, and every living one can end."""
    assert set(State) == set(TRANSITIONS)
    assert (
        set(State) - {State.GONE}
        == {s for s, t in TRANSITIONS.items() if t}
        == {s for s, t in TRANSITIONS.items() if t.get(Event.EXIT) is State.GONE}
    )


def test_since_is_when_the_state_changed() -> None:
    """An event that changes nothing does not make a worker younger."""
    member = Member(0, 1, 100, since=1.0, state=State.BOOTING)
    member.move(Event.RETIRE, 2.0)
    member.move(Event.RETIRE, 3.0)

    assert 2.0 == member.since


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.BOOTING, "stays wanted can_retire hurries"),
        (State.READY, "stays wanted can_retire"),
        (State.SERVING, "stays wanted can_retire serves beats"),
        (State.DRAINING, "beats hurries"),
        (State.KILLED, "wanted"),
        (State.GONE, "wanted"),
    ],
)
def test_what_is_asked_of_a_state(state: State, expected: str) -> None:
    """Whoever is due does not stay, and is no loss."""
    names = "stays", "wanted", "can_retire", "serves", "beats", "hurries"
    member = Member(0, 1, 100, since=1.0, state=state)

    assert set(expected.split()) == {name for name in names if getattr(member, name)}

    member.due = "reload"

    assert not member.stays
    assert not member.wanted


def test_a_worker_has_the_name_that_the_log_shows() -> None:
    """Slot, generation and pid."""
    assert "worker 3 gen=2 pid=4711" == str(Member(3, 2, 4711, since=0.0))
