"""Figures as Prometheus reads them, judged by its own parser."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tiamat.observe.figures import figures
from tiamat.observe.metrics import exposed
from tiamat.system.scoreboard import SECONDS, Scoreboard, cell

FACTS = {
    "version": "1.2.3",
    "began": 1e9,
    "generation": 2,
    "target": 4,
    "backlog": {"http://127.0.0.1:8000": 7},
    "ends": {"died": 1, "reload": 2},
    "reloads": {"committed": 1},
}


def samples(text: str) -> dict[str, float]:
    """Each sample, by its name and its labels."""
    return {
        sample.name + "".join(f" {k}={v}" for k, v in sample.labels.items()): value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for value in [sample.value]
    }


def read(facts: dict[str, object]) -> dict[str, float]:
    """What is read of two requests."""
    board = Scoreboard(1)
    row = board.take()
    row.tally[cell(200, 0.003)] = row.tally[cell(503, 0.2)] = 1
    row.times[SECONDS] = 0.203
    data, media_type = exposed(figures(board, facts, 1.0))

    assert media_type.startswith("text/plain")

    return samples(data.decode())


def test_requests_are_counted_and_measured() -> None:
    """By status, and with the buckets that a histogram has."""
    found = read(FACTS)

    assert 1 == found["tiamat_requests_total status=2xx"]
    assert 1 == found["tiamat_requests_total status=5xx"]
    name = "tiamat_request_duration_seconds"
    counts = [
        found[f"{name}_bucket le={bound}"] for bound in ("0.0025", "0.005", "+Inf")
    ]
    assert [0, 1, 2] == counts
    assert (2, 0.203) == (found[f"{name}_count"], found[f"{name}_sum"])


def test_what_the_master_says_is_there() -> None:
    """Backlog, ends, reloads, with their labels."""
    found = read(FACTS)

    assert 7 == found["tiamat_backlog_connections listener=http://127.0.0.1:8000"]
    assert 2 == found["tiamat_worker_ends_total reason=reload"]
    assert 1 == found["tiamat_reloads_total outcome=committed"]
    assert 4 == found["tiamat_workers_target"]


def test_a_master_that_says_nothing_takes_nothing_else_away() -> None:
    """What the scoreboard has is there all the same."""
    found = read({})

    assert 1 == found["tiamat_requests_total status=2xx"]
    assert "tiamat_workers_target" not in found


def test_who_asks_for_openmetrics_gets_it() -> None:
    """As Prometheus does by itself."""
    wanted = "application/openmetrics-text; version=1.0.0"
    data, media_type = exposed(figures(Scoreboard(1), FACTS, 1.0), wanted)

    assert media_type.startswith("application/openmetrics-text")
    assert data.endswith(b"# EOF\n")


def test_every_metric_is_in_the_manual() -> None:
    """Under its name."""
    data, _ = exposed(figures(Scoreboard(1), FACTS, 1.0))
    names = set(re.findall(r"^# TYPE (\w+)", data.decode(), re.MULTILINE))
    manual = Path(__file__).parents[2] / "docs" / "metrics.md"

    assert names <= set(re.findall(r"`(tiamat_\w+)`", manual.read_text()))
