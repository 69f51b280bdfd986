"""What systemd hands over, and what it is told: sd_listen_fds(3), sd_notify(3)."""

import errno
import math
import os
import select
import socket
from collections.abc import MutableMapping, Sequence
from typing import Final

FIRST_FD: Final = 3  # SD_LISTEN_FDS_START

VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")

NOTIFY: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "FDSTORE")

STORED: Final = "tiamat-listen-"
"""How the names begin under which systemd keeps our listeners."""

LATER: Final = frozenset(
    (errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
)
"""A datagram that failed by one of these may go another time."""


def listen_fds(environ: MutableMapping[str, str]) -> list[tuple[int, str]]:
    """
    The descriptors that systemd passed to this process, each with its name.

    The variables are taken out of *environ*, so that no process started from
    here believes that they were meant for it.

    Source: sd_listen_fds(3): LISTEN_PID must be our own pid; the descriptors
    begin at 3; a name that was not given is "unknown".
    """
    pid, count, names, _ = (environ.pop(variable, "") for variable in VARIABLES)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    named = names.split(":") if names else []
    named += ["unknown"] * (int(count) - len(named))
    return [(FIRST_FD + index, named[index]) for index in range(int(count))]


def store_name(bind: str) -> str:
    """
    The name of a listener in systemd's store, by its address in the settings.

    A hash, since names have no colons and 255 characters at most (FDNAME=).
    """
    import hashlib  # OpenSSL with it: four megabytes

    return STORED + hashlib.sha256(bind.encode("utf-8", "replace")).hexdigest()[:16]


class Manager:
    """
    The service manager that started us, if it wants to hear of us (sd_notify(3)).

    Attributes:
        address: where it listens; empty if it does not.
        watchdog: seconds that it waits for a sign of life; infinite if it does not.
        room: how many descriptors it keeps for us (FileDescriptorStoreMax=); only
            systemd 254 and later say so.
    """

    def __init__(
        self, address: str = "", watchdog: float = math.inf, room: int = 0
    ) -> None:
        self.address = address
        self.watchdog = watchdog
        self.room = room

    @classmethod
    def from_environ(cls, environ: MutableMapping[str, str]) -> "Manager":
        """
        Who started us, and what it wants to hear.

        The variables are taken out of *environ*: no process that is started from
        here speaks for us.

        Source: sd_notify(3), sd_watchdog_enabled(3): a watchdog is meant for the
        process in WATCHDOG_PID; without that, for whoever reads it.
        """
        address, wanted, pid, room = (environ.pop(name, "") for name in NOTIFY)
        if not address.startswith(("/", "@")):  # vsock: it is outside of this machine
            return cls()
        ours = pid in {"", str(os.getpid())} and wanted.isdecimal() and int(wanted) > 0
        watchdog = int(wanted) / 1e6 if ours else math.inf
        return cls(address, watchdog, int(room) if room.isdecimal() else 0)

    def tell(self, *words: str, fds: Sequence[int] = ()) -> bool:
        """
        Send one datagram, ``READY=1`` or the like; never wait.

        Returns:
            Whether the manager has it, or there is none any more; if not, its queue
            is full, or there are no more descriptors: try again later.
        """
        if not self.address:
            return True
        data = "\n".join(words).encode("utf-8", "replace")
        name = self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect("\0" + name[1:] if name.startswith("@") else name)
                socket.send_fds(sock, [data], fds)
        except OSError as error:
            return error.errno not in LATER
        return True

    def barrier(self, timeout: float) -> bool:
        """
        Wait until the manager has read all that was sent.

        What a process sends right before its end may be dropped otherwise, because
        nobody can say any more whose process it was.

        Source: sd_notify_barrier(3): the manager closes the descriptor that comes
        with BARRIER=1, when it has read what came before.
        """
        if not self.address:
            return True
        reader, writer = os.pipe()
        try:
            told = self.tell("BARRIER=1", fds=[writer])
        finally:
            os.close(writer)
        try:
            poll = select.poll()
            poll.register(reader, 0)  # POLLHUP comes unasked
            return told and bool(poll.poll(timeout * 1000))
        finally:
            os.close(reader)
