"""
A pair of sockets that carries messages and file descriptors; EOF is death.

SOCK_SEQPACKET keeps the borders of messages and tells of the end of the other
side. macOS has it not for Unix sockets: there it is SOCK_STREAM, with the length
of each message before it.

For EOF to work, nobody but the two may hold an end: after a fork the worker closes
the master's ends of all others.
"""

import os
import select
import socket
import struct
import sys
from typing import Final

from tiamat.system.messages import Message, decode, encode
from tiamat.system.unpatched import unpatched

LENGTH: Final = struct.Struct("!I")

FRAME_LIMIT: Final = 256 * 1024
"""Of what ``encode`` makes of the longest texts, in bytes of UTF-8 and escapes."""

FDS_LIMIT: Final = 16

PATIENCE: Final = 5.0
"""How many seconds a worker waits for a master that does not read."""


class Channel:
    """
    One end.

    Attributes:
        descriptors: file descriptors that came with messages, oldest first; who
            takes one owns it.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.descriptors: list[int] = []
        self._framed = sock.type == socket.SOCK_STREAM
        self._received = b""
        # The system's: a thread that gevent knows nothing of waits for it, too.
        self._lock = unpatched("_thread", "allocate_lock")()

    @classmethod
    def pair(
        cls, *, stream: bool = sys.platform != "linux"
    ) -> tuple["Channel", "Channel"]:
        """Two ends that hear each other."""
        kind = socket.SOCK_STREAM if stream else socket.SOCK_SEQPACKET
        here, there = socket.socketpair(socket.AF_UNIX, kind)
        return cls(here), cls(there)

    def fileno(self) -> int:
        return self.sock.fileno()

    def close(self) -> None:
        """Close this end; the other one receives EOF."""
        self.sock.close()

    def send(
        self, message: Message, fds: tuple[int, ...] = (), *, patience: float = 0.0
    ) -> bool:
        """
        Send a message; tell whether it is on its way.

        It is not when the other side is gone, or has not read for so long that
        there is no room. The master asks for no patience, so it never waits.

        Args:
            message: what to say.
            fds: descriptors that the other side gets copies of.
            patience: how many seconds to wait for room.
        """
        return self.send_encoded(encode(message), fds, patience=patience)

    def send_encoded(
        self, data: bytes, fds: tuple[int, ...] = (), *, patience: float = 0.0
    ) -> bool:
        """Send what ``encode`` has made: many may get the same."""
        if self._framed:
            data = LENGTH.pack(len(data)) + data
        with self._lock:  # a thread of the worker's answers ``Dump``
            try:
                return self._send(data, fds, patience)
            except (BrokenPipeError, ConnectionResetError, ConnectionRefusedError):
                return False

    def has_room(self, timeout: float = 0.0) -> bool:
        """
        Whether there is room for what is less important than all else.

        A Unix socket becomes writable when a quarter of its buffer is taken (Linux:
        unix_writable): who asks here first leaves the rest to others.
        """
        if self.fileno() < 0:
            return False
        poll = unpatched("select", "poll")()
        poll.register(self.sock, select.POLLOUT)
        return any(mask & select.POLLOUT for _, mask in poll.poll(timeout * 1000))

    def _send(self, data: bytes, fds: tuple[int, ...], patience: float) -> bool:
        while True:
            try:
                sent = socket.send_fds(self.sock, [data], fds)
                break
            except BlockingIOError:
                if not self._wait_for_room(patience):
                    return False
        while data := data[sent:]:  # of a stream only: half a frame helps nobody
            if not self._wait_for_room(max(patience, 1.0)):
                self.sock.shutdown(socket.SHUT_RDWR)
                return False
            sent = self.sock.send(data)
        return True

    def _wait_for_room(self, timeout: float) -> bool:
        # Not gevent's: other greenlets would run meanwhile, and wait for our lock.
        poll = unpatched("select", "poll")()
        poll.register(self.sock, select.POLLOUT)
        return bool(timeout and poll.poll(timeout * 1000))

    def receive(self) -> Message | None:
        """
        The next message, or None if there is none yet.

        Raises:
            EOFError: the other side is gone, and all it said has been received.
            ValueError: it sent what is no message.
        """
        if self._framed:
            return self._receive_framed()
        data = self._receive_data(FRAME_LIMIT)
        return decode(data) if data else None

    def _receive_framed(self) -> Message | None:
        while True:
            if len(self._received) >= LENGTH.size:
                end = LENGTH.size + LENGTH.unpack_from(self._received)[0]
                if end > FRAME_LIMIT:
                    raise ValueError(f"a message of {end} bytes")
                if len(self._received) >= end:
                    data = self._received[LENGTH.size : end]
                    self._received = self._received[end:]
                    return decode(data)
            data = self._receive_data(65536)
            if not data:
                return None
            self._received += data

    def _receive_data(self, size: int) -> bytes:
        """What the socket has, or nothing; EOFError at its end."""
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, size, FDS_LIMIT)
        except BlockingIOError:
            return b""
        except ConnectionResetError:  # it died with messages of ours unread
            raise EOFError from None
        for fd in fds:
            os.set_inheritable(fd, False)
        self.descriptors += fds
        if not data:
            raise EOFError
        return data
