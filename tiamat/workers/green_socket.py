"""A socket that waits in gevent's hub, and costs a request as little as can be."""

import socket
from typing import Any, Final

from greenlet import getcurrent

READ: Final = 1
WRITE: Final = 2


class GreenSocket:
    """
    An accepted socket: who would wait for it waits in the hub, and others run.

    Less than gevent's, so that it costs less: it waits first and reads then, since
    behind a response the next request has hardly ever come yet.

    Args:
        sock: of the system's class, non-blocking; owned from now on.
        hub: gevent's, of this thread.
    """

    __slots__ = ("_hub", "_reading", "_recv", "_sock", "_writing", "fileno", "send_now")

    def __init__(self, sock: socket.socket, hub: Any) -> None:
        self._sock = sock
        self._recv = sock.recv
        self._hub = hub
        self.fileno = sock.fileno
        self.send_now = sock.send
        self._reading = self._hub.loop.io(sock.fileno(), READ)
        self._writing: Any = None

    def recv(self, size: int, /) -> bytes:
        """
        What has come; waits for it. Nothing is the end.

        Hot: once per request.
        """
        reading = self._reading
        while True:
            reading.start(getcurrent().switch)
            try:
                self._hub.switch()
            finally:
                reading.stop()
            try:
                return self._recv(size)
            except BlockingIOError:
                pass

    def send(self, data: Any, /) -> int:
        """Send what the socket takes; waits until that is something."""
        while True:
            try:
                return self.send_now(data)
            except BlockingIOError:
                self._wait_writable()

    def sendmsg(self, buffers: Any, /) -> int:
        """As ``send``, of several buffers."""
        while True:
            try:
                return self._sock.sendmsg(buffers)
            except BlockingIOError:
                self._wait_writable()

    def _wait_writable(self) -> None:
        if self._writing is None:
            self._writing = self._hub.loop.io(self._sock.fileno(), WRITE)
        self._writing.start(getcurrent().switch)
        try:
            self._hub.switch()
        finally:
            self._writing.stop()

    def shutdown(self, how: int, /) -> None:
        self._sock.shutdown(how)

    def close(self) -> None:
        self._reading.close()
        if self._writing is not None:
            self._writing.close()
        self._sock.close()
