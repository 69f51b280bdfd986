"""The error log and the access log."""

import contextlib
import logging
import os
import sys
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tiamat.observe import logconfig as logconfigs
from tiamat.observe.handlers import SinkHandler, attach, has_sink, share, twin
from tiamat.observe.logconfig import DATE_FORMAT, FORMAT
from tiamat.observe.sink import Sink

if TYPE_CHECKING:
    from tiamat.observe.syslog import Syslog

HELD_LIMIT: Final = 64 * 1024
"""Access lines that a turn has gathered are written at this size at the latest."""


class Log:
    """
    What the server says: an error log, and an access log if it is asked for.

    The base of classes for the setting ``logger_class``. What is logged as
    ``gunicorn.error`` and ``gunicorn.access`` goes where its own loggers write, and
    handlers and filters that are added there are its own.

    Args:
        errorlog: a path, or "-" for the standard error.
        accesslog: a path, "-" for the standard output, or None.
        level: the least important level that the error log gets.
        capture_output: the standard streams go to the error log's file.
        logconfig: a dictionary for ``logging.config.dictConfig``, or a file for
            ``fileConfig``.
        syslog: the daemon that gets the records as well.

    Attributes:
        names: of its loggers.
        error_fmt, access_fmt, datefmt, syslog_fmt: the form of its lines.
        takes_views: whether ``access`` is called as gunicorn's is, with response,
            request, environ and length of time, instead of with a line.
        error_log, access_log: the loggers, ``tiamat.error`` and ``tiamat.access``.

    Raises:
        OSError: a file can't be opened.
        ValueError: the logging configuration is wrong.
    """

    names: ClassVar[tuple[str, str]] = ("tiamat.error", "tiamat.access")
    error_fmt: str = FORMAT
    access_fmt: str = "%(message)s"
    datefmt: str = DATE_FORMAT
    syslog_fmt: str = "[%(process)d] %(message)s"
    takes_views: ClassVar[bool] = False

    def __init__(
        self,
        errorlog: str = "-",
        accesslog: str | None = None,
        *,
        level: str = "info",
        capture_output: bool = False,
        logconfig: str | dict[str, Any] | None = None,
        syslog: "Syslog | None" = None,
    ) -> None:
        self.prepare()
        with self.all_or_nothing():
            self.open(errorlog, accesslog, level)
            if syslog is not None:
                self.add_syslog(syslog)
            if logconfig:
                self.configure(logconfig)
        self.capture_output = capture_output
        self.capture()

    def prepare(self) -> None:
        """Have the loggers, and no file yet."""
        self.error_log, self.access_log = map(logging.getLogger, self.names)
        self.capture_output = False
        self.sinks: list[Sink] = []
        self.printed: Sink | None = None
        self.remote: list[logging.Handler] = []
        self.access_sink: Sink | None = None
        self.held: deque[str] | None = None
        self.held_size = 0

    @contextlib.contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Leave the loggers as they are, and no file open, if what follows fails."""
        before = [(logger, logger.handlers[:]) for logger in self.loggers]
        try:
            yield
        except BaseException:
            for logger, handlers in before:  # a reload that fails changes nothing
                logger.handlers[:] = handlers
            for sink in self.sinks:
                sink.close()
            for handler in self.remote:
                handler.close()
            raise

    def open(self, errorlog: str, accesslog: str | None, level: str) -> None:
        """Send the loggers' records into these files, and nowhere else."""
        self.sinks.append(Sink(errorlog, 2))
        if accesslog is not None:
            self.access_sink = Sink(accesslog, 1)
            self.sinks.append(self.access_sink)
        attach(self.error_log, self.sinks[0], self.error_fmt, self.datefmt)
        attach(self.access_log, self.access_sink, self.access_fmt, self.datefmt)
        self.error_log.setLevel(level.upper())
        self.access_log.setLevel(logging.INFO)
        for logger in self.loggers:
            share(logger)

    def add_syslog(self, syslog: "Syslog") -> None:
        """Send records to a daemon as well."""
        from tiamat.observe.syslog import SyslogHandler

        for logger in self.loggers:
            purpose = logger.name.rpartition(".")[2]
            if purpose == "error" or syslog.access:
                handler = SyslogHandler(syslog, purpose, self.syslog_fmt)
                logger.addHandler(handler)
                self.remote.append(handler)
        if not has_sink(self.access_log, self.access_sink):
            self.access_sink = None

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

    @property
    def access_direct(self) -> bool:
        """Whether ``access`` may write lines, though no filter or handler sees them."""
        logger, sink = self.access_log, self.access_sink
        return sink is not None and not logger.filters and has_sink(logger, sink)

    @property
    def access_ours(self) -> bool:
        """Whether nobody else's filter or handler sees access records."""
        return not self.access_log.filters and all(
            handler in self.remote or isinstance(handler, SinkHandler)
            for handler in self.access_log.handlers
        )

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
        for handler in self.remote:
            handler.flush()

    # --- Files --------------------------------------------------------------

    def configure(self, source: str | dict[str, Any]) -> None:
        """Let a logging configuration have the last word on our loggers."""
        others = [twin(logger) for logger in self.loggers]
        for other in others:
            other.handlers = []  # of its own, so that it is seen what becomes of it
        mentioned = logconfigs.apply(source)
        for logger, other in zip(self.loggers, others, strict=True):
            if logger.name not in mentioned and (
                other.name in mentioned or other.handlers
            ):
                logger.handlers[:] = other.handlers
                logger.propagate = other.propagate
                logger.setLevel(other.level or logger.level)
            share(logger)
        if not has_sink(self.access_log, self.access_sink):
            self.access_sink = None

    def capture(self) -> None:
        """Let the standard streams be the error log's file."""
        if self.capture_output and self.sinks and self.sinks[0].standard is None:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(self.sinks[0].fd, 1)
            os.dup2(self.sinks[0].fd, 2)
        if self.printed is not None:
            sys.stdout.flush()
            os.dup2(self.printed.fd, 1)

    def print_to(self, path: str) -> None:
        """
        Let the standard output be a file, which ``reopen`` opens again.

        Raises:
            OSError: it can't be opened.
        """
        self.printed = Sink(path, 1)
        self.sinks.append(self.printed)
        self.capture()

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
                if (
                    handler in self.remote
                    or getattr(handler, "sink", None) in self.sinks
                ):
                    logger.removeHandler(handler)
        for sink in self.sinks:
            sink.close()
        for handler in self.remote:
            handler.close()
        self.sinks.clear()
        self.printed = None
        self.remote.clear()
        self.access_sink = None


def encoded(line: str) -> bytes:
    """The bytes of a line."""
    return line.encode("utf-8", "backslashreplace") + b"\n"
