"""Rows of numbers that processes share."""

import os

import pytest

from tiamat.system import scoreboard
from tiamat.system.scoreboard import (
    AWAY,
    BUSY,
    FREE,
    HEARTBEAT,
    IDLE,
    PID,
    REQUEST_AT,
    REQUESTS,
    STARTED_AT,
    TEXT_LIMIT,
    Row,
    Scoreboard,
    cell,
)

# pytest-xdist has a thread; the children here do nothing that it could have locked.
forks = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def accepting(board: Scoreboard) -> Row:
    """The row of one more worker that would accept at once."""
    row = board.take()
    row.accept(True)
    return row


def test_a_new_row_is_all_zeros() -> None:
    """A process begins without a past, and accepts nothing yet."""
    row = Scoreboard(2).take()

    assert [0] * scoreboard.COUNTS == row.counts.tolist()
    assert [0.0] * scoreboard.TIMES == row.times.tolist()
    assert row.state == AWAY
    assert row.request() is None


def test_rows_are_apart() -> None:
    """What one process writes is in no other one's row."""
    board = Scoreboard(3)
    first, second, third = (board.take() for _ in range(3))
    second.counts[:] = memoryview(b"\xff" * scoreboard.COUNTS * 8).cast("Q")
    second.times[:] = memoryview(b"\xff" * scoreboard.TIMES * 8).cast("d")
    second.begin(1.0, b"x" * 1000)

    for row in (first, third):
        assert [0] * scoreboard.COUNTS == row.counts.tolist()
        assert [0.0] * scoreboard.TIMES == row.times.tolist()
        assert row.state == AWAY
        assert row.request() is None


def test_every_row_can_be_taken_once() -> None:
    """There are as many as were asked for; then it is an error."""
    board = Scoreboard(2)

    assert [0, 1] == [board.take().index, board.take().index]
    with pytest.raises(IndexError, match="all 2 rows"):
        board.take()


def test_a_free_row_is_taken_again_clean() -> None:
    """Nothing of the process that is gone stays in its row."""
    board = Scoreboard(1)
    row = accepting(board)
    row.counts[PID] = 4711
    row.times[STARTED_AT] = 5.0
    row.begin(6.0, b"GET /old")
    board.free(row)

    assert row.state == FREE
    assert board.rows() == []

    row = board.take()

    assert row.counts[PID] == 0
    assert row.times[STARTED_AT] == 0.0
    assert row.request() is None
    assert board.rows() == [row]


def test_counts_outlive_their_process() -> None:
    """The total is of those that live and of those that are gone."""
    board = Scoreboard(2)
    for requests in (3, 4):
        row = board.take()
        row.counts[REQUESTS] = requests
        row.tally[cell(503, 0.2)] = 1
        board.free(row)
    board.take().counts[REQUESTS] = 10

    assert board.total(REQUESTS) == 17
    assert board.errors() == 2


def test_a_response_is_counted_in_one_cell() -> None:
    """By its class, and by the first bound that it has not passed."""
    taken = [cell(200, 0.0), cell(204, 0.001), cell(200, 0.0011), cell(503, 1000.0)]
    two, five = 2 * scoreboard.LENGTHS, 5 * scoreboard.LENGTHS

    assert [two, two, two + 1, five + scoreboard.LENGTHS - 1] == taken
    assert cell(999, 1000.0) == scoreboard.CELLS - 1


def test_what_is_seen_is_the_ledger_and_every_row() -> None:
    """Copies: what is counted later is not in them, and what is freed stays."""
    board = Scoreboard(3)
    gone, row = board.take(), board.take()
    gone.counts[REQUESTS] = 2
    board.free(gone)
    row.counts[REQUESTS] = 3
    row.begin(5.0, b"GET /now")
    ledger, copy = board.seen()
    board.free(row)

    assert (2, 3) == (ledger.counts[REQUESTS], copy.counts[REQUESTS])
    assert copy.request() == ("GET", "/now", 5.0)
    assert 1 == copy.in_flight


@forks
def test_what_another_process_sees_is_never_less_than_before() -> None:
    """Though rows are given back and taken again meanwhile."""
    board = Scoreboard(4)
    pid = os.fork()
    if pid == 0:
        for _ in range(3000):
            row = board.take()
            row.counts[REQUESTS] = 1
            row.tally[cell(200, 0.0)] = 1
            board.free(row)
        os._exit(0)
    seen = [0]
    while not os.waitpid(pid, os.WNOHANG)[0]:
        seen.append(sum(row.tally[cell(200, 0.0)] for row in board.seen()))

    assert sorted(seen) == seen
    assert 3000 == sum(row.tally[cell(200, 0.0)] for row in board.seen())


