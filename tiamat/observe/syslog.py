"""
Records to a syslog daemon: RFC 3164's form, over a Unix socket, UDP or TCP.

Nobody ever blocks on it. What the daemon does not take at once is dropped and counted,
and the next record that it takes is preceded by one that says how many were lost. A
daemon that is gone is looked for again once a second, as long as there is something to
say. Each process has a connection of its own: records of several would mix in a stream.
"""

import contextlib
import logging
import os
import socket
from dataclasses import dataclass
from typing import Any, Final

from tiamat.system.unpatched import unpatched

FACILITIES: Final = {
    "kern": 0,
    "user": 1,
    "mail": 2,
    "daemon": 3,
    "auth": 4,
    "security": 4,
    "syslog": 5,
    "lpr": 6,
    "news": 7,
    "uucp": 8,
    "cron": 9,
    "authpriv": 10,
    "ftp": 11,
    "ntp": 12,
    "audit": 13,
    "alert": 14,
    **{f"local{number}": 16 + number for number in range(8)},
}
"""RFC 5424, 6.2.1, by the names of syslog.conf(5)."""

SEVERITIES: Final = {
    logging.CRITICAL: 2,
    logging.ERROR: 3,
    logging.WARNING: 4,
    logging.INFO: 6,
    logging.DEBUG: 7,
}

UNIX: Final = "unix://"
TYPES: Final = {
    "": (socket.SOCK_DGRAM, socket.SOCK_STREAM),
    "dgram": (socket.SOCK_DGRAM,),
    "stream": (socket.SOCK_STREAM,),
}

PORT: Final = 514

WAITING_LIMIT: Final = 64 * 1024
"""The most bytes that wait for a stream."""

