"""The program: which servers, which scenarios, in which order, for how long."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench import measure, preload, promises
from bench.chart import chart
from bench.environment import ROOT, default_python, prepare
from bench.peers import GROUPS, OURS, SERVERS
from bench.promises import PROMISES
from bench.report import SLOW_TITLES, page, report
from bench.results import Results, describe
from bench.scenarios import SCENARIOS
from bench.servers import Cores, DidNotStartError, Running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.environment import Environment
    from bench.scenarios import Scenario

EXTRA = {"memory": "bytes per idle connection", "slow": "slow readers and senders"}
QUICK_ROUNDS, QUICK_SECONDS = 2, 1
SLOW_ROUNDS = 2  # at most: arriving alone takes ten seconds
T = TypeVar("T")


class Bench:
    """One run: servers take turns within each round, so that noise is shared."""

    def __init__(
        self,
        environment: Environment,
        group: str,
        servers: Sequence[str],
        deadline: float,
    ) -> None:
        self.environment = environment
        self.servers = servers
        self.deadline = deadline
        self.cores = Cores.choose()
        self.results = Results(describe(environment, group, servers))

    def rounds(
        self,
        app: str,
        count: int,
        measured: Callable[[Running], T],
        *,
        tls: bool = False,
    ) -> dict[str, list[T]]:
        """
        Measure every server *count* times, in turns, each freshly started.

        A server that does not start, or fails, is noted and left out from then
        on; after the deadline nothing more is begun.
        """
        found: dict[str, list[T]] = {
            name: [] for name in self.servers if SERVERS[name].tls or not tls
        }
        failed = set()
        for number in range(count):
            for name in found:
                if name in failed or time.monotonic() > self.deadline:
                    continue
                say(f"  round {number + 1} of {count}: {name}")
                try:
                    with Running(
                        name, app, self.environment, self.cores, tls=tls
                    ) as server:
                        found[name].append(measured(server))
                except (DidNotStartError, OSError, RuntimeError, ValueError) as error:
                    failed.add(name)
                    say(f"    {name} is left out: {str(error) or repr(error)}")
                    self.results.failures[f"{name} ({app})"] = str(error) or repr(error)
        return {name: runs for name, runs in found.items() if runs}

    def load(self, scenario: Scenario, rounds: int, seconds: int) -> None:
        """Run one scenario."""
        self.results.load[scenario.name] = self.rounds(
            scenario.app,
            rounds,
            partial(measure.load, scenario=scenario, seconds=seconds),
            tls=scenario.tls,
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
    cores = Cores.choose()
    if cores.server == cores.client:
        say("Only one core: server and clients share it, the figures say little.")
    say(f"CPython {environment.python}; at most {options.limit:g} minutes")
    for requirement, reason in environment.failures.items():
        say(f"{requirement} did not install: {reason}")
    if options.promises:
        return promises.run(options.promises, options.servers, environment, cores)
    if options.preload:
        return preload.run(environment, options.rounds)
    deadline = time.monotonic() + options.limit * 60
    for group in options.group:
        servers = [name for name in options.servers if SERVERS[name].group == group]
        scenarios = [name for name in options.scenarios if group_of(name) == group]
        if servers and scenarios:
            bench = Bench(environment, group, servers, deadline)
            measure_all(bench, scenarios, options.rounds, options.seconds)
            publish(bench.results, group, options.output)
    return 0


def measure_all(
    bench: Bench, scenarios: Sequence[str], rounds: int, seconds: int
) -> None:
    """Run the scenarios of one group."""
    for name in scenarios:
        say(f"{name}: {EXTRA.get(name) or SCENARIOS[name].title}")
        if name == "memory":
            bench.memory(min(rounds, 3))
        elif name == "slow":
            bench.slow(rounds)
        else:
            bench.load(SCENARIOS[name], rounds, seconds)


def group_of(name: str) -> str:
    """Tell which group a scenario belongs to."""
    return SCENARIOS[name].group if name in SCENARIOS else "wsgi"


def publish(results: Results, group: str, folder: Path) -> None:
    """Print the tables; write tables, figures and chart."""
    text = report(results)
    print(text)
    name = file_name(results.about["python"], group)
    results.write(folder / f"{name}.json")
    (folder / f"{name}.md").write_text(page(results, text))
    (folder / f"{name}.svg").write_text(chart(results))
    say(f"Written: {folder / name}.json, .md and .svg")


def file_name(python: str, group: str) -> str:
    """Name the files of a group: the first is that of WSGI, as it always was."""
    name = f"benchmarks-{'.'.join(python.split('.')[:2])}"
    return name if group == "wsgi" else f"{name}-{group}"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; --quick only changes defaults."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    everything = [*SCENARIOS, *EXTRA]
    add = parser.add_argument
    add("--quick", action="store_true", help="two short rounds, figures only roughly")
    add("--group", help=f"some of {','.join(GROUPS)}; all by default")
    add("--scenarios", help=f"some of {','.join(everything)}; all by default")
    add("--servers", help=f"some of {','.join(SERVERS)}; all by default")
    add("--promises", help=f"instead: what must hold, some of {names_of(PROMISES)},"
        " or a group, or all; for the rows of Tiamat, or for --servers")  # fmt: skip
    add("--preload", action="store_true", help="instead: what workers share")
    add("--rounds", type=int, help="how often each server has its turn (5)")
    add("--seconds", type=int, help="how long each turn is (3)")
    add("--limit", type=float, default=90, help="minutes until no more is begun (90)")
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
    if options.promises:
        options.promises = promises_of(parser, options.promises)
        options.servers = options.servers or ",".join(OURS)
    options.group = chosen(parser, options.group, list(GROUPS))
    options.scenarios = chosen(parser, options.scenarios, everything)
    options.servers = chosen(parser, options.servers, list(SERVERS))
    return options


def promises_of(parser: argparse.ArgumentParser, text: str) -> list[str]:
    """Resolve names of promises and of groups of them."""
    names: list[str] = []
    for word in chosen(parser, text, [*PROMISES, *GROUPS, "all"]):
        names += [n for n, p in PROMISES.items() if word in (n, "all", *p.groups)]
    return list(dict.fromkeys(names))


def names_of(things: Mapping[str, object]) -> str:
    """List the names there are."""
    return ",".join(things)


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
