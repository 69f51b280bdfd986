"""Logging's records, as lines into sinks."""

import logging
import os
from typing import Final

from tiamat.observe.logconfig import DATE_FORMAT, FORMAT
from tiamat.observe.sink import Sink

COLOURS: Final = {
    logging.DEBUG: "\x1b[2m",
    logging.WARNING: "\x1b[33m",
    logging.ERROR: "\x1b[31m",
    logging.CRITICAL: "\x1b[1;31m",
}
RESET: Final = "\x1b[0m"


class SinkHandler(logging.Handler):
    """Logging's records, as lines into a sink."""

    def __init__(self, sink: Sink, formatter: logging.Formatter) -> None:
        super().__init__()
        self.sink = sink
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; a wrong log call is a line too, never an exception."""
        try:
            text = self.format(record)
        except Exception as error:
            where = f"{record.pathname}, line {record.lineno}"
            text = f"a log call is wrong ({where}): {record.msg!r}: {error}"
        self.sink.write(text.encode("utf-8", "backslashreplace") + b"\n")


class ColourFormatter(logging.Formatter):
    """The same lines, in the colour of their level."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record."""
        text = super().format(record)
        colour = COLOURS.get(record.levelno)
        return f"{colour}{text}{RESET}" if colour else text


def attach(
    logger: logging.Logger, sink: Sink | None, style: str, datefmt: str = DATE_FORMAT
) -> None:
    """Send a logger's records into *sink*, and nowhere else."""
    logger.propagate = False
    logger.handlers.clear()
    if sink is None:
        return
    coloured = sink.terminal and style == FORMAT and "NO_COLOR" not in os.environ
    kind = ColourFormatter if coloured else logging.Formatter
    logger.addHandler(SinkHandler(sink, kind(style, datefmt)))


def twin(logger: logging.Logger) -> logging.Logger:
    """gunicorn's logger of the same purpose; of one of gunicorn's, ours."""
    server, _, purpose = logger.name.partition(".")
    other = "tiamat" if server == "gunicorn" else "gunicorn"
    return logging.getLogger(f"{other}.{purpose}")


def share(logger: logging.Logger) -> None:
    """
    Have its twin write where it writes.

    Applications and configurations that know gunicorn take its loggers' handlers for
    their own, or add filters: the lists are the same two.
    """
    other = twin(logger)
    other.handlers = logger.handlers
    other.filters = logger.filters
    other.propagate = logger.propagate
    other.setLevel(logger.level)


def has_sink(logger: logging.Logger, sink: Sink | None) -> bool:
    """Whether the logger still writes into *sink*, and nowhere else."""
    return [getattr(handler, "sink", None) for handler in logger.handlers] == [sink]
