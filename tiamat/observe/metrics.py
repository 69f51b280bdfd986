"""
Figures → what Prometheus reads.

Imports prometheus-client, so nothing of the master does: the helper that answers on
``status_bind`` has it, and ``tiamatctl``.
"""

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

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
        yield counter(
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
        yield GaugeMetricFamily(
            "tiamat_requests_in_flight",
            "Requests in the application.",
            value=figures["in_flight"],
        )
        yield GaugeMetricFamily(
            "tiamat_oldest_request_seconds",
            "For how long the oldest request has been in the application.",
            value=figures["oldest"],
        )
        yield GaugeMetricFamily(
            "tiamat_connections", "Open connections.", value=figures["connections"]
        )
        yield CounterMetricFamily(
            "tiamat_connections_turned_away",
            "Connections that were closed at once: limit_connections_per_ip.",
            value=figures["turned_away"],
        )
        yield GaugeMetricFamily(
            "tiamat_queue_age_seconds",
            "How long new connections wait in the kernel for a worker.",
            value=figures["queue_age"],
        )

    def workers(self) -> Iterator[Metric]:
        """How the workers are."""
        figures = self.figures
        yield gauge("tiamat_workers", "Workers.", "state", figures["states"])
        yield GaugeMetricFamily(
            "tiamat_busy_ratio",
            "Of the workers that serve, how many have a request: 0 to 1.",
            value=figures["busy"],
        )
        yield GaugeMetricFamily(
            "tiamat_memory_bytes",
            "Resident memory of all workers; what they share counts for each.",
            value=figures["memory"],
        )
        yield GaugeMetricFamily(
            "tiamat_memory_most_bytes",
            "Resident memory of the worker that has most.",
            value=figures["memory_most"],
        )
        yield GaugeMetricFamily(
            "tiamat_ready",
            "1 if /readyz says so: requests are served, and wanted.",
            value=figures["ready"],
        )

    def of_master(self) -> Iterator[Metric]:
        """What the master knows; nothing as long as it has said nothing."""
        facts = self.facts
        if not facts:
            return
        yield InfoMetricFamily("tiamat", "Tiamat.", value={"version": facts["version"]})
        yield GaugeMetricFamily(
            "tiamat_start_time_seconds",
            "When the master began, in seconds since 1970.",
            value=facts["began"],
        )
        yield GaugeMetricFamily(
            "tiamat_generation", "How many reloads, and 1.", value=facts["generation"]
        )
        yield GaugeMetricFamily(
            "tiamat_workers_target",
            "How many workers there shall be.",
            value=facts["target"],
        )
        yield gauge(
            "tiamat_backlog_connections",
            "Connections that wait in the kernel for a worker.",
            "listener",
            facts["backlog"],
        )
        yield counter(
            "tiamat_worker_ends", "Workers that ended.", "reason", facts["ends"]
        )
        yield counter("tiamat_reloads", "Reloads.", "outcome", facts["reloads"])
        yield counter(
            "tiamat_helper_restarts",
            "Processes of the setting helpers that were begun again.",
            "name",
            facts.get("helpers", {}),
        )


def counter(
    name: str, text: str, label: str, values: Mapping[str, float]
) -> CounterMetricFamily:
    """What only grows, by one label."""
    family = CounterMetricFamily(name, text, labels=[label])
    for word, value in values.items():
        family.add_metric([word], value)
    return family


def gauge(
    name: str, text: str, label: str, values: Mapping[str, float]
) -> GaugeMetricFamily:
    """What goes up and down, by one label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for word, value in values.items():
        family.add_metric([word], value)
    return family


def buckets(lengths: list[int]) -> list[tuple[str, float]]:
    """How many took at most so long, for each bound."""
    names = (*map(str, BOUNDS), "+Inf")
    return list(zip(names, accumulate(lengths), strict=True))
