"""CPU time per request as a chart in SVG, which follows light and dark."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from bench.peers import OURS
from bench.results import median
from bench.scenarios import SCENARIOS

if TYPE_CHECKING:
    from bench.results import Loads, Results

WIDTH, COLUMNS = 840, 2
MARGIN, GAP = 24, 32
HEAD = 74  # title and subtitle of the chart
TITLE = 26  # title of a panel
ROW, BAR = 22, 14
LABEL, VALUE = 112, 58  # room for names at the left, figures at the right
PANEL = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .title { font-size: 17px; font-weight: 600; }
  .note { fill: #57606a; }
  .panel { font-weight: 600; }
  .figure { font-variant-numeric: tabular-nums; }
  .peer { fill: #afb8c1; }
  .tiamat { fill: #0b7285; }
  .axis { stroke: #d0d7de; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .note { fill: #8d96a0; }
    .peer { fill: #57606a; }
    .tiamat { fill: #3bc9db; }
    .axis { stroke: #30363d; }
  }
"""


def chart(results: Results) -> str:
    """Return the chart: a panel per scenario, each with a scale of its own."""
    loads = {name: runs for name, runs in results.load.items() if runs}
    count = max((len(runs) for runs in loads.values()), default=0)
    panel_height = TITLE + count * ROW + 18
    height = HEAD + math.ceil(len(loads) / COLUMNS) * panel_height + 8
    about = results.about
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}" role="img">',
        "<title>CPU time per request, Tiamat and its peers</title>",
        f"<style>{STYLE}</style>",
        text(
            MARGIN,
            32,
            f"{about['group']}: CPU time per request, in microseconds",
            "title",
        ),
        text(
            MARGIN,
            54,
            f"One worker on one core, 50 connections. CPython {about['python']},"
            f" {about['date']}. Shorter is better; each panel has its own scale.",
            "note",
        ),
    ]
    for index, (name, runs) in enumerate(loads.items()):
        left = MARGIN + index % COLUMNS * (PANEL + GAP)
        top = HEAD + index // COLUMNS * panel_height
        lines += panel(SCENARIOS[name].title, runs, left, top)
    return "\n".join([*lines, "</svg>", ""])


def panel(title: str, runs: Loads, left: float, top: float) -> list[str]:
    """Draw the bars of one scenario, the shortest first."""
    figures = {name: median(each).cpu_us for name, each in runs.items()}
    longest = max(figures.values()) or 1.0
    room = PANEL - LABEL - VALUE
    lines = [text(left, top + 14, title, "panel")]
    for row, name in enumerate(sorted(figures, key=figures.__getitem__)):
        middle = top + TITLE + row * ROW + ROW / 2
        width = max(1.0, figures[name] / longest * room)
        kind = "tiamat" if name in OURS else "peer"
        lines += [
            text(left, middle + 4, name),
            f'<rect class="{kind}" x="{left + LABEL:g}" y="{middle - BAR / 2:g}"'
            f' width="{width:.1f}" height="{BAR}" rx="2"/>',
            text(left + LABEL + width + 6, middle + 4, number(figures[name]), "figure"),
        ]
    bottom = top + TITLE + len(figures) * ROW + 2
    lines.append(
        f'<line class="axis" x1="{left + LABEL:g}" x2="{left + LABEL:g}"'
        f' y1="{top + TITLE - 2:g}" y2="{bottom:g}"/>'
    )
    return lines


def number(value: float) -> str:
    """Write a figure with three digits that count."""
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def text(x: float, y: float, content: str, kind: str = "") -> str:
    """Place a line of text."""
    attribute = f' class="{kind}"' if kind else ""
    return f'<text{attribute} x="{x:g}" y="{y:g}">{escape(content)}</text>'
