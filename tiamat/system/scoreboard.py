"""
Numbers that master and workers share, in memory, without a system call.

One anonymous mapping, made before the first fork: it needs no file, so a full
disk or a read-only root can't make a worker look dead, and it outlives whoever
writes to it. Every process has a row of its own and is the only one that writes
there; a row belongs to a process, not to a slot, since a slot has two processes
while one replaces the other.

The numbers are native eight-byte words on addresses that eight divides. Such a
store is one move of the processor, so a reader never sees half of it.

What a process counted outlives it in one more row, the *ledger*, so that totals
never go back. It is shared, too: another process than the master may read it all.
"""

import time
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from mmap import MAP_ANONYMOUS, MAP_SHARED, mmap
from struct import Struct
from typing import Final

# Indices of ``Row.counts``.
PID: Final = 0
GENERATION: Final = 1
SLOT: Final = 2
STATE: Final = 3  # of the roster: the place of the state in its enumeration
REQUESTS: Final = 4  # answered so far
CONNECTIONS: Final = 5  # open now
ACCEPTED: Final = 6  # connections so far
TURNED_AWAY: Final = 7  # connections that were closed at once: their peer had enough
BYTES_SENT: Final = 8
MEMORY: Final = 9  # bytes that are resident, when it was looked last
IN_FLIGHT: Final = 10  # requests in the application; one that runs alone: see there
COUNTS: Final = 16  # words of a row; the others are free

# Of the ledger.
CHANGES: Final = 11  # odd while it is being written
READY: Final = 12  # whether requests are served, one of the following

UNREADY: Final = 0
SERVING: Final = 1
STOPPING: Final = 2

TOTALLED: Final = (REQUESTS, ACCEPTED, TURNED_AWAY, BYTES_SENT)
"""What grows for ever: what a row counted outlives its process in the ledger."""

# Indices of ``Row.times``: CLOCK_MONOTONIC, which all processes read alike.
STARTED_AT: Final = 0
SECONDS: Final = 1  # a length: in the application, of all requests so far
QUEUED: Final = 2  # a length: what was accepted last had waited in the kernel
MEASURED_AT: Final = 3  # when MEMORY was looked at
HEARTBEAT: Final = 6
REQUEST_AT: Final = 7  # when the request in the application began; 0.0 is none
TIMES: Final = 8

TEXT_LIMIT: Final = 240
"""The most bytes of a request that a row keeps."""

# The last two times and the text behind them, in one call. In native order each
# number is one eight-byte store, too; the text is cut and filled up with zeros.
_BEGIN: Final = Struct(f"@dd{TEXT_LIMIT}s").pack_into

