"""The numbers of all workers together."""

from tiamat.master.spawn import STATES as IN_THE_MASTER
from tiamat.observe.figures import STATES, by_class, by_length, figures
from tiamat.system.scoreboard import (
    BOUNDS,
    CELLS,
    CONNECTIONS,
    IN_FLIGHT,
    LENGTHS,
    MEMORY,
    READY,
    SECONDS,
    SERVING,
    STATE,
    Scoreboard,
    cell,
)


def board_of(*states: str) -> Scoreboard:
    """A scoreboard with a worker in each of these states."""
    board = Scoreboard(8)
    for state in states:
        row = board.take()
        row.counts[STATE] = STATES.index(state)
        row.accept(state == "serving")
    return board


def test_the_states_are_the_master_s() -> None:
    """In the order of their numbers."""
    assert tuple(state.value for state in IN_THE_MASTER) == STATES


def test_what_is_gone_counts_on() -> None:
    """A total is of all workers there ever were."""
    board = board_of("serving", "serving")
    first, second = board.rows()
    for row in first, second:
        row.tally[cell(200, 0.003)] = 5
        row.times[SECONDS] = 0.5
    before = figures(board, {}, 10.0)
    board.free(first)
    after = figures(board, {}, 10.0)

    assert (10, 10) == (before["responses"]["2xx"], after["responses"]["2xx"])
    assert 1.0 == before["seconds"] == after["seconds"]
    assert before["lengths"] == after["lengths"]


def test_the_present_is_of_those_that_live() -> None:
    """Connections, requests, memory, states."""
    board = board_of("serving", "serving", "booting")
    first, second, _ = board.rows()
    first.begin(7.0, b"GET /")
    second.counts[IN_FLIGHT] = 3
    for row, megabytes in zip(board.rows(), (30, 50, 10), strict=True):
        row.counts[MEMORY] = megabytes << 20
        row.counts[CONNECTIONS] = 2
    board.ledger.counts[READY] = SERVING
    found = figures(board, {"target": 3}, 10.0)

    assert 4 == found["in_flight"]
    assert 1.0 == found["busy"]
    assert 3.0 == found["oldest"]
    assert 6 == found["connections"]
    assert (90 << 20, 50 << 20) == (found["memory"], found["memory_most"])
    assert (2, 1, 0) == tuple(
        found["states"][state] for state in ("serving", "booting", "draining")
    )
    assert found["ready"]
    assert {"target": 3} == found["facts"]


def test_without_workers_there_is_nothing() -> None:
    """And nothing to divide by."""
    found = figures(Scoreboard(2), {}, 1.0)

    assert (0, 0.0, 0.0) == (found["in_flight"], found["busy"], found["oldest"])
    assert not found["ready"]


def test_strange_classes_are_named_when_there_are_some() -> None:
    """A request without a response, or a status that no RFC knows."""
    tally = [0] * CELLS
    tally[cell(0, 1.0)] = 1
    tally[cell(700, 1.0)] = 2

    assert {
        "none": 1,
        "1xx": 0,
        "2xx": 0,
        "3xx": 0,
        "4xx": 0,
        "5xx": 0,
        "7xx": 2,
    } == by_class(tally)


def test_websockets_have_no_length() -> None:
    """They stay open for hours: that says nothing of how fast anything is."""
    tally = [0] * CELLS
    tally[cell(101, 3600.0)] = 1
    tally[cell(200, 3600.0)] = 1
    tally[cell(404, BOUNDS[0])] = 1

    assert [1, *[0] * (LENGTHS - 2), 1] == by_length(tally)
