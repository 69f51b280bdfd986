"""The roster's decisions: no process, no socket, and a clock turned by hand."""

import math

from tiamat.master.member import Member, State
from tiamat.master.roster import BACK_OFF, PROVEN, Admit, Retire, Roster, Spawn, Task

PATIENCE = 30.0

BOOT_LIMIT = 120.0

TIMEOUT = 30.0


def perform(roster: Roster, task: Task, now: float) -> None:
    """Do a task as a master does whose processes never fail."""
    match task:
        case Spawn(slot, candidate):
            roster.add(
                Member(
                    slot,
                    roster.generation + candidate,
                    len(roster.members()) + 100,
                    now,
                    deadline=now + BOOT_LIMIT,
                    timeout=TIMEOUT,
                    candidate=candidate,
                )
            )
        case Admit(member):
            roster.admitted(member, now)
        case Retire(member):
            roster.retired(member, now, now + PATIENCE)


def settle(roster: Roster, now: float = 0.0) -> list[str]:
    """Do all that is to do now; return it in words."""
    done = []
    while (task := next(roster.tasks(now), None)) is not None:
        match task:
            case Spawn(slot, candidate):
                done.append(f"spawn {slot}" + " candidate" * candidate)
            case Admit(member):
                done.append(f"admit {member.slot} gen={member.generation}")
            case Retire(member, reason):
                done.append(f"retire {member.slot} gen={member.generation}: {reason}")
        perform(roster, task, now)
        assert len(done) < 100
    return done


def serving(target: int, now: float = 0.0) -> Roster:
    """A roster whose workers all serve."""
    roster = Roster(target)
    settle(roster, now)
    for member in roster.members():
        roster.ready(member, now)
    settle(roster, now)
    return roster


def begin_roll(roster: Roster) -> Member:
    """Reload up to the commit: the candidate is ready, and nobody has retired."""
    roster.trying = True
    settle(roster)
    candidate = roster.candidate
    assert candidate is not None
    roster.ready(candidate, 1.0)
    roster.commit(candidate)
    return candidate


def in_state(roster: Roster, state: State) -> list[Member]:
    """The members in a state."""
    return [member for member in roster.members() if member.state is state]


# --- The way up and down ------------------------------------------------------------


def test_every_slot_gets_one_worker() -> None:
    """As many as there shall be, admitted when they are ready, and then nothing."""
    roster = Roster(2)

    assert ["spawn 0", "spawn 1"] == settle(roster)
    assert [] == settle(roster)
    assert not roster.complete

    for member in roster.members():
        roster.ready(member, 1.0)

    assert ["admit 0 gen=1", "admit 1 gen=1"] == settle(roster, 1.0)
    assert [] == settle(roster, 1.0)
    assert roster.complete


def test_more_workers_are_spawned_and_fewer_retire_from_the_end() -> None:
    """The highest slots go, and are forgotten with their workers."""
    roster = serving(1)
    roster.target = 2

    assert ["spawn 1"] == settle(roster)

    roster.target = 1

    assert ["retire 1 gen=1: one worker fewer"] == settle(roster)

    roster.exited(in_state(roster, State.DRAINING)[0], 1.0)

    assert [0] == list(roster.slots)
    assert [] == settle(roster, 1.0)


def test_without_a_target_all_retire() -> None:
    """A stop is a roster for no workers."""
    roster = serving(2)
    roster.target = 0

    assert 2 == len(settle(roster))
    assert 2 == len(in_state(roster, State.DRAINING))


def test_a_worker_that_retires_in_its_boot_is_not_admitted() -> None:
    """It may become ready while it is told to go; it goes nonetheless."""
    roster = Roster(1)
    settle(roster)
    roster.target = 0
    settle(roster)
    [member] = roster.members()
    roster.ready(member, 1.0)

    assert State.DRAINING is member.state
    assert [] == settle(roster, 1.0)


# --- Losses -----------------------------------------------------------------------


def test_a_lost_worker_is_replaced_at_once_and_then_later_and_later() -> None:
    """The first replacement comes at once; a crash loop slows down to 30 seconds."""
    roster = Roster(1)
    now = 0.0
    delays = []
    for _ in range(len(BACK_OFF) + 1):
        settle(roster, now)
        delays.append(roster.exited(roster.members()[0], now))
        if delays[-1]:
            assert [] == settle(roster, now + delays[-1] - 0.01)
        now += delays[-1]

    assert [0, 0.5, 1, 2, 4, 8, 16, 30, 30] == delays
    assert ["spawn 0"] == settle(roster, now)


def test_a_worker_that_served_long_clears_its_slot() -> None:
    """It dies once in a while: that is no crash loop."""
    roster = serving(1)
    roster.slots[0].failures = 5

    assert 0.0 == roster.exited(roster.members()[0], PROVEN + 0.1)
    assert 1 == roster.slots[0].failures


