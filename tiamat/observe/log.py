"""The error log and the access log."""

import contextlib
import logging
import os
import sys
from collections import deque
from typing import Any, Final

from tiamat.observe import logconfig as logconfigs
from tiamat.observe.handlers import attach, has_sink
from tiamat.observe.logconfig import FORMAT
from tiamat.observe.sink import Sink

HELD_LIMIT: Final = 64 * 1024
"""Access lines that a turn has gathered are written at this size at the latest."""

GUNICORN: Final = {"tiamat.error": "gunicorn.error", "tiamat.access": "gunicorn.access"}
"""Our loggers, and those that a logging configuration of gunicorn's speaks of."""


class Log:
    """
    What the server says: an error log, and an access log if it is asked for.

    The base of classes for the setting ``logger_class``.

    Args:
        errorlog: a path, or "-" for the standard error.
        accesslog: a path, "-" for the standard output, or None.
        level: the least important level that the error log gets.
        capture_output: the standard streams go to the error log's file.
        logconfig: a dictionary for ``logging.config.dictConfig``, or a file for
            ``fileConfig``.

    Attributes:
        error_log, access_log: the loggers ``tiamat.error`` and ``tiamat.access``.

    Raises:
        OSError: a file can't be opened.
        ValueError: the logging configuration is wrong.
    """

    def __init__(
        self,
        errorlog: str = "-",
        accesslog: str | None = None,
        *,
        level: str = "info",
        capture_output: bool = False,
        logconfig: str | dict[str, Any] | None = None,
    ) -> None:
        self.error_log = logging.getLogger("tiamat.error")
        self.access_log = logging.getLogger("tiamat.access")
        self.capture_output = capture_output
        self.sinks: list[Sink] = []
        self.access_sink: Sink | None = None
        self.held: deque[str] | None = None
        self.held_size = 0
        before = [(logger, logger.handlers[:]) for logger in self.loggers]
        try:
            self.sinks.append(Sink(errorlog, 2))
            if accesslog is not None:
                self.access_sink = Sink(accesslog, 1)
                self.sinks.append(self.access_sink)
            attach(self.error_log, self.sinks[0], FORMAT)
            attach(self.access_log, self.access_sink, "%(message)s")
            self.error_log.setLevel(level.upper())
            self.access_log.setLevel(logging.INFO)
            if logconfig:
                self.configure(logconfig)
        except BaseException:
            for logger, handlers in before:  # a reload that fails changes nothing
                logger.handlers[:] = handlers
            for sink in self.sinks:
                sink.close()
            raise
        self.capture()

    @property
    def loggers(self) -> tuple[logging.Logger, logging.Logger]:
        """Ours: the one for errors, the one for access lines."""
        return self.error_log, self.access_log

    # --- Speaking -----------------------------------------------------------

    def debug(self, msg: object, *args: object, **options: Any) -> None:
        """Say what only a developer wants to know."""
        self.error_log.debug(msg, *args, **options)

    def info(self, msg: object, *args: object, **options: Any) -> None:
        """Say what happened."""
        self.error_log.info(msg, *args, **options)

    def warning(self, msg: object, *args: object, **options: Any) -> None:
        """Say what somebody should look at."""
        self.error_log.warning(msg, *args, **options)

    def error(self, msg: object, *args: object, **options: Any) -> None:
        """Say what went wrong."""
        self.error_log.error(msg, *args, **options)

    def critical(self, msg: object, *args: object, **options: Any) -> None:
        """Say what the server can't live with."""
        self.error_log.critical(msg, *args, **options)

    def exception(self, msg: object, *args: object, **options: Any) -> None:
        """Say what went wrong, with the traceback of the current exception."""
        self.error_log.error(msg, *args, **{"exc_info": True} | options)

    def log(self, level: int, msg: object, *args: object, **options: Any) -> None:
        """Say something at a level of logging's."""
        self.error_log.log(level, msg, *args, **options)

    def access(self, line: str) -> None:
        """Write a line of the access log: at once, or with its turn."""
        if self.access_sink is None:
            self.access_log.info("%s", line)  # for the handlers of a logconfig
        elif self.held is None:
            self.access_sink.write(encoded(line))
        else:
            self.held.append(line)
            self.held_size += len(line)
            if self.held_size > HELD_LIMIT:
                self.flush()

    @property
    def access_wanted(self) -> bool:
        """Whether anybody reads access lines; else they need not be made."""
        return self.access_sink is not None or self.access_log.hasHandlers()

    def hold(self) -> None:
        """From now on access lines wait for ``flush``: for loops that call it."""
        self.held = deque()

    def flush(self) -> None:
        """
        Write the access lines that a turn has gathered, in one write.

        From any thread: each line is taken once.
        """
        held = self.held
        if held and self.access_sink is not None:
            self.held_size = 0
            lines = []
            with contextlib.suppress(IndexError):
                while True:
                    lines.append(held.popleft())
            if lines:
                self.access_sink.write(encoded("\n".join(lines)))

    # --- Files --------------------------------------------------------------

    def configure(self, source: str | dict[str, Any]) -> None:
        """Let a logging configuration have the last word on our loggers."""
        mentioned = logconfigs.apply(source)
        for logger in self.loggers:
            name = GUNICORN[logger.name]
            theirs = logging.getLogger(name)
            if logger.name not in mentioned and (name in mentioned or theirs.handlers):
                logger.handlers[:] = theirs.handlers
                logger.propagate = theirs.propagate
                logger.setLevel(theirs.level or logger.level)
        if not has_sink(self.access_log, self.access_sink):
            self.access_sink = None

    def capture(self) -> None:
        """Let the standard streams be the error log's file."""
        error_sink = self.sinks[0]
        if self.capture_output and error_sink.standard is None:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(error_sink.fd, 1)
            os.dup2(error_sink.fd, 2)

    def reopen(self) -> None:
        """Open the files under their names again: they were rotated."""
        self.flush()
        for sink in self.sinks:
            try:
                sink.reopen()
            except OSError as error:
                self.error(
                    "can't reopen the log %s: %s; going on with the old file",
                    sink.path,
                    error.strerror,
                )
        self.capture()

    def chown(self, uid: int, gid: int) -> None:
        """Give the files to the user that workers run as, now and on reopening."""
        for sink in self.sinks:
            sink.chown(uid, gid)

    def detach(self) -> None:
        """
        Let go of the standard streams: for a daemon that has started.

        Each process has descriptors of its own, through which it would keep the
        terminal, or the pipe of an ssh session, open for ever. What is captured goes
        on.
        """
        for sink in self.sinks:
            sink.detach()
        self.capture()

    def close(self) -> None:
        """Write what is held, and close the files."""
        self.flush()
        for logger in self.loggers:  # which may be another log's by now
            for handler in list(logger.handlers):
                if getattr(handler, "sink", None) in self.sinks:
                    logger.removeHandler(handler)
        for sink in self.sinks:
            sink.close()
        self.sinks.clear()
        self.access_sink = None


def encoded(line: str) -> bytes:
    """The bytes of a line."""
    return line.encode("utf-8", "backslashreplace") + b"\n"
