"""What was measured: collected, condensed to medians and ratios, kept as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measure import Load, Memory, Slow
from bench.peers import GROUPS, SERVERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.environment import Environment

Loads = dict[str, list[Load]]  # server → one per round


@dataclass
class Results:
    """Everything from one run of the bench."""

    about: dict[str, Any]
    load: dict[str, Loads] = field(default_factory=dict)  # scenario → …
    memory: dict[str, list[Memory]] = field(default_factory=dict)
    slow: dict[str, dict[str, list[Slow]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write all of it as JSON, the medians first."""
        medians = {
            scenario: {name: asdict(median(runs)) for name, runs in loads.items()}
            for scenario, loads in self.load.items()
        }
        whole = {"about": self.about, "medians": medians} | {
            "rounds": {
                "load": jsonable(self.load),
                "memory": jsonable(self.memory),
                "slow": jsonable(self.slow),
            },
            "failures": self.failures,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(whole, indent=1) + "\n")


def median(runs: Sequence[Load]) -> Load:
    """Return the median of each figure."""
    return Load(
        **{
            each.name: statistics.median(getattr(run, each.name) for run in runs)
            for each in fields(Load)
        }
    )


def ratio(loads: Loads, base: str, name: str) -> float | None:
    """
    Return the CPU per request of *base* divided by that of *name*.

    The median of the ratios within each round, since the two ran seconds apart
    there and what disturbed one disturbed the other.
    """
    pairs = zip(loads.get(base, []), loads.get(name, []), strict=False)
    ratios = [ours.cpu_us / theirs.cpu_us for ours, theirs in pairs if theirs.cpu_us]
    return statistics.median(ratios) if ratios else None


def base_of(name: str, ran: Sequence[str]) -> str:
    """Choose what a server's ratio refers to: its row of ours, if that ran."""
    base = SERVERS[name].base
    return base if base in ran else next(iter(ran), base)


def describe(
    environment: Environment, group: str, servers: Sequence[str]
) -> dict[str, Any]:
    """Say what the figures belong to: versions, machine and day."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "group": GROUPS[group],
        "python": environment.python,
        "interpreter": environment.interpreter,
        "versions": {
            package: environment.versions.get(package, "?")
            for package in dict.fromkeys(
                ["tiamat-server", *(SERVERS[name].package for name in servers)]
            )
        },
        "processor": processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release().partition("-")[0],
    }


def processor() -> str:
    """Return the processor's name as Linux tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def jsonable(value: Any) -> Any:
    """Turn dictionaries and lists of dataclasses into plain ones."""
    if isinstance(value, dict):
        return {key: jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [asdict(inner) for inner in value]
    return value
