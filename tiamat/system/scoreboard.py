"""
Numbers that master and workers share, in memory, without a system call.

One anonymous mapping, made before the first fork: it needs no file, so a full
disk or a read-only root can't make a worker look dead, and it outlives whoever
writes to it. Every process has a row of its own and is the only one that writes
there; a row belongs to a process, not to a slot, since a slot has two processes
while one replaces the other.

The numbers are native eight-byte words on addresses that eight divides. Such a
store is one move of the processor, so a reader never sees half of it.
"""

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
ERRORS: Final = 7  # responses 5xx so far
BYTES_SENT: Final = 8
COUNTS: Final = 16  # words of a row; the others are free

TOTALLED: Final = (REQUESTS, ACCEPTED, ERRORS, BYTES_SENT)
"""What grows for ever: what a row counted outlives its process in the totals."""

# Indices of ``Row.times``: CLOCK_MONOTONIC, which all processes read alike.
STARTED_AT: Final = 0
HEARTBEAT: Final = 6
REQUEST_AT: Final = 7  # when the request in the application began; 0.0 is none
TIMES: Final = 8

TEXT_LIMIT: Final = 240
"""The most bytes of a request that a row keeps."""

# The last two times and the text behind them, in one call. In native order each
# number is one eight-byte store, too; the text is cut and filled up with zeros.
_BEGIN: Final = Struct(f"@dd{TEXT_LIMIT}s").pack_into

ROW_SIZE: Final = 512  # the words, the text, and air up to whole cache lines

# The byte that each row has in the column of states.
FREE: Final = 0
IDLE: Final = 1  # would accept a connection at once
BUSY: Final = 2  # has a request in the application
AWAY: Final = 3  # boots, or drains: accepts nothing

IDLE_BYTE: Final = bytes([IDLE])


class Scoreboard:
    """
    The rows of all processes.

    Args:
        rows: how many processes there may be at a time.

    Attributes:
        totals: what processes that are gone had counted, by index.
    """

    def __init__(self, rows: int) -> None:
        self.size = rows
        column = -(-rows // 64) * 64
        self.map = mmap(-1, column + rows * ROW_SIZE, MAP_SHARED | MAP_ANONYMOUS)
        self.totals = dict.fromkeys(TOTALLED, 0)
        self._first = column
        self._taken: dict[int, Row] = {}

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
        for index in TOTALLED:
            self.totals[index] += row.counts[index]
        del self._taken[row.index]
        self.map[row.index] = FREE
        start = self._first + row.index * ROW_SIZE
        self.map[start : start + ROW_SIZE] = bytes(ROW_SIZE)

    def rows(self) -> list["Row"]:
        """The rows of the processes that live."""
        return list(self._taken.values())

    def total(self, index: int) -> int:
        """What all processes counted, those that live and those that are gone."""
        return self.totals[index] + sum(row.counts[index] for row in self.rows())


class Row:
    """
    What one process writes for the others to read.

    Attributes:
        index: its place in the scoreboard.
        counts: whole numbers, ``counts[REQUESTS]``.
        times: points on the monotonic clock in seconds, ``times[HEARTBEAT]``.
        note: ``note(now, now, text)`` is ``begin`` for a process that is busy already.
            Hot: once per request, without a frame.
    """

    __slots__ = (
        "_begin_at", "_map", "_resting", "_rows", "counts", "index", "note", "times",
    )  # fmt: skip

    def __init__(self, memory: mmap, index: int, start: int, rows: int) -> None:
        self.index = index
        self._rows = rows
        words = memoryview(memory)[start : start + (COUNTS + TIMES) * 8]
        self.counts = words[: COUNTS * 8].cast("Q")
        self.times = words[COUNTS * 8 :].cast("d")
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
