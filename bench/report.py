"""The figures as tables, in Markdown that can be read as it stands."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bench.results import base_of, median, ratio
from bench.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.measure import Memory, Slow
    from bench.results import Loads, Results

SLOW_TITLES = {
    "/big": "20 MB in one chunk",
    "/stream": "20 MB in chunks of 64 KiB",
}


def report(results: Results) -> str:
    """Return all tables of a run, each under its title."""
    sections = []
    for name, loads in results.load.items():
        sections.append((SCENARIOS[name].title, load_table(loads, idle=name == "idle")))
    if results.memory:
        sections.append(("An idle kept-alive connection", memory_table(results.memory)))
    for path, runs in results.slow.items():
        title = f"200 slow readers of {SLOW_TITLES[path]}, 200 slow senders of a head"
        sections.append((title, slow_table(runs)))
    text = "\n\n".join(f"## {title}\n\n{body}" for title, body in sections)
    left_out = [f"{name}: left out, {why}" for name, why in results.failures.items()]
    return "\n\n".join(filter(None, [text, "\n".join(left_out)])) + "\n"


def page(results: Results, text: str) -> str:
    """Return a page of documentation around the tables."""
    about = results.about
    versions = ", ".join(f"{name} {v}" for name, v in about["versions"].items())
    return (
        f"# {about['group']}: benchmarks on CPython {about['python']}\n\n"
        f"`{about['interpreter']}`. "
        f"Measured on {about['date']}: {about['processor']}, {about['cores']} cores,"
        f" Linux {about['kernel']}; {versions}.\n"
        "Written by `scripts/bench`; what the columns mean: [benchmarks.md]"
        f"(benchmarks.md).\n\n{text}"
    )


def load_table(loads: Loads, *, idle: bool) -> str:
    """Return the table of a scenario, the fewest CPU µs per request first."""
    bases = {name: base_of(name, list(loads)) for name in loads}
    several = len(set(bases.values())) > 1
    base = "base" if several else next(iter(bases.values()))
    header = ["server", "CPU µs/request", f"{base} ÷ this", "requests/s"]
    header += ["p99 ms", "worker PSS MB", "all PSS MB", "errors"]
    if idle:
        header.append("idle kept")
    if several:
        header.append("base")
    rows = []
    figures = {name: median(runs) for name, runs in loads.items()}
    for name in sorted(figures, key=lambda name: figures[name].cpu_us):
        one = figures[name]
        compared = ratio(loads, bases[name], name)
        row = [name, f"{one.cpu_us:.1f}", "" if compared is None else f"{compared:.2f}"]
        row += [f"{one.rate:,.0f}", f"{one.p99_ms:.2f}", f"{one.pss_mb:.1f}"]
        row += [f"{one.family_pss_mb:.1f}", f"{one.errors:.0f}"]
        if idle:
            row.append(f"{one.idle:.0f}")
        if several:
            row.append(bases[name])
        rows.append(row)
    return table(header, rows)


def memory_table(memory: dict[str, list[Memory]]) -> str:
    """Return how many bytes an idle connection costs each worker."""
    rows = []
    for name, runs in memory.items():
        sizes = [run.bytes_each for run in runs if run.bytes_each is not None]
        each = f"{statistics.median(sizes):,.0f}" if sizes else "keeps none"
        rows.append([name, each, f"{statistics.median(run.kept for run in runs):.0f}"])
    return table(["server", "bytes each", "kept of 2,000"], rows)


def slow_table(slow: dict[str, list[Slow]]) -> str:
    """Return the answer times of a normal client without and with slow ones."""
    rows = []
    for name, runs in slow.items():
        worst = max(runs, key=lambda run: run.added_ms)
        row = [name, f"{worst.p50_before_ms:.2f}", f"{worst.p50_ms:.2f}"]
        row += [f"{worst.p99_before_ms:.2f}", f"{worst.p99_ms:.2f}"]
        row += [f"{worst.added_ms:+.2f}", str(worst.readers), str(worst.senders)]
        rows.append(row)
    header = ["server", "p50 without", "p50 with", "p99 without", "p99 with"]
    return table([*header, "added ms", "readers left", "senders left"], rows)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a Markdown table; numbers stand at the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(line(row, widths) for row in (header, rule, *rows))


def line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Lay out one row."""

    def cells() -> Iterator[str]:
        yield row[0].ljust(widths[0])
        for text, width in zip(row[1:], widths[1:], strict=True):
            yield text.rjust(width)

    return f"| {' | '.join(cells())} |"
