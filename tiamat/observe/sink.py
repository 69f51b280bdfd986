"""
Where lines of a log go: a file, a pipe, a terminal, or the journal's socket.

Nobody ever blocks on a log. A regular file does not block. Pipes and terminals are
opened anew through /proc/self/fd, without blocking: O_NONBLOCK belongs to the open
file, and setting it on the one that we were given would change it for the shell,
and for everybody else who shares it. What does not fit is dropped and counted, and
the next line that does fit is preceded by one that says how many were lost.

A record is one ``write`` to a file opened for appending, so the lines of many
processes never mix. (On a pipe this holds up to PIPE_BUF, 4096 bytes: pipe(7).)
"""

import contextlib
import os
import select
import socket
import stat
from typing import Final

from tiamat.system.unpatched import unpatched

STANDARD: Final = {
    "/dev/stdout": 1,
    "/dev/stderr": 2,
    "/proc/self/fd/1": 1,
    "/proc/self/fd/2": 2,
}
"""Paths that mean a stream we have; one that is a socket can't even be opened."""

FLAGS: Final = (
    os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
)


class Sink:
    """
    One file that lines go to.

    Args:
        path: of the file, or "-" for the stream that *standard* is.
        standard: the descriptor of that stream.

    Attributes:
        owner: user and group that the file is given to.
        terminal: whether a person reads it right now.
        dropped: how many records did not fit since the last that did.

    Raises:
        OSError: it can't be opened.
    """

    def __init__(self, path: str, standard: int) -> None:
        self.path = path
        self.standard = standard if path == "-" else STANDARD.get(path)
        self.owner: tuple[int, int] | None = None
        self.sock: socket.socket | None = None
        self.careful = False
        self.rest = b""
        self.dropped = 0
        self.fd = -1
        self.open()
        self.terminal = os.isatty(self.fd)

    def open(self) -> None:
        """Open it, in a way that never blocks."""
        if self.standard is not None:
            self.open_standard(self.standard)
            return
        self.fd = os.open(self.path, FLAGS, 0o644)
        if self.owner is not None:
            with contextlib.suppress(OSError):  # it is theirs already
                os.fchown(self.fd, *self.owner)

    def open_standard(self, standard: int) -> None:
        """Open a standard stream's file anew, or else use it with care."""
        try:
            mode = os.fstat(standard).st_mode
        except OSError:  # closed: `tiamat … 2>&-`
            self.fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            return
        if stat.S_ISSOCK(mode):  # systemd's journal
            self.sock = socket.socket(fileno=os.dup(standard))
            self.fd = self.sock.fileno()
            return
        if not stat.S_ISREG(mode):  # a file has a position, which is shared
            with contextlib.suppress(OSError):
                self.fd = os.open(f"/proc/self/fd/{standard}", FLAGS & ~os.O_CREAT)
                return
            # Another user's pipe, or no /proc: it may block, so it is asked first.
            self.careful = True
        self.fd = os.dup(standard)

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
            lines = "line was" if self.dropped == 1 else "lines were"
            note = f"[{self.dropped} {lines} dropped: nobody took them in time]\n"
            if self.send(note.encode()) == 0:
                return False
            self.dropped = 0
        return True

    def send(self, data: bytes) -> int:
        """How many bytes the system took; 0 if none."""
        try:
            if self.sock is not None:
                return self.sock.send(data, socket.MSG_DONTWAIT)
            if not self.careful:
                return os.write(self.fd, data)
            # A pipe that polls as writable takes PIPE_BUF without blocking. Nor may
            # gevent's poll, which lets others write meanwhile.
            poll = unpatched("select", "poll")()  # select() ends at 1,023
            poll.register(self.fd, select.POLLOUT)
            if not poll.poll(0):
                return 0
            return os.write(self.fd, data[: select.PIPE_BUF])
        except (OSError, ValueError):  # full pipe, full disk, reader gone
            return 0

    def reopen(self) -> None:
        """
        Open the file under its name again; a standard stream stays.

        Raises:
            OSError: it can't be opened; the old one is still in use.
        """
        if self.standard is None:
            old = self.fd
            self.open()
            os.close(old)

    def chown(self, uid: int, gid: int) -> None:
        """Give the file to a user, now and whenever it is opened again."""
        self.owner = (uid, gid)
        if self.standard is None:
            with contextlib.suppress(OSError):
                os.fchown(self.fd, uid, gid)

    def detach(self) -> None:
        """Let go of a standard stream; what is written from now on is lost."""
        if self.standard is None:
            return
        if self.sock is not None:
            self.sock.detach()  # its descriptor goes on, as another file
            self.sock = None
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fd, inheritable=False)
        os.close(null)
        self.careful = self.terminal = False
        self.rest, self.dropped = b"", 0

    def close(self) -> None:
        """Write what is left, if it fits, and close."""
        if self.fd >= 0 and (self.rest or self.dropped):
            self.catch_up()
        if self.sock is not None:
            self.sock.close()
        elif self.fd >= 0:
            os.close(self.fd)
        self.fd = -1