def test_a_slot_that_fails_does_not_slow_the_others() -> None:
    """Back-off is counted by slot."""
    roster = serving(2)
    roster.slots[0].failures = 5
    first, second = roster.members()

    assert BACK_OFF[5] == roster.exited(first, 1.0)
    assert 0.0 == roster.exited(second, 1.0)
    assert ["spawn 1"] == settle(roster, 1.0)


def test_a_slot_that_has_its_next_worker_does_not_wait_for_it() -> None:
    """A worker that is condemned is replaced at once, before it is gone."""
    roster = serving(1)
    roster.slots[0].failures = 5
    silent = roster.members()[0]
    roster.condemned(silent, 1.0)

    assert ["spawn 0"] == settle(roster, 1.0)
    assert 0.0 == roster.exited(silent, 1.0)
    assert 6 == roster.slots[0].failures


def test_a_slot_that_is_wanted_no_more_waits_for_nobody() -> None:
    """The server stops while a silent worker ends, and its replacement is told to."""
    roster = serving(1)
    roster.slots[0].failures = 5
    silent = roster.members()[0]
    roster.condemned(silent, 1.0)
    settle(roster, 1.0)
    roster.target = 0
    settle(roster, 1.0)

    assert 0.0 == roster.exited(silent, 1.0)


def test_a_worker_that_was_to_go_is_no_failure() -> None:
    """Neither one that drains, nor one that was due and died before it was told."""
    roster = serving(2)
    first, second = roster.members()
    roster.retired(first, 1.0, 31.0)
    second.due = "max_requests"
    roster.exited(first, 2.0)
    roster.exited(second, 2.0)

    assert [0, 0] == [slot.failures for slot in roster.slots.values()]


def test_a_fork_that_fails_is_not_tried_again_at_once() -> None:
    """The same would happen again, and again."""
    roster = Roster(1)
    delay = roster.not_spawned(Spawn(0), 0.0)

    assert 0.5 == delay
    assert [] == settle(roster, 0.4)
    assert ["spawn 0"] == settle(roster, 0.5)


# --- Reload -------------------------------------------------------------------------


def test_a_reload_begins_with_one_candidate() -> None:
    """It is not admitted, and nobody retires, before it is ready."""
    roster = serving(2)
    roster.trying = True

    assert ["spawn 0 candidate"] == settle(roster)
    assert 2 == len(in_state(roster, State.SERVING))

    candidate = roster.candidate

    assert candidate is not None
    assert 2 == candidate.generation


def test_after_the_candidate_each_slot_gets_the_new_before_the_old_goes() -> None:
    """All slots serve at any time, and there is one process more than wanted."""
    roster = serving(2)
    begin_roll(roster)

    assert ["admit 0 gen=2", "retire 0 gen=1: reload"] == settle(roster, 1.0)

    roster.exited(in_state(roster, State.DRAINING)[0], 2.0)

    assert ["spawn 1"] == settle(roster, 2.0)
    assert 3 == len(roster.members())
    assert 2 == len(in_state(roster, State.SERVING))

    roster.ready(in_state(roster, State.BOOTING)[0], 3.0)

    assert ["admit 1 gen=2", "retire 1 gen=1: reload"] == settle(roster, 3.0)
    assert roster.complete
    assert 2 == roster.generation


def test_who_is_due_before_it_serves_makes_room_at_once() -> None:
    """
    A replacement of the old generation boots while a reload lowers ``max_surge``.

    It is not to serve any more, and the worker that it was to replace has to wait for
    one of the new generation: both would wait for ever.
    """
    roster = serving(2)
    roster.max_surge = 2
    roster.slot(1).members[0].due = "max_requests"
    begin_roll(roster)
    roster.max_surge = 1
    done = settle(roster, 1.0)
    for member in in_state(roster, State.DRAINING):
        roster.exited(member, 2.0)
    done += settle(roster, 2.0)

    assert "retire 1 gen=1: reload" in done
    assert "spawn 1" == done[-1]


def test_a_roll_is_complete_though_new_workers_are_due_again() -> None:
    """They have answered max_requests already, and serve until they are replaced."""
    roster = serving(2)
    candidate = begin_roll(roster)
    settle(roster, 1.0)
    before = roster.complete
    candidate.due = "max_requests"
    for now in (2.0, 3.0):
        for member in in_state(roster, State.DRAINING):
            roster.exited(member, now)
        settle(roster, now)
        for member in in_state(roster, State.BOOTING):
            roster.ready(member, now)
        settle(roster, now)
        for member in in_state(roster, State.SERVING):
            member.due = member.due or "max_requests"

    assert not before
    assert roster.complete


def test_a_lost_candidate_ends_the_reload_and_nothing_else() -> None:
    """The old workers go on, in their generation, and the slot has no failure."""
    roster = serving(1)
    roster.trying = True
    settle(roster)
    candidate = roster.candidate
    assert candidate is not None

    assert 0.0 == roster.exited(candidate, 1.0)
    assert not roster.trying
    assert 1 == roster.generation
    assert 0 == roster.slots[0].failures
    assert [] == settle(roster, 1.0)
    assert roster.complete


