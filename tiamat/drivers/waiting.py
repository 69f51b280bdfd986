"""Where a response goes whose writer waits for its reader."""

import math
import os
import select
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from tiamat.drivers.transport import HEAD, WRITE, Wait

if TYPE_CHECKING:
    from tiamat.drivers.host import Host

# Buffers up to this are copied into one; larger ones go out by sendmsg.
_COPIED: Final = 16384

_SENDFILE: Final = 1 << 30


class Socket(Protocol):
    """What a connection needs of a socket; each call may wait."""

    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: Any, /) -> int: ...
    def sendmsg(self, buffers: Any, /) -> int: ...
    def shutdown(self, how: int, /) -> None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class BlockingTransport:
    """
    One accepted socket, as gateways write to it.

    Attributes:
        broken: The peer has gone, or is given up.
        expired: It kept us waiting too long.
        wait: What the connection waits for, outside the application.
        deadline: Point on the monotonic clock at which its patience ends.
    """

    __slots__ = ("broken", "deadline", "expired", "host", "peer", "sock", "wait")

    def __init__(self, host: "Host", sock: Socket, peer: tuple[str, str]) -> None:
        self.host = host
        self.sock = sock
        self.peer = peer
        self.broken = False
        self.expired = False
        self.wait: Wait = HEAD
        self.deadline = host.clock() + host.service.timeouts.header

    def write(self, *buffers: bytes) -> None:
        """
        Send *buffers*, and wait until the kernel has them.

        Hot: once per response in the common case, one system call.
        """
        if self.broken:
            return
        self.wait = WRITE
        self.deadline = self.host.now + self.host.service.timeouts.write
        try:
            if len(buffers) == 1:
                data = buffers[0]
            elif sum(map(len, buffers)) <= _COPIED:
                data = b"".join(buffers)
            else:
                self._send_buffers(buffers)
                return
            sent = self.sock.send(data)
            if sent != len(data):
                self._send_rest(memoryview(data)[sent:])
        except OSError:
            self.broken = True
        self.deadline = math.inf

    def _send_buffers(self, buffers: tuple[bytes, ...]) -> None:
        sent = self.sock.sendmsg(buffers)
        for buffer in buffers:
            if sent < len(buffer):
                self._send_rest(memoryview(buffer)[sent:])
                sent = 0
            else:
                sent -= len(buffer)
        self.deadline = math.inf

    def _send_rest(self, data: memoryview) -> None:
        """Send piece by piece; each that is taken is a sign of life."""
        clock, timeout = self.host.clock, self.host.service.timeouts.write
        while data:
            self.deadline = clock() + timeout
            data = data[self.sock.send(data) :]

    def write_file(self, fileno: int, offset: int, count: int) -> None:
        """Have the kernel send a part of a file, and wait until it has."""
        host = self.host
        self.wait = WRITE
        while count and not self.broken:
            self.deadline = host.clock() + host.service.timeouts.write
            try:
                sent = os.sendfile(
                    self.sock.fileno(), fileno, offset, min(count, _SENDFILE)
                )
            except BlockingIOError:  # it blocks by other means than the system's
                poll = select.poll()
                poll.register(self.sock.fileno(), select.POLLOUT)
                poll.poll()
                continue
            except OSError:
                self.broken = True
                break
            if not sent:  # the file became shorter
                self.broken = True
            offset += sent
            count -= sent
        self.deadline = math.inf

    def detach(self) -> socket.socket:
        """
        Leave the connection to the application, until that ends.

        It is closed then, since what was said on it is not ours. The socket is one
        of whatever ``socket.socket`` is here: in a patched process, gevent's.
        """
        self.broken = True
        sock = socket.socket(fileno=os.dup(self.sock.fileno()))
        sock.setblocking(True)
        self.sock.close()
        self.sock = sock
        return sock

    def expire(self) -> None:
        """Its peer kept us waiting too long: end the wait."""
        self.deadline = math.inf
        self.expired = True
        if self.wait is WRITE:
            self.abort()
            return
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RD)

    def abort(self) -> None:
        """End whatever it waits for; what runs it then closes it."""
        self.broken = True
        self.deadline = math.inf
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