@forks
def test_a_child_writes_what_the_parent_reads() -> None:
    """The memory is shared over a fork, also a row taken before it."""
    board = Scoreboard(2)
    row = accepting(board)
    pid = os.fork()
    if pid == 0:
        row.counts[REQUESTS] = 5
        row.begin(7.5, b"GET /slow")
        os._exit(0)
    os.waitpid(pid, 0)

    assert row.counts[REQUESTS] == 5
    assert row.request() == ("GET", "/slow", 7.5)
    assert row.state == BUSY


@forks
def test_a_child_sees_rows_taken_after_its_fork() -> None:
    """A worker knows of idle ones that are younger than itself."""
    board = Scoreboard(2)
    row = accepting(board)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(row.idle_elsewhere())
    accepting(board)
    os.close(reader)
    os.close(writer)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 1


def test_a_heartbeat_is_a_time() -> None:
    """It tells nothing but that the process lives."""
    row = Scoreboard(1).take()
    row.beat(12.5)

    assert row.times[HEARTBEAT] == 12.5
    assert row.request() is None
    assert row.state == AWAY


def test_a_request_is_seen_while_it_runs() -> None:
    """From its begin to its end; the begin is a heartbeat too."""
    row = accepting(Scoreboard(1))
    row.begin(3.5, b"POST /a?b=c HTTP/1.1")

    assert row.request() == ("POST", "/a?b=c", 3.5)
    assert row.times[HEARTBEAT] == 3.5
    assert row.state == BUSY

    row.end()

    assert row.request() is None
    assert row.times[REQUEST_AT] == 0.0
    assert row.state == IDLE


def test_of_a_long_request_the_begin_is_kept() -> None:
    """The text never leaves its row."""
    row = Scoreboard(1).take()
    row.begin(1.0, b"GET /" + b"x" * 1000)

    assert row.request() == ("GET", "/" + "x" * (TEXT_LIMIT - 5), 1.0)


def test_a_short_request_after_a_long_one_is_itself() -> None:
    """Nothing of the one before shows."""
    row = Scoreboard(1).take()
    row.begin(1.0, b"DELETE /a/long/path")
    row.end()
    row.begin(2.0, b"GET /")

    assert row.request() == ("GET", "/", 2.0)


def test_a_path_of_any_bytes_can_be_shown() -> None:
    """Clients send what they like."""
    row = Scoreboard(1).take()
    row.begin(1.0, b"GET /\xff\x01")

    assert row.request() == ("GET", "/\xff\x01", 1.0)


@pytest.mark.parametrize("rows", [1, 2, 64, 65, 200])
def test_only_others_are_idle_elsewhere(rows: int) -> None:
    """Whoever of them it is; oneself does not count."""
    board = Scoreboard(rows)
    workers = [board.take() for _ in range(rows)]
    last = workers[-1]
    last.accept(True)

    assert not last.idle_elsewhere()
    for other in workers[:-1]:
        assert other.idle_elsewhere()
        other.accept(True)
        assert last.idle_elsewhere()
        other.accept(False)
    assert not last.idle_elsewhere()


def test_numbers_and_texts_are_no_idle_workers() -> None:
    """Bytes elsewhere in the memory mean nothing to the search."""
    board = Scoreboard(1)
    row = board.take()
    row.counts[PID] = 0x0101010101010101
    row.begin(1.0, b"\1" * TEXT_LIMIT)

    assert not row.idle_elsewhere()


def test_a_busy_worker_is_not_idle() -> None:
    """Nor is one that boots, drains or is gone."""
    board = Scoreboard(2)
    me, other = accepting(board), accepting(board)

    assert me.idle_elsewhere()

    other.begin(1.0, b"GET /")

    assert not me.idle_elsewhere()

    other.end()

    assert me.idle_elsewhere()

    board.free(other)

    assert not me.idle_elsewhere()


def test_who_stops_accepting_in_a_request_is_away_after_it() -> None:
    """A drain in the midst of a request shows when the request is over."""
    row = accepting(Scoreboard(1))
    row.begin(1.0, b"GET /")
    row.accept(False)

    assert row.state == BUSY

    row.end()

    assert row.state == AWAY


def test_a_loop_tells_whether_it_is_idle() -> None:
    """Without a request of its own to show; one that drains is never idle."""
    row = accepting(Scoreboard(1))
    states = []
    for accept, idle in ((True, False), (True, True), (False, True)):
        row.accept(accept)
        row.set_idle(idle)
        states.append(row.state)

    assert [BUSY, IDLE, AWAY] == states


def test_a_process_knows_whether_it_is_the_only_one() -> None:
    """Rows that are taken later count, and those that are free again don't."""
    scoreboard = Scoreboard(4)
    first = scoreboard.take()
    assert first.alone()

    second = scoreboard.take()
    assert not first.alone()

    scoreboard.free(second)
    assert first.alone()


def test_a_row_that_another_process_took_is_the_same_row() -> None:
    """By its index: a process that was forked before does not know who has which."""
    board = Scoreboard(3)
    board.take()
    row = board.take()
    board.row(row.index).counts[REQUESTS] = 7

    assert 7 == row.counts[REQUESTS]
