"""The program: which servers, which scenarios, in which order, for how long."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench import measure
from bench.chart import chart
from bench.environment import ROOT, default_python, prepare
from bench.report import SLOW_TITLES, page, report
from bench.results import Results, describe
from bench.scenarios import SCENARIOS
from bench.servers import COMMANDS, Cores, DidNotStartError, Running

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.environment import Environment
    from bench.scenarios import Scenario

EXTRA = {"memory": "bytes per idle connection", "slow": "slow readers and senders"}
QUICK_ROUNDS, QUICK_SECONDS = 2, 1
SLOW_ROUNDS = 2  # at most: arriving alone takes ten seconds
T = TypeVar("T")


class Bench:
    """One run: servers take turns within each round, so that noise is shared."""

    def __init__(
        self, environment: Environment, servers: Sequence[str], deadline: float
    ) -> None:
        self.environment = environment
        self.servers = servers
        self.deadline = deadline
        self.cores = Cores.choose()
        self.results = Results(describe(environment, servers))

    def rounds(
        self, app: str, count: int, measured: Callable[[Running], T]
    ) -> dict[str, list[T]]:
        """
        Measure every server *count* times, in turns, each freshly started.

        A server that does not start, or fails, is noted and left out from then
        on; after the deadline nothing more is begun.
        """
        found: dict[str, list[T]] = {name: [] for name in self.servers}
        failed = set()
        for number in range(count):
            for name in found:
                if name in failed or time.monotonic() > self.deadline:
                    continue
                say(f"  round {number + 1} of {count}: {name}")
                try:
                    with Running(name, app, self.environment, self.cores) as server:
                        found[name].append(measured(server))
                except (DidNotStartError, OSError, RuntimeError, ValueError) as error:
                    failed.add(name)
                    self.results.failures[f"{name} ({app})"] = str(error) or repr(error)
        return {name: runs for name, runs in found.items() if runs}

    def load(self, scenario: Scenario, rounds: int, seconds: int) -> None:
        """Run one scenario."""
        self.results.load[scenario.name] = self.rounds(
            scenario.app,
            rounds,
            partial(measure.load, scenario=scenario, seconds=seconds),
        )

    def memory(self, rounds: int) -> None:
        """Measure what idle connections cost."""
        self.results.memory = self.rounds("bench.apps:hello", rounds, measure.memory)

    def slow(self, rounds: int) -> None:
        """Measure what slow clients cost the others."""
        for path in SLOW_TITLES:
            self.results.slow[path] = self.rounds(
                "bench.large_apps:slow",
                min(rounds, SLOW_ROUNDS),
                partial(measure.slow, path=path),
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; return an exit status."""
    options = parse(arguments)
    for program in ("wrk", "taskset"):
        if not shutil.which(program):
            say(f"{program} is not installed; on Debian: apt install wrk util-linux")
            return 1
    environment = prepare(options.python)
    bench = Bench(environment, options.servers, time.monotonic() + options.limit * 60)
    if bench.cores.server == bench.cores.client:
        say("Only one core: server and clients share it, the figures say little.")
    say(f"CPython {environment.python}; at most {options.limit} minutes")
    for requirement, reason in environment.failures.items():
        say(f"{requirement} did not install: {reason}")
    for name in options.scenarios:
        say(f"{name}: {EXTRA.get(name) or SCENARIOS[name].title}")
        if name == "memory":
            bench.memory(min(options.rounds, 3))
        elif name == "slow":
            bench.slow(options.rounds)
        else:
            bench.load(SCENARIOS[name], options.rounds, options.seconds)
    publish(bench.results, options.output)
    return 0


def publish(results: Results, folder: Path) -> None:
    """Print the tables; write tables, figures and chart."""
    text = report(results)
    print(text)
    version = ".".join(results.about["python"].split(".")[:2])
    name = f"benchmarks-{version}"
    results.write(folder / f"{name}.json")
    (folder / f"{name}.md").write_text(page(results, text))
    (folder / f"{name}.svg").write_text(chart(results))
    say(f"Written: {folder / name}.json, .md and .svg")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; --quick only changes defaults."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    everything = [*SCENARIOS, *EXTRA]
    add = parser.add_argument
    add("--quick", action="store_true", help="two short rounds, figures only roughly")
    add("--scenarios", help=f"some of {','.join(everything)}; all by default")
    add("--servers", help=f"some of {','.join(COMMANDS)}; all by default")
    add("--rounds", type=int, help="how often each server has its turn (5)")
    add("--seconds", type=int, help="how long each turn is (3)")
    add("--limit", type=float, default=45, help="minutes until no more is begun (45)")
    add(
        "--python",
        default=default_python(),
        help="an interpreter; by default CPython 3.11",
    )
    add("--output", type=Path, help="folder for JSON and chart: docs, or build/bench"
        " when the run is quick or partial")  # fmt: skip
    options = parser.parse_args(arguments)
    some = options.quick or options.scenarios or options.servers
    options.output = options.output or ROOT / ("build/bench" if some else "docs")
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else 5)
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else 3)
    options.scenarios = chosen(parser, options.scenarios, everything)
    options.servers = chosen(parser, options.servers, list(COMMANDS))
    return options


def chosen(
    parser: argparse.ArgumentParser, text: str | None, known: list[str]
) -> list[str]:
    """Split a list of names and refuse unknown ones."""
    names = text.split(",") if text else known
    for name in names:
        if name not in known:
            parser.error(f"{name!r} is not one of {', '.join(known)}")
    return names


def say(text: str) -> None:
    """Tell how far it is; the tables alone go to standard output."""
    print(text, file=sys.stderr, flush=True)
