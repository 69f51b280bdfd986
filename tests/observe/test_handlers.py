"""Logging's records, as lines into sinks."""

import logging
from pathlib import Path

from tiamat.observe.handlers import ColourFormatter, SinkHandler, attach, has_sink
from tiamat.observe.logconfig import FORMAT
from tiamat.observe.sink import Sink


def test_a_logger_writes_into_its_sink_and_nowhere_else(tmp_path: Path) -> None:
    """Other handlers are gone, and the root logger hears nothing."""
    logger = logging.getLogger("test.attach")
    logger.addHandler(logging.NullHandler())
    sink = Sink(str(tmp_path / "log"), 2)

    attach(logger, sink, FORMAT)
    logger.error("hello")
    logger.handlers, handlers = [], logger.handlers
    sink.close()

    assert [SinkHandler] == [type(handler) for handler in handlers]
    assert not logger.propagate
    assert (tmp_path / "log").read_text().endswith("[ERROR] hello\n")


def test_a_logger_with_another_handler_is_not_the_sink_s_alone(tmp_path: Path) -> None:
    """Then each record goes the long way."""
    logger = logging.getLogger("test.has_sink")
    sink = Sink(str(tmp_path / "log"), 2)
    attach(logger, sink, FORMAT)

    alone = has_sink(logger, sink)
    logger.addHandler(logging.NullHandler())
    found = has_sink(logger, sink)
    logger.handlers.clear()
    sink.close()

    assert (True, False) == (alone, found)


def test_errors_are_red() -> None:
    """And lines of no special level have no colour."""
    formatter = ColourFormatter("%(message)s")
    error, info = (
        logging.LogRecord("x", level, "", 0, "hello", (), None)
        for level in (logging.ERROR, logging.INFO)
    )

    assert "\x1b[31mhello\x1b[0m" == formatter.format(error)
    assert "hello" == formatter.format(info)
