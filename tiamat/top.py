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

from tiamat.tables import headline, length, running

Ask = Callable[[], Mapping[str, Any]]

LEFT: Final = {"state", "now"}
"""Columns of words; numbers stand at the right."""

COLUMNS: Final = (
    *("slot", "pid", "gen", "state", "age", "req/s", "requests"),
    *("errors", "conn", "busy", "memory", "now"),
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
        rate: of all workers, those that are gone too; None before the second look.
    """

    def __init__(self) -> None:
        self.data: Mapping[str, Any] = {}
        self.rates: dict[int, float] = {}
        self.rate: float | None = None
        self._at = 0.0

    def look(self, answer: Mapping[str, Any], now: float) -> None:
        """Take an answer to ``status``, which came at *now*."""
        before, data = self.data, answer["data"]
        seconds = now - self._at
        if before:
            counted = {w["pid"]: w["requests"] for w in before["workers"]}
            self.rates = {
                worker["pid"]: (worker["requests"] - counted.get(worker["pid"], 0))
                / seconds
                for worker in data["workers"]
            }
            self.rate = (data["requests"] - before["requests"]) / seconds
        self.data, self._at = data, now

    def shown(self) -> Group:
        """The head, and a row for each worker."""
        table = Table(box=None, pad_edge=False)
        for name in COLUMNS:
            table.add_column(
                name.upper(),
                justify="left" if name in LEFT else "right",
                no_wrap=True,
                overflow="ellipsis",
            )
        for worker in self.data["workers"]:
            table.add_row(*self.cells(worker))
        return Group(Text(self.head()), Text(""), table)

    def head(self) -> str:
        """The server in a line."""
        rate = "-" if self.rate is None else f"{self.rate:.1f}"
        busy = sum(worker["busy"] for worker in self.data["workers"])
        connections = sum(worker["connections"] for worker in self.data["workers"])
        return (
            f"{headline(self.data)}\n"
            f"{rate} requests per second, {busy} busy, {connections} connections"
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
            "busy": "yes" if worker["busy"] else "-",
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


def size(count: int | None) -> str:
    """A number of bytes in the unit that suits it: ``23.4M``."""
    if count is None:
        return "-"
    amount = float(count)
    for unit in ("", "K", "M"):
        if amount < 1024:
            return f"{amount:.1f}{unit}" if unit else f"{count}"
        amount /= 1024
    return f"{amount:.1f}G"
