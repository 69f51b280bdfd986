"""
``tiamatctl top``: the workers, as they are now, until Ctrl-C.

The master is asked each time; memory is read from /proc, by pid. What grows is shown
as what it grew per second since the look before.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tiamat.tables import LEFT, headline, helper_lines, latency, length, running, size

Ask = Callable[[], Mapping[str, Any]]

COLUMNS: Final = (
    *("slot", "pid", "gen", "state", "age", "req/s", "requests"),
    *("latency", "errors", "conn", "run", "memory", "now"),
)


def watch(ask: Ask, interval: float, console: Console | None = None) -> int:
    """
    Show the workers until Ctrl-C; return the exit status.

    Args:
        ask: the answer to ``status``.
        interval: seconds from one look to the next.
        console: where to; by default the terminal.

    Raises:
        CannotAsk: the server is gone.
    """
    view = View()
    view.look(ask(), time.monotonic())
    try:
        with Live(view.shown(), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(interval)
                view.look(ask(), time.monotonic())
                live.update(view.shown(), refresh=True)
    except KeyboardInterrupt:
        return 0


class View:
    """
    What was seen last, and how fast it grows.

    Attributes:
        rates: requests per second, by the pid of the worker.
        latencies: how long its requests took since the look before, in words.
        rate: of all workers, those that are gone too; None before the second look.
    """

    def __init__(self) -> None:
        self.data: Mapping[str, Any] = {}
        self.rates: dict[int, float] = {}
        self.latencies: dict[int, str] = {}
        self.rate: float | None = None
        self._at = 0.0

    def look(self, answer: Mapping[str, Any], now: float) -> None:
        """Take an answer to ``status``, which came at *now*."""
        before, data = self.data, answer["data"]
        seconds = now - self._at
        if before:
            self.rates, self.latencies = {}, {}
            known = {worker["pid"]: worker for worker in before["workers"]}
            for worker in data["workers"]:
                pid = worker["pid"]
                old = known.get(pid, {"requests": 0, "took": 0.0})
                count = worker["requests"] - old["requests"]
                self.rates[pid] = count / seconds
                self.latencies[pid] = latency(worker["took"] - old["took"], count)
            self.rate = (data["requests"] - before["requests"]) / seconds
        self.data, self._at = data, now

    def shown(self) -> Group:
        """The head, and a row for each worker."""
        table = Table(box=None, pad_edge=False)
        for name in COLUMNS:
            table.add_column(
                name.upper(),
                justify="left" if name.upper() in LEFT else "right",
                no_wrap=True,
                overflow="ellipsis",
            )
        for worker in self.data["workers"]:
            table.add_row(*self.cells(worker))
        beside = [Text(line) for line in helper_lines(self.data)]
        return Group(
            Text(self.head()), Text(""), table, *([Text("")] if beside else ()), *beside
        )

    def head(self) -> str:
        """The server in a line."""
        rate = "-" if self.rate is None else f"{self.rate:.1f}"
        run = sum(worker["in_flight"] for worker in self.data["workers"])
        connections = sum(worker["connections"] for worker in self.data["workers"])
        return (
            f"{headline(self.data)}\n"
            f"{rate} requests per second, {run} in flight, {connections} connections"
        )

    def cells(self, worker: Mapping[str, Any]) -> list[Text]:
        """One row; nothing in it is taken for rich's markup."""
        rate = self.rates.get(worker["pid"])
        words = {
            "slot": worker["slot"],
            "pid": worker["pid"],
            "gen": worker["generation"],
            "state": worker["state"],
            "age": length(worker["seconds"]),
            "req/s": "-" if rate is None else f"{rate:.1f}",
            "requests": worker["requests"],
            "errors": worker["errors"],
            "conn": worker["connections"],
            "latency": self.latencies.get(worker["pid"], "-"),
            "run": worker["in_flight"],
            "memory": size(memory_of(worker["pid"])),
            "now": running(worker),
        }
        return [Text(str(words[name])) for name in COLUMNS]


def memory_of(pid: int) -> int | None:
    """
    Bytes of memory that a process has: its share (PSS), or else all (RSS).

    Source: proc_pid_smaps(5); only its own user and root may read that. None if it
    is gone.
    """
    for file, name in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            with open(f"/proc/{pid}/{file}") as lines:
                for line in lines:
                    if line.startswith(name):
                        return int(line.split()[1]) * 1024
        except OSError:
            continue
    return None
