"""
Where a response goes: to the socket, and what that doesn't take, to wait.

An application goes on at once whatever its reader does. Only when memory and the
spool are full does it stand still, for a bounded time.
"""

import select
import socket
from collections.abc import Callable, MutableSequence
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Protocol

from tiamat.drivers.outgoing import Outgoing
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.request import Request
from tiamat.system.poller import IN, OUT
from tiamat.types import Environ

if TYPE_CHECKING:
    from tiamat.drivers.accepting import Row
    from tiamat.drivers.connection import EventedConnection
    from tiamat.drivers.evented import Handle
    from tiamat.drivers.service import WSGIService

# Buffers up to this are copied into one; larger ones go out by sendmsg.
_COPIED: Final = 16384

# So much of a response is spooled between two looks at its limit.
_SPOOLED: Final = 1 << 20


class Wait(IntEnum):
    """What a connection waits for, and so which timeout runs."""

    HEAD = 0
    BODY = 1
    IDLE = 2
    WRITE = 3
    LINGER = 4


# To reach a member through its class costs a frame on Python 3.11.
HEAD, BODY, IDLE, WRITE, LINGER = Wait


class Loop(Protocol):
    """
    What serves a connection, as the connection sees it.

    The selector loop, or one thread of a pool, which then counts for itself.
    """

    service: "WSGIService"
    common: CommonHeaders
    now: float
    keepalive: float
    handled: int
    seconds: float
    always_keeps: bool
    refresh_at: float
    reports: bool

    @property
    def ready(self) -> MutableSequence["EventedConnection"]: ...
    @property
    def row(self) -> "Row": ...
    @property
    def tally(self) -> "memoryview[int]": ...
    @property
    def clock(self) -> Callable[[], float]: ...
    @property
    def note(self) -> Callable[[float, float, bytes], object]: ...
    @property
    def environ(
        self,
    ) -> Callable[[Request, Environ, tuple[str, str]], Environ]: ...
    @property
    def handle(self) -> "Handle": ...

    def keeps_alive(self, connection: "EventedConnection", /) -> bool: ...
    def refresh(self) -> None: ...
    def watch(self, transport: "SocketTransport", mask: int, /) -> None: ...
    def unwatch(self, transport: "SocketTransport", /) -> None: ...
    def forget(self, connection: "EventedConnection", /) -> None: ...