PAUSE: Final = 1.0
"""Seconds between two attempts to find a daemon that is gone."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """
    Where a syslog daemon is.

    Attributes:
        family: of its socket.
        types: of its socket; those that it may be, in the order to try them.
        address: as ``connect`` takes it.
    """

    family: int
    types: tuple[int, ...]
    address: Any


@dataclass(frozen=True, slots=True)
class Syslog:
    """
    What is wanted of syslog.

    Attributes:
        daemon: where it goes.
        facility: RFC 5424's number.
        tag: what stands before a record, with the name of its log behind it.
        access: whether the access log goes there as well.
    """

    daemon: Daemon
    facility: int
    tag: str
    access: bool = True


def split(text: str) -> tuple[str, str, str]:
    """
    The parts of ``unix://PATH#TYPE``, ``udp://HOST:PORT``, ``tcp://HOST:PORT``.

    Returns:
        ``unix``, the path and the type; or ``udp`` or ``tcp``, the host and the port.

    Raises:
        ValueError: with the end of a sentence that begins with the text.
    """
    scheme, colon, rest = text.partition("://")
    if colon and scheme == "unix":
        path, _, type_ = rest.partition("#")
        if path and type_ in TYPES:
            return scheme, path, type_
    elif colon and scheme in ("udp", "tcp"):
        host, bracket, tail = rest.partition("]")
        if not bracket:
            host, _, tail = rest.partition(":")
            tail = tail and f":{tail}"
        port = tail.removeprefix(":") or str(PORT)
        if port.isdecimal() and int(port) < 65536:
            return scheme, host.removeprefix("[") or "localhost", port
    raise ValueError(
        "is no address of a syslog daemon; write unix:///dev/log,"
        " udp://HOST:PORT or tcp://HOST:PORT"
    )


def find(text: str) -> Daemon:
    """
    The daemon at an address.

    Raises:
        OSError: its host has no address.
        ValueError: this is none.
    """
    scheme, where, more = split(text)
    if scheme == "unix":
        return Daemon(socket.AF_UNIX, TYPES[more], where)
    kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
    family, _, _, _, address = socket.getaddrinfo(where, int(more), type=kind)[0]
    return Daemon(family, (kind,), address)


class Wire:
    """
    The way to a daemon.

    Attributes:
        dropped: how many records it did not take since the last that it took.
    """

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.dropped = 0
        self.sock: socket.socket | None = None
        self.waiting = b""  # for a stream
        self.ending = b""
        self.pid = 0
        self.again_at = 0.0

    def send(self, data: bytes, note: bytes, now: float) -> None:
        """
        Send a record, or drop it.

        Args:
            data: the record.
            note: says that records were lost; ``%d`` is how many.
            now: the time, to know when to look for a daemon that is gone.
        """
        if self.pid != os.getpid():
            self.close()
            self.pid, self.dropped, self.again_at = os.getpid(), 0, 0.0
        for fresh in (False, True):  # one that was started anew is found at once
            if self.sock is None and not self.connect(now):
                break
            try:
                if self.dropped:
                    self.put(note % self.dropped)
                    self.dropped = 0
                self.put(data)
            except BlockingIOError:
                break
            except OSError:
                self.close()
                if fresh:
                    self.again_at = now + PAUSE
            else:
                return
        self.dropped += 1

    def put(self, data: bytes) -> None:
        """Send a record; raises OSError if it is not taken."""
        sock = self.sock
        if sock is None:
            raise BrokenPipeError
        if not self.ending:
            sock.send(data)
            return
        if len(self.waiting) + len(data) >= WAITING_LIMIT:
            self.flush()
            if len(self.waiting) + len(data) >= WAITING_LIMIT:
                raise BlockingIOError
        self.waiting += data + self.ending
        self.flush()

    def flush(self) -> None:
        """Send what waits for a stream; raises OSError if that is broken."""
        if self.sock is not None and self.waiting:
            # It may still connect, or its reader be slow.
            with contextlib.suppress(BlockingIOError):
                self.waiting = self.waiting[self.sock.send(self.waiting) :]

    def connect(self, now: float) -> bool:
        """Find the daemon; whether it is there."""
        if now < self.again_at:
            return False
        daemon = self.daemon
        make = unpatched("socket", "socket")  # gevent's would wait in the hub
        for kind in daemon.types:
            try:
                sock = make(daemon.family, kind)
            except OSError:
                continue
            sock.setblocking(False)
            try:
                sock.connect(daemon.address)
            except BlockingIOError:
                pass  # TCP goes on meanwhile
            except OSError:
                sock.close()
                continue
            self.sock = sock
            if kind == socket.SOCK_STREAM:
                # RFC 6587, 3.4.2 for TCP; syslog(3) ends with NUL on a Unix socket.
                self.ending = b"\0" if daemon.family == socket.AF_UNIX else b"\n"
            else:
                self.ending = b""
            return True
        self.again_at = now + PAUSE
        return False

    def close(self) -> None:
        """Let go of the socket, and of what waits for it."""
        if self.sock is not None:
            self.sock.close()
        self.sock = None
        self.waiting = b""


class SyslogHandler(logging.Handler):
    """Logging's records, for a syslog daemon."""

    def __init__(self, syslog: Syslog, name: str, style: str) -> None:
        super().__init__()
        self.wire = Wire(syslog.daemon)
        self.facility = syslog.facility * 8
        self.tag = f"{syslog.tag}.{name}: "
        self.setFormatter(logging.Formatter(self.tag.replace("%", "%%") + style))
        severity = self.facility + SEVERITIES[logging.WARNING]
        lost = (
            f"<{severity}>{self.tag}[%d lines were dropped: nobody took them in time]"
        )
        self.note = lost.replace(self.tag, self.tag.replace("%", "%%")).encode()

    def emit(self, record: logging.LogRecord) -> None:
        """Send the record; a wrong log call is one too, never an exception."""
        try:
            text = self.format(record)
        except Exception as error:
            text = f"{self.tag}a log call is wrong: {record.msg!r}: {error}"
        priority = self.facility + SEVERITIES.get(record.levelno, 6)
        data = f"<{priority}>{text}".encode("utf-8", "backslashreplace")
        self.wire.send(data, self.note, record.created)

    def flush(self) -> None:
        """Send what waits for a stream, if it is taken."""
        with contextlib.suppress(OSError):  # the next record finds out
            self.wire.flush()

    def close(self) -> None:
        """Close the socket too."""
        self.wire.close()
        super().close()
