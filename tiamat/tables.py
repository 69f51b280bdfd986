"""What ``tiamatctl`` prints of the status, for people."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

LEFT: Final = {"STATE", "NOW"}
"""Columns of words; numbers stand at the right."""


def status_lines(data: Mapping[str, Any]) -> Iterable[str]:
    """The master in two lines, a table of its workers, and who is beside them."""
    yield headline(data)
    yield ", ".join(data["listeners"])
    yield ""
    head = (
        *("SLOT", "PID", "GEN", "STATE", "AGE", "REQUESTS", "LATENCY"),
        *("CONN", "RUN", "MEMORY", "NOW"),
    )
    rows = [head, *(worker_cells(worker) for worker in data["workers"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.ljust(width) if head[column] in LEFT else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
    if beside := [*beside_workers(data)]:
        yield ""
        yield from beside


def beside_workers(data: Mapping[str, Any]) -> Iterable[str]:
    """Molds and helpers, a line each."""
    for mold in data["molds"]:
        yield (
            f"mold gen={mold['generation']} pid={mold['pid']},"
            f" {mold['state']}, {length(mold['seconds'])}"
        )
    if helper := data["helper"]:
        yield (
            f"status helper pid={helper['pid']},"
            f" {', '.join(helper['listeners'])}, {length(helper['seconds'])}"
        )
    yield from helper_lines(data)


def helper_lines(data: Mapping[str, Any]) -> Iterable[str]:
    """The helpers of the settings, a line each."""
    for helper in data.get("helpers", ()):
        pid = f" pid={helper['pid']}" if helper["pid"] else ""
        count = helper["restarts"]
        yield (
            f"helper {helper['name']}{pid}, {helper['state']},"
            f" {length(helper['seconds'])}, {count} restart{'' if count == 1 else 's'}"
        )


def headline(data: Mapping[str, Any]) -> str:
    """Who it is and how it is."""
    words = [
        f"Tiamat {data['version']}, pid {data['pid']}, up {length(data['seconds'])}",
        f"serving {data['application']}",
        f"{data['serving']} of {data['target']} workers",
        f"generation {data['generation']}",
        f"{data['requests']} request{'' if data['requests'] == 1 else 's'}",
    ]
    if data["stopping"]:
        words.append("stopping")
    elif data["reloading"]:
        words.append("reloading")
    elif data["last_reload"]:
        words.append(f"last reload {data['last_reload']}")
    return ", ".join(words)


def worker_cells(worker: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the table."""
    state = worker["state"]
    return (
        str(worker["slot"]),
        str(worker["pid"]),
        str(worker["generation"]),
        f"{state} ({worker['due']})" if worker["due"] else state,
        length(worker["seconds"]),
        str(worker["requests"]),
        latency(worker["took"], worker["requests"]),
        str(worker["connections"]),
        str(worker["in_flight"]),
        size(worker["memory"]),
        running(worker),
    )


def latency(took: float, requests: int) -> str:
    """How long a request took, on average: ``4.2ms``."""
    if requests <= 0:
        return "-"
    seconds = took / requests
    return f"{1000 * seconds:.1f}ms" if seconds < 1 else f"{seconds:.1f}s"


def running(worker: Mapping[str, Any]) -> str:
    """What a worker has in the application."""
    request = worker["request"]
    if request is None:
        return "-"
    words = f"{request['method']} {request['path']} {request['seconds']:.1f}s"
    # A client chose the path: a terminal must not obey it.
    return "".join(char if char.isprintable() else "?" for char in words)


def length(seconds: float) -> str:
    """A length of time, in its two largest units: ``3d 4h``, ``12s``."""
    left = int(seconds)
    parts: list[str] = []
    for unit, name in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, unit)
        if count or parts:
            parts.append(f"{count}{name}")
    return " ".join(parts[:2]) or "0s"


def size(count: int | None) -> str:
    """A number of bytes in the unit that suits it: ``23.4M``."""
    if not count:
        return "-"
    amount = float(count)
    for unit in ("", "K", "M"):
        if amount < 1024:
            return f"{amount:.1f}{unit}" if unit else f"{count}"
        amount /= 1024
    return f"{amount:.1f}G"
