"""
The error log and the access log; nobody ever blocks on either.

A record is one ``write`` to a file opened for appending, so the lines of many
processes never mix. Pipes and terminals are opened anew, without blocking, through
/proc/self/fd: O_NONBLOCK belongs to the open file, and setting it on the one we
were given would change it for the shell and everybody else who shares it. What
does not fit is dropped and counted.
"""

import contextlib
import logging
import os
import socket
import stat
import sys
from typing import Any, Final

FORMAT: Final = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
DATE_FORMAT: Final = "[%Y-%m-%d %H:%M:%S %z]"

COLOURS: Final = {
    logging.DEBUG: "\x1b[2m",
    logging.WARNING: "\x1b[33m",
    logging.ERROR: "\x1b[31m",
    logging.CRITICAL: "\x1b[1;31m",
}
RESET: Final = "\x1b[0m"

HELD_LIMIT: Final = 64 * 1024
"""Access lines that a turn has gathered are written at this size at the latest."""


class Sink:
    """
    One file that lines go to.

    Attributes:
        path: of the file, or "-" for a standard stream.
        fd: what we write to.
        terminal: whether a person reads it right now.
        dropped: how many records did not fit since the last that did.
    """

    def __init__(self, path: str, standard_fd: int) -> None:
        self.path = path
        self.standard_fd = standard_fd
        self.owner: tuple[int, int] | None = None
        self.sock: socket.socket | None = None
        self.rest = b""
        self.dropped = 0
        self.fd = -1
        self.open()
        self.terminal = os.isatty(self.fd)

    def open(self) -> None:
        """Open the file, or the standard stream in a way that never blocks."""
        if self.path != "-":
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self.fd = os.open(self.path, flags | os.O_NOCTTY, 0o644)
            if self.owner is not None:
                with contextlib.suppress(OSError):
                    os.fchown(self.fd, *self.owner)
            return
        mode = os.fstat(self.standard_fd).st_mode
        if stat.S_ISSOCK(mode):  # systemd's journal
            self.sock = socket.socket(fileno=os.dup(self.standard_fd))
            self.fd = self.sock.fileno()
        else:
            self.fd = self.open_again() if not stat.S_ISREG(mode) else -1
            if self.fd < 0:
                self.fd = os.dup(self.standard_fd)

    def open_again(self) -> int:
        """The standard stream's file, opened without blocking; -1 if we may not."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        try:
            return os.open(f"/proc/self/fd/{self.standard_fd}", flags)
        except OSError:
            return -1

    def write(self, data: bytes) -> None:
        """Write a record, or drop it if it does not fit."""
        if (self.rest or self.dropped) and not self.catch_up():
            self.dropped += 1
            return
        sent = self.send(data)
        if sent == 0:
            self.dropped += 1
        elif sent < len(data):
            self.rest = data[sent:]

    def catch_up(self) -> bool:
        """Write what is left of the last record, and how many were dropped."""
        if self.rest:
            self.rest = self.rest[self.send(self.rest) :]
            if self.rest:
                return False
        if self.dropped:
            note = f"[{self.dropped} lines dropped: the reader was too slow]\n"
            if self.send(note.encode()) == 0:
                return False
            self.dropped = 0
        return True

    def send(self, data: bytes) -> int:
        """How many bytes the system took; 0 if none."""
        try:
            if self.sock is not None:
                return self.sock.send(data, socket.MSG_DONTWAIT)
            return os.write(self.fd, data)
        except OSError:  # full pipe, full disk, reader gone: the server goes on
            return 0

    def reopen(self) -> None:
        """Open the file under its name again; a standard stream stays."""
        if self.path == "-":
            return
        old = self.fd
        try:
            self.open()
        except OSError:
            self.fd = old
            raise
        os.close(old)

    def close(self) -> None:
        """Close it."""
        if self.sock is not None:
            self.sock.close()
        elif self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


class SinkHandler(logging.Handler):
    """Logging's records, as lines into a sink."""

    def __init__(self, sink: Sink, formatter: logging.Formatter) -> None:
        super().__init__()
        self.sink = sink
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception as error:  # a log call with wrong arguments
            text = f"[log] {record.msg!r} % {record.args!r}: {error}"
        self.sink.write(text.encode("utf-8", "backslashreplace") + b"\n")


