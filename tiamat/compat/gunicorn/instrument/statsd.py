"""gunicorn's logger that tells a statsd daemon its figures, on ours."""

import socket
from typing import Any, Final

from tiamat.compat.gunicorn.glogging import Logger
from tiamat.config import Config, named
from tiamat.observe.statsd_log import StatsdLog

METRIC_VAR: Final = "metric"
VALUE_VAR: Final = "value"
MTYPE_VAR: Final = "mtype"
GAUGE_TYPE: Final = "gauge"
COUNTER_TYPE: Final = "counter"
HISTOGRAM_TYPE: Final = "histogram"
TIMER_TYPE: Final = "timer"


class Statsd(StatsdLog, Logger):
    """
    gunicorn's logger, whose calls may carry figures; workers count their requests.

    Figures wait for others, up to a second, and go in one datagram.

    Attributes:
        prefix: of all names.
        dogstatsd_tags: of all figures.
        sock: the way to the daemon; None when nothing was sent yet.
    """

    def setup(self, cfg: Config) -> None:
        """Open what the settings ask for."""
        super().setup(cfg)
        self.prefix, self.dogstatsd_tags = cfg.statsd_prefix, cfg.dogstatsd_tags
        self.statsd = named.statsd(cfg) if cfg.statsd_host else None

    def log(self, level: int | str, msg: object, *args: object, **options: Any) -> None:
        """Say something at a level, or tell a figure."""
        super().log(level, msg, *args, **options)  # type: ignore[arg-type]

    @property
    def sock(self) -> socket.socket | None:
        """The way to the daemon."""
        return self.statsd.sock if self.statsd else None

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        if self.statsd:
            self.statsd.gauge(name, value)

    def increment(self, name: str, value: float, sampling_rate: float = 1.0) -> None:
        """Add to a counter."""
        if self.statsd:
            self.statsd.increment(name, value, sampling_rate)

    def decrement(self, name: str, value: float, sampling_rate: float = 1.0) -> None:
        """Take from a counter."""
        self.increment(name, -value, sampling_rate)

    def timer(self, name: str, value: float) -> None:
        """Tell one length of time, in milliseconds."""
        if self.statsd:
            self.statsd.timer(name, value)

    def histogram(self, name: str, value: float) -> None:
        """Tell one value of a distribution."""
        if self.statsd:
            self.statsd.histogram(name, value)
