"""
Figures → what Prometheus reads.

Imports prometheus-client, so nothing of the master does: the helper that answers on
``status_bind`` has it, and ``tiamatctl``.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, Final, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tiamat.system.scoreboard import BOUNDS

OF_REQUESTS: Final = (
    ("tiamat_requests_in_flight", "Requests in the application.", "in_flight"),
    (
        "tiamat_oldest_request_seconds",
        "For how long the oldest request has been in the application.",
        "oldest",
    ),
    ("tiamat_connections", "Open connections.", "connections"),
    (
        "tiamat_queue_age_seconds",
        "How long new connections wait in the kernel for a worker.",
        "queue_age",
    ),
)

OF_WORKERS: Final = (
    (
        "tiamat_busy_ratio",
        "Of the workers that serve, how many have a request: 0 to 1.",
        "busy",
    ),
    (
        "tiamat_memory_bytes",
        "Resident memory of all workers; what they share counts for each.",
        "memory",
    ),
    (
        "tiamat_memory_most_bytes",
        "Resident memory of the worker that has most.",
        "memory_most",
    ),
    ("tiamat_ready", "1 if /readyz says so: requests are served, and wanted.", "ready"),
)

OF_MASTER: Final = (
    (
        "tiamat_start_time_seconds",
        "When the master began, in seconds since 1970.",
        "began",
    ),
    ("tiamat_generation", "How many reloads, and 1.", "generation"),
    ("tiamat_workers_target", "How many workers there shall be.", "target"),
)

ENDS: Final = (
    ("tiamat_worker_ends", "Workers that ended.", "reason", "ends"),
    ("tiamat_reloads", "Reloads.", "outcome", "reloads"),
    (
        "tiamat_helper_restarts",
        "Processes of the setting helpers that were begun again.",
        "name",
        "helpers",
    ),
)

_Family = TypeVar("_Family", CounterMetricFamily, GaugeMetricFamily)


def exposed(figures: Mapping[str, Any], accept: str = "") -> tuple[bytes, str]:
    """
    The text, and its media type.

    Args:
        figures: from ``figures``.
        accept: the header of the request; OpenMetrics for who asks for that.
    """
    registry = CollectorRegistry()
    registry.register(Collected(figures))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class Collected(Collector):
    """Figures in the library's words."""

    def __init__(self, figures: Mapping[str, Any]) -> None:
        self.figures = figures
        self.facts: Mapping[str, Any] = figures["facts"]

    def collect(self) -> Iterator[Metric]:
        """All metrics; ``docs/metrics.md`` lists them."""
        yield from self.requests()
        yield from self.workers()
        yield from self.of_master()

    def requests(self) -> Iterator[Metric]:
        """What was answered, what is being answered, and what waits."""
        figures = self.figures
        yield labelled(
            CounterMetricFamily,
            "tiamat_requests",
            "Requests that were answered.",
            "status",
            figures["responses"],
        )
        yield HistogramMetricFamily(
            "tiamat_request_duration_seconds",
            "From a request to the end of its response, without WebSockets.",
            buckets=buckets(figures["lengths"]),
            sum_value=figures["seconds"],
        )
        yield CounterMetricFamily(
            "tiamat_connections_turned_away",
            "Connections that were closed at once: limit_connections_per_ip.",
            value=figures["turned_away"],
        )
        yield from gauges(OF_REQUESTS, figures)

    def workers(self) -> Iterator[Metric]:
        """How the workers are."""
        figures = self.figures
        yield labelled(
            GaugeMetricFamily, "tiamat_workers", "Workers.", "state", figures["states"]
        )
        yield from gauges(OF_WORKERS, figures)

    def of_master(self) -> Iterator[Metric]:
        """What the master knows; nothing as long as it has said nothing."""
        facts = self.facts
        if not facts:
            return
        yield InfoMetricFamily("tiamat", "Tiamat.", value={"version": facts["version"]})
        yield from gauges(OF_MASTER, facts)
        yield labelled(
            GaugeMetricFamily,
            "tiamat_backlog_connections",
            "Connections that wait in the kernel for a worker.",
            "listener",
            facts["backlog"],
        )
        for name, text, label, figure in ENDS:
            yield labelled(
                CounterMetricFamily, name, text, label, facts.get(figure, {})
            )


def gauges(
    rows: Iterable[tuple[str, str, str]], figures: Mapping[str, float]
) -> Iterator[Metric]:
    """What goes up and down: name, text, and the figure's own name."""
    for name, text, figure in rows:
        yield GaugeMetricFamily(name, text, value=figures[figure])


def labelled(
    family: type[_Family], name: str, text: str, label: str, values: Mapping[str, float]
) -> _Family:
    """A figure for each value of one label."""
    made = family(name, text, labels=[label])
    for word, value in values.items():
        made.add_metric([word], value)
    return made


def buckets(lengths: list[int]) -> list[tuple[str, float]]:
    """How many took at most so long, for each bound."""
    names = (*map(str, BOUNDS), "+Inf")
    return list(zip(names, accumulate(lengths), strict=True))