class SocketTransport:
    """
    One accepted socket of a loop, as gateways write to it.

    Attributes:
        out: What the socket didn't take; None if nothing waits.
        broken: The peer has gone, or can't get the rest of its response.
        muted: Nothing is read from it: more requests came than may wait.
        wait: What the connection waits for.
        deadline: Point on the monotonic clock at which its patience ends.
    """

    __slots__ = (
        "broken", "deadline", "fileno", "loop", "muted", "out", "peer", "sock", "wait",
    )  # fmt: skip

    def __init__(self, loop: Loop, sock: socket.socket, peer: tuple[str, str]) -> None:
        self.loop: Loop = loop
        self.sock = sock
        self.fileno = sock.fileno()
        self.peer = peer
        self.out: Outgoing | None = None
        self.broken = False
        self.muted = False
        self.wait = HEAD
        self.deadline = loop.now + loop.service.timeouts.header

    def wait_until(self, wait: Wait, timeout: float) -> None:
        """Wait for this, for so many seconds from now."""
        self.wait = wait
        self.deadline = self.loop.now + timeout

    def write(self, *buffers: bytes) -> None:
        """
        Send *buffers*; what the socket doesn't take waits outside.

        Hot: once per response in the common case, one system call.
        """
        if self.broken:
            return
        if self.out is not None:
            for buffer in buffers:
                self._put(memoryview(buffer))
            return
        try:
            if len(buffers) == 1 or len(buffers[1]) <= _COPIED:
                data = b"".join(buffers)
                sent = self.sock.send(data)
                if sent != len(data):
                    self._put(memoryview(data)[sent:])
                return
            sent = self.sock.sendmsg(buffers)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.broken = True
            return
        for buffer in buffers:
            if sent < len(buffer):
                self._put(memoryview(buffer)[sent:])
                sent = 0
            else:
                sent -= len(buffer)

    def interject(self, data: bytes) -> None:
        """Send a few bytes of our own, outside of the application."""
        self.write(data)

    def write_file(self, fileno: int, offset: int, count: int) -> None:
        """Have the kernel send a part of a file, behind what waits."""
        if self.broken:
            return
        out = self.waiting()
        self.keep_file(out, fileno, offset, count)
        self.flush_now(out)

    def _put(self, data: memoryview) -> None:
        out = self.waiting()
        limit = self.loop.service.response_spool_limit
        while data and not self.broken:
            try:
                self.keep(out, data[:_SPOOLED])
            except OSError as error:
                # What the application still says would leave a gap.
                self.broken = True
                self.loop.service.log.warning(
                    "can't spool a response: %s", error.strerror
                )
                return
            data = data[_SPOOLED:]
            if out.spooled > limit:
                self._wait_for_reader(out)

    def _wait_for_reader(self, out: Outgoing) -> None:
        """
        Stand still until a reader has taken enough: the spool is full.

        Bounded by the write timeout without a byte taken. Everything is to be
        taken, since only an empty spool gives its room on the disk back.
        """
        self.loop.service.log.warning(
            "response_spool_limit=%d reached, waiting for %s",
            self.loop.service.response_spool_limit, self.peer[0],
        )  # fmt: skip
        poll = select.poll()
        poll.register(self.fileno, select.POLLOUT)
        while out.spooled:
            stalled_at = self.loop.clock() + self.loop.service.timeouts.write
            while not poll.poll(1000):
                self.loop.row.beat(self.loop.clock())
                if self.loop.clock() >= stalled_at:
                    self.broken = True
                    return
            self.loop.row.beat(self.loop.clock())
            try:
                self.send(out)
            except BlockingIOError:
                continue
            except OSError:
                self.broken = True
                return

    def waiting(self) -> Outgoing:
        """The queue for what the socket doesn't take; made when it is needed."""
        out = self.out
        if out is None:
            out = self.out = Outgoing(self.loop.service.spool_directory)
            self.loop.watch(self, OUT)
            # The application may have taken long since the clock was read.
            self.wait = WRITE
            self.deadline = self.loop.clock() + self.loop.service.timeouts.write
        return out

    def flush_now(self, out: Outgoing) -> None:
        try:
            if self.send(out):
                self.all_sent()
        except BlockingIOError:
            pass  # OUT tells when
        except OSError:
            self.broken = True

    def detach(self) -> socket.socket:
        """
        Leave the connection to the application, until that ends.

        It is closed then, since what was said on it is not ours. Nothing of ours
        is written or read any more.
        """
        self.broken = True
        self.loop.unwatch(self)
        if release := getattr(self.sock, "release", None):  # TLS
            return release()  # type: ignore[no-any-return]
        self.sock.setblocking(True)
        return self.sock

    # What is otherwise where several threads have to do with a connection.

    def keep(self, out: Outgoing, data: memoryview) -> None:
        """
        Keep *data* for the reader.

        Raises:
            OSError: There is no room on the disk.
        """
        out.put(data)

    def keep_file(self, out: Outgoing, fileno: int, offset: int, count: int) -> None:
        """Keep a part of a file for the reader."""
        out.put_file(fileno, offset, count)

    def send(self, out: Outgoing) -> bool:
        """Send what the socket takes; see ``Outgoing.send``."""
        return out.send(self.sock)

    def all_sent(self) -> None:
        """Nothing waits any more: read again."""
        if self.out is not None:
            self.out.close()
            self.out = None
            self.muted = False
            self.loop.watch(self, IN)
