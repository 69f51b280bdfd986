"""Logs whose calls carry figures to a statsd daemon."""

from time import monotonic
from typing import Any

from tiamat.observe.log import Log
from tiamat.observe.statsd import Statsd


class StatsdLog(Log):
    """
    Logs whose calls may carry a figure, as gunicorn's do.

    ``log.info("…", extra={"metric": NAME, "value": V, "mtype": "gauge"})``; the other
    types are ``counter``, ``histogram`` and ``timer``. A figure counts whatever the
    level of the log is, and an empty text is no line.
    """

    statsd: Statsd | None = None

    def debug(self, msg: object, *args: object, **options: Any) -> None:
        """Say what only a developer wants to know."""
        if self.told(msg, options):
            super().debug(msg, *args, **options)

    def info(self, msg: object, *args: object, **options: Any) -> None:
        """Say what happened."""
        if self.told(msg, options):
            super().info(msg, *args, **options)

    def log(self, level: int, msg: object, *args: object, **options: Any) -> None:
        """Say something at a level of logging's."""
        if self.told(msg, options):
            super().log(level, msg, *args, **options)

    def warning(self, msg: object, *args: object, **options: Any) -> None:
        """Say what somebody should look at."""
        self.count("warning")
        super().warning(msg, *args, **options)

    def error(self, msg: object, *args: object, **options: Any) -> None:
        """Say what went wrong."""
        self.count("error")
        super().error(msg, *args, **options)

    def critical(self, msg: object, *args: object, **options: Any) -> None:
        """Say what the server can't live with."""
        self.count("critical")
        super().critical(msg, *args, **options)

    def exception(self, msg: object, *args: object, **options: Any) -> None:
        """Say what went wrong, with the traceback of the current exception."""
        self.count("exception")
        super().exception(msg, *args, **options)

    def count(self, level: str) -> None:
        """Count a line."""
        if self.statsd is not None:
            self.statsd.increment(f"gunicorn.log.{level}", 1)

    def told(self, msg: object, options: dict[str, Any]) -> bool:
        """Tell the figure of a call, if it has one; whether there is a line as well."""
        extra = options.get("extra")
        if self.statsd is None or not extra or not extra.get("metric"):
            return True
        if (value := extra.get("value")) is not None:
            kinds = {
                "gauge": self.statsd.gauge,
                "counter": self.statsd.increment,
                "histogram": self.statsd.histogram,
                "timer": self.statsd.timer,
            }
            if tell := kinds.get(extra.get("mtype")):
                tell(extra["metric"], value)
        return bool(msg)

    def flush(self) -> None:
        """Write access lines; once a second, send figures."""
        super().flush()
        if self.statsd is not None:
            self.statsd.tick(monotonic())

    def close(self) -> None:
        """Send what there is as well."""
        super().close()
        if self.statsd is not None:
            self.statsd.end()