def test_a_candidate_that_can_not_be_forked_ends_the_reload() -> None:
    """It is not tried again behind the back of who asked for the reload."""
    roster = serving(1)
    roster.trying = True

    assert 0.0 == roster.not_spawned(Spawn(0, candidate=True), 1.0)
    assert [] == settle(roster, 1.0)


def test_an_abandoned_candidate_retires() -> None:
    """The server stops, or has been told to have no workers."""
    roster = serving(1)
    roster.trying = True
    settle(roster)
    roster.abandon()

    assert ["retire 0 gen=2: its reload was abandoned"] == settle(roster)
    assert roster.candidate is None
    assert roster.complete


def test_without_room_for_more_one_slot_may_be_empty() -> None:
    """max_surge=0 and max_unavailable=1: the old goes before the new comes."""
    roster = serving(2)
    roster.max_surge, roster.max_unavailable = 0, 1
    roster.trying = True

    [first, _] = roster.members()

    assert Retire(first, "reload") == next(roster.tasks(0.0))


# --- Recycling --------------------------------------------------------------------


def test_a_worker_that_is_due_serves_until_its_replacement_does() -> None:
    """max_requests costs no moment without a worker."""
    roster = serving(1)
    [old] = roster.members()
    old.due = "max_requests"

    assert ["spawn 0"] == settle(roster)
    assert [old] == in_state(roster, State.SERVING)

    roster.ready(in_state(roster, State.BOOTING)[0], 1.0)

    assert ["admit 0 gen=1", "retire 0 gen=1: max_requests"] == settle(roster, 1.0)
    assert [old] == in_state(roster, State.DRAINING)


def test_workers_that_are_due_together_are_replaced_one_by_one() -> None:
    """There is one process more than wanted, never two."""
    roster = serving(3)
    for member in roster.members():
        member.due = "max_requests"

    assert ["spawn 0"] == settle(roster)
    assert 4 == len(roster.members())


# --- Who is late --------------------------------------------------------------------


def test_a_silent_worker_is_late() -> None:
    """Counted from its last heartbeat, or from when it came into its state."""
    roster = serving(1)
    [member] = roster.members()

    assert [] == list(roster.late(30.0))
    assert [(member, 31.0)] == list(roster.late(31.0))

    member.heartbeat = 20.0

    assert [] == list(roster.late(31.0))
    assert 50.0 == roster.next_deadline(31.0)


def test_without_a_timeout_nobody_is_silent() -> None:
    """timeout=0 is for ever."""
    roster = serving(1)
    roster.members()[0].timeout = math.inf

    assert [] == list(roster.late(1e9))
    assert math.inf == roster.next_deadline(0.0)


def test_who_has_more_time_than_others_keeps_it() -> None:
    """A reload to a shorter ``timeout`` does not end the requests of old workers."""
    roster = serving(2)
    patient, other = roster.members()
    patient.timeout = 120.0
    roster.retired(patient, 0.0, 200.0)

    assert [(other, 40.0)] == list(roster.late(40.0))
    assert [(patient, 121.0)] == [*roster.late(121.0)][:1]


def test_a_worker_has_its_time_to_boot_and_no_more() -> None:
    """Its heartbeat does not count before it is ready."""
    roster = Roster(1)
    settle(roster)
    [member] = roster.members()

    assert BOOT_LIMIT == roster.next_deadline(0.0)
    assert [] == list(roster.late(BOOT_LIMIT - 1))
    assert [(member, BOOT_LIMIT)] == list(roster.late(BOOT_LIMIT))


def test_a_worker_has_its_time_to_drain_and_no_more() -> None:
    """A second order to go does not give it more."""
    roster = serving(1)
    [member] = roster.members()
    roster.retired(member, 10.0, 40.0)
    roster.retired(member, 30.0, 60.0)
    member.heartbeat = 39.0

    assert [] == list(roster.late(39.0))
    assert [(member, 30.0)] == list(roster.late(40.0))


def test_who_is_condemned_is_not_late_again() -> None:
    """Once is enough."""
    roster = serving(1)
    [member] = roster.members()
    roster.condemned(member, 31.0)

    assert [] == list(roster.late(99.0))
    assert ["spawn 0"] == settle(roster, 31.0)


def test_when_the_master_slept_nobody_is_late() -> None:
    """A suspended machine makes all look silent: it counts for nobody."""
    roster = serving(1)
    roster.target = 2
    settle(roster)
    roster.forgive(1000.0, 990.0)

    assert [] == list(roster.late(1000.0))
    assert 1030.0 == roster.next_deadline(1000.0)


def test_the_next_attempt_of_a_slot_is_a_deadline() -> None:
    """The master must wake up for it."""
    roster = serving(1)
    roster.slots[0].failures = 3
    roster.exited(roster.members()[0], 10.0)

    assert 12.0 == roster.next_deadline(10.0)