class ColourFormatter(logging.Formatter):
    """The same lines, with the colour of their level."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        colour = COLOURS.get(record.levelno)
        return f"{colour}{text}{RESET}" if colour else text


class Log:
    """
    What the server says: an error log, and an access log if it is asked for.

    Args:
        errorlog: a path, or "-" for the standard error.
        accesslog: a path, "-" for the standard output, or None.
        level: the least important level that the error log gets.
        capture_output: the standard streams go to the error log's file.
        logconfig: a file for ``logging.config.fileConfig``.
        logconfig_dict: a dictionary for ``logging.config.dictConfig``.

    Raises:
        OSError: a file can't be opened.
    """

    def __init__(
        self,
        errorlog: str = "-",
        accesslog: str | None = None,
        *,
        level: str = "info",
        capture_output: bool = False,
        logconfig: str | None = None,
        logconfig_dict: dict[str, Any] | None = None,
    ) -> None:
        self.error_log = logging.getLogger("tiamat.error")
        self.access_log = logging.getLogger("tiamat.access")
        self.capture_output = capture_output
        self.sinks: list[Sink] = []
        self.access_sink: Sink | None = None
        self.held: list[str] | None = None
        self.held_size = 0
        self.error_log.setLevel(level.upper())
        self.access_log.setLevel(logging.INFO)
        self.attach(self.error_log, Sink(errorlog, 2), FORMAT)
        if accesslog is not None:
            self.access_sink = Sink(accesslog, 1)
            self.attach(self.access_log, self.access_sink, "%(message)s")
        else:
            self.clear(self.access_log)
        self.capture()
        # levels: the methods are logging's own, so a level that is off costs
        # what logging costs, and %(funcName)s is right
        self.debug = self.error_log.debug
        self.info = self.error_log.info
        self.warning = self.error_log.warning
        self.error = self.error_log.error
        self.critical = self.error_log.critical
        self.exception = self.error_log.exception
        self.log = self.error_log.log

    @staticmethod
    def clear(logger: logging.Logger) -> None:
        """Take all handlers off a logger of ours, and its records to itself."""
        logger.propagate = False
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()

    def attach(self, logger: logging.Logger, sink: Sink, style: str) -> None:
        """Send a logger's records into *sink*, and nowhere else."""
        self.clear(logger)
        self.sinks.append(sink)
        coloured = sink.terminal and style == FORMAT and "NO_COLOR" not in os.environ
        kind = ColourFormatter if coloured else logging.Formatter
        logger.addHandler(SinkHandler(sink, kind(style, DATE_FORMAT)))

    def capture(self) -> None:
        """Let the standard streams be the error log's file."""
        if self.capture_output and self.sinks[0].path != "-":
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(self.sinks[0].fd, 1)
            os.dup2(self.sinks[0].fd, 2)

    def access(self, line: str) -> None:
        """Write a line of the access log; at once, or with its turn."""
        if self.held is not None:
            self.held.append(line)
            self.held_size += len(line)
            if self.held_size > HELD_LIMIT:
                self.flush()
        elif self.access_sink is not None:
            data = line.encode("utf-8", "backslashreplace")
            self.access_sink.write(data + b"\n")

    def hold(self) -> None:
        """From now on access lines wait for ``flush``: for loops that flush."""
        self.held = []

    def flush(self) -> None:
        """Write the access lines that a turn has gathered, in one write."""
        if self.held and self.access_sink is not None:
            text = "\n".join(self.held)
            self.access_sink.write(text.encode("utf-8", "backslashreplace") + b"\n")
            self.held.clear()
            self.held_size = 0

    def reopen(self) -> None:
        """Open the files under their names again: they were rotated."""
        self.flush()
        for sink in self.sinks:
            sink.reopen()
        self.capture()

    def chown(self, uid: int, gid: int) -> None:
        """Give the files to the user that workers run as, now and on reopening."""
        for sink in self.sinks:
            sink.owner = (uid, gid)
            if sink.path != "-":
                with contextlib.suppress(OSError):
                    os.fchown(sink.fd, uid, gid)

    def close(self) -> None:
        """Write what is held, and close the files."""
        self.flush()
        for logger in (self.error_log, self.access_log):
            self.clear(logger)
        for sink in self.sinks:
            sink.close()
        self.sinks.clear()
        self.access_sink = None