# One cell for each class of statuses and each length of time: so a request that is
# answered is counted by one store. Prometheus' own bounds, from a millisecond on.
BOUNDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
    *(0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
LENGTHS: Final = len(BOUNDS) + 1
CLASSES: Final = 10
CELLS: Final = CLASSES * LENGTHS

_TALLY_AT: Final = 512  # behind the words, the text, and air up to a cache line
ROW_SIZE: Final = _TALLY_AT + CELLS * 8

# The byte that each row has in the column of states.
FREE: Final = 0
IDLE: Final = 1  # would accept a connection at once
BUSY: Final = 2  # has a request in the application
AWAY: Final = 3  # boots, or drains: accepts nothing

IDLE_BYTE: Final = bytes([IDLE])

# To see the ledger between two changes: a second, if who changes it is held up.
_TRIES: Final = 1000
_PAUSE: Final = 0.001


def cell(status: int, seconds: float) -> int:
    """
    The place in a tally of a response with this status that took so long.

    Drivers write it out: a call for each request would be more than what it does.
    """
    return status // 100 * LENGTHS + bisect_left(BOUNDS, seconds)


def errors(tally: Sequence[int]) -> int:
    """How many responses of a tally are 5xx."""
    return sum(tally[5 * LENGTHS : 6 * LENGTHS])


class Scoreboard:
    """
    The rows of all processes.

    Args:
        rows: how many processes there may be at a time.

    Attributes:
        ledger: what processes that are gone had counted, and what holds for all.
    """

    def __init__(self, rows: int) -> None:
        self.size = rows
        column = -(-rows // 64) * 64
        size = column + (rows + 1) * ROW_SIZE
        self.map = mmap(-1, size, MAP_SHARED | MAP_ANONYMOUS)
        self._first = column
        self._taken: dict[int, Row] = {}
        self.ledger = self.row(rows)

    def take(self) -> "Row":
        """
        A free row, all zeros; the process that gets it accepts nothing yet.

        Raises:
            IndexError: every row is taken.
        """
        for index in range(self.size):
            if index not in self._taken:
                row = self._taken[index] = self.row(index)
                self.map[index] = AWAY
                return row
        raise IndexError(f"all {self.size} rows of the scoreboard are taken")

    def row(self, index: int) -> "Row":
        """The row at this place, which another process may have taken."""
        start = self._first + index * ROW_SIZE
        return Row(self.map, index, start, self.size)

    def free(self, row: "Row") -> None:
        """Give back the row of a process that is gone; its counts stay as totals."""
        ledger = self.ledger
        ledger.counts[CHANGES] += 1
        for index in TOTALLED:
            ledger.counts[index] += row.counts[index]
        for index, count in enumerate(row.tally):
            if count:
                ledger.tally[index] += count
        ledger.times[SECONDS] += row.times[SECONDS]
        del self._taken[row.index]
        self.map[row.index] = FREE
        start = self._first + row.index * ROW_SIZE
        self.map[start : start + ROW_SIZE] = bytes(ROW_SIZE)
        ledger.counts[CHANGES] += 1

    def rows(self) -> list["Row"]:
        """The rows of the processes that live."""
        return list(self._taken.values())

    def total(self, index: int) -> int:
        """What all processes counted, those that live and those that are gone."""
        return self.ledger.counts[index] + sum(r.counts[index] for r in self.rows())

    def seconds(self) -> float:
        """How long all requests took together, of all processes."""
        return sum(row.times[SECONDS] for row in (self.ledger, *self.rows()))

    def errors(self) -> int:
        """How many responses 5xx there were, of all processes."""
        return sum(errors(row.tally) for row in (self.ledger, *self.rows()))

    def seen(self) -> list["Row"]:
        """
        Copies of the ledger and of all rows that are taken, in this order.

        From any process, also while the master gives a row back: what that counted
        is in its row or in the ledger, and not in both.
        """
        ledger = self.ledger
        copies: list[Row] = []
        for _ in range(_TRIES):
            before = ledger.counts[CHANGES]
            indices = [i for i in range(self.size) if self.map[i] != FREE]
            copies = [self._copy(index) for index in (self.size, *indices)]
            if before % 2 == 0 and before == ledger.counts[CHANGES]:
                break
            time.sleep(_PAUSE)
        return copies

    def _copy(self, index: int) -> "Row":
        start = self._first + index * ROW_SIZE
        memory = bytearray(ROW_SIZE + 64)  # its state is the first byte
        memory[0] = self.map[index] if index < self.size else FREE
        memory[64:] = self.map[start : start + ROW_SIZE]
        return Row(memory, 0, 64, 1)


class Row:
    """
    What one process writes for the others to read.

    Attributes:
        index: its place in the scoreboard.
        counts: whole numbers, ``counts[REQUESTS]``.
        times: points on the monotonic clock in seconds, ``times[HEARTBEAT]``.
        tally: how many requests were answered, by ``cell``.
        note: ``note(now, now, text)`` is ``begin`` for a process that is busy already.
            Hot: once per request, without a frame.
    """

    __slots__ = (
        "_begin_at", "_map", "_resting", "_rows", "counts", "index", "note", "tally",
        "times",
    )  # fmt: skip

    def __init__(
        self, memory: mmap | bytearray, index: int, start: int, rows: int
    ) -> None:
        self.index = index
        self._rows = rows
        words = memoryview(memory)[start : start + (COUNTS + TIMES) * 8]
        self.counts = words[: COUNTS * 8].cast("Q")
        self.times = words[COUNTS * 8 :].cast("d")
        cells = start + _TALLY_AT
        self.tally = memoryview(memory)[cells : cells + CELLS * 8].cast("Q")
        self._map = memory
        self._begin_at = start + (COUNTS + HEARTBEAT) * 8
        self._resting = AWAY
        self.note = partial(_BEGIN, memory, self._begin_at)

    def beat(self, now: float) -> None:
        """Show that the process lives."""
        self.times[HEARTBEAT] = now

    def begin(self, now: float, text: bytes) -> None:
        """
        A request goes to the application.

        Args:
            now: the time, which is a heartbeat too.
            text: the request's head, or its line; the first 240 bytes stay.
        """
        self.note(now, now, text)
        self._map[self.index] = BUSY

    def end(self) -> None:
        """The application has answered."""
        self.times[REQUEST_AT] = 0.0
        self._map[self.index] = self._resting

    def alone(self) -> bool:
        """Whether this is the only process there is."""
        return self._map[: self._rows].count(FREE) == self._rows - 1

    def idle_elsewhere(self) -> bool:
        """
        Whether a worker other than this one would accept a connection at once.

        Hot: once per response of the sync worker. The states are a column of
        bytes, so this is one search by the C library, through all rows: a worker
        sees those too that were taken after it was forked.
        """
        found = self._map.find(IDLE_BYTE, 0, self._rows)
        if found == self.index:
            found = self._map.find(IDLE_BYTE, found + 1, self._rows)
        return found >= 0

    def accept(self, accepting: bool) -> None:
        """From now on the process accepts connections between requests, or not."""
        self._resting = IDLE if accepting else AWAY
        if self._map[self.index] != BUSY:
            self._map[self.index] = self._resting

    def set_idle(self, idle: bool) -> None:
        """Whether the process would accept a connection at once; loops tell so."""
        self._map[self.index] = self._resting if idle else BUSY
        if idle:
            self.times[REQUEST_AT] = 0.0

    @property
    def state(self) -> int:
        """FREE, IDLE, BUSY or AWAY."""
        return self._map[self.index]

    @property
    def in_flight(self) -> int:
        """How many requests are in the application."""
        one = self._map[self.index] == BUSY and self.times[REQUEST_AT] > 0
        return self.counts[IN_FLIGHT] or one

    def request(self) -> tuple[str, str, float] | None:
        """
        The request in the application: method, path, when it began; or None.

        Read by others while the process writes, so it may be of two requests. One
        that has been there for long is right.
        """
        begun = self.times[REQUEST_AT]
        if not begun:
            return None
        start = self._begin_at + 16
        text = self._map[start : start + TEXT_LIMIT].partition(b"\r")[0].rstrip(b"\0")
        method, _, rest = text.decode("latin-1").partition(" ")
        return method, rest.partition(" ")[0], begun
