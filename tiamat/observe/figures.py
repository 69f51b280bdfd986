"""The scoreboard and what the master knows, as numbers of all workers together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tiamat.system.scoreboard import (
    CLASSES,
    CONNECTIONS,
    LENGTHS,
    MEMORY,
    QUEUED,
    READY,
    SECONDS,
    SERVING,
    STATE,
    TURNED_AWAY,
    Row,
    Scoreboard,
)

STATES: Final = ("booting", "ready", "serving", "draining", "killed", "gone")
"""The master's words for the state of a worker, by their number in its row."""

SERVES: Final = STATES.index("serving")


def figures(board: Scoreboard, facts: Mapping[str, Any], now: float) -> dict[str, Any]:
    """
    What there is to tell, as JSON takes it.

    Args:
        board: the numbers of the workers; in any process.
        facts: what only the master knows.
        now: the time.
    """
    ledger, *rows = board.seen()
    tally = [
        sum(cells) for cells in zip(*(r.tally for r in (ledger, *rows)), strict=True)
    ]
    states = [STATES[row.counts[STATE]] for row in rows]
    serving = [row for row in rows if row.counts[STATE] == SERVES]
    memory = [row.counts[MEMORY] for row in rows]
    return {
        "facts": dict(facts),
        "ready": board.ledger.counts[READY] == SERVING,
        "responses": by_class(tally),
        "lengths": by_length(tally),
        "seconds": sum(row.times[SECONDS] for row in (ledger, *rows)),
        "states": {state: states.count(state) for state in STATES[:-1]},
        "in_flight": sum(row.in_flight for row in rows),
        "busy": sum(row.in_flight > 0 for row in serving) / max(1, len(serving)),
        "connections": sum(row.counts[CONNECTIONS] for row in rows),
        "turned_away": sum(row.counts[TURNED_AWAY] for row in (ledger, *rows)),
        "oldest": max(ages(rows, now), default=0.0),
        "queue_age": max((row.times[QUEUED] for row in rows), default=0.0),
        "memory": sum(memory),
        "memory_most": max(memory, default=0),
    }


def by_class(tally: Sequence[int]) -> dict[str, int]:
    """How many responses there were of each class: 2xx; *none* had no status yet."""
    sums = (sum(tally[n * LENGTHS : (n + 1) * LENGTHS]) for n in range(CLASSES))
    named = {f"{n}xx" if n else "none": count for n, count in enumerate(sums)}
    usual = ("1xx", "2xx", "3xx", "4xx", "5xx")
    return {name: n for name, n in named.items() if n or name in usual}


def by_length(tally: Sequence[int]) -> list[int]:
    """How many took how long, but for 1xx: those are WebSockets, which last."""
    rest = (*tally[:LENGTHS], *tally[2 * LENGTHS :])
    return [sum(rest[n::LENGTHS]) for n in range(LENGTHS)]


def ages(rows: Iterable[Row], now: float) -> Iterable[float]:
    """For how many seconds the oldest request of each worker has run."""
    for row in rows:
        if (request := row.request()) is not None:
            yield max(0.0, now - request[2])
