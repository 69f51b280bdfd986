"""
What a slow reader hasn't taken yet: in memory, then in a file.

An application goes on at once whatever the reader does (house rule: 64 KiB of
a response wait in memory, the rest in a spool file). Files that an application
hands over are not read at all: the kernel sends them.
"""

import os
import socket
from collections import deque
from typing import BinaryIO, Final

from tiamat.system.spool import spool_file, write_all

MEMORY: Final = 65536

# One turn sends so much of one response, so that one fast reader of a large
# file doesn't hold up the others: about 0.1 ms of copying.
_SLICE: Final = 262144


def send_part(sock: socket.socket, fileno: int, offset: int, count: int) -> int:
    """
    Send a part of a file: the kernel does, or who stands before the socket (TLS).

    Returns:
        How many bytes were sent; 0 if the file has none there.
    """
    ours = getattr(sock, "send_part", None)
    if ours is None:
        return os.sendfile(sock.fileno(), fileno, offset, count)
    sent: int = ours(fileno, offset, count)
    return sent


class FileSlice:
    """A part of an open file that is to be sent; owns its descriptor or borrows it."""

    __slots__ = ("count", "fileno", "offset", "owned")

    def __init__(self, fileno: int, offset: int, count: int, *, owned: bool) -> None:
        self.fileno = fileno
        self.offset = offset
        self.count = count
        self.owned = owned

    def close(self) -> None:
        if self.owned:
            os.close(self.fileno)


class Outgoing:
    """
    Bytes and files that wait for one connection, in order.

    Attributes:
        spooled: Bytes in the spool file that the peer hasn't taken.
    """

    __slots__ = ("_directory", "_memory", "_queue", "_spool", "_written", "spooled")

    def __init__(self, directory: str | None) -> None:
        self._directory = directory
        self._queue: deque[memoryview | FileSlice] = deque()
        self._memory = 0
        self._spool: BinaryIO | None = None
        self._written = 0
        self.spooled = 0

    @property
    def empty(self) -> bool:
        """Nothing waits."""
        return not self._queue

    def put(self, data: memoryview) -> None:
        """Keep *data* behind what waits already."""
        room = MEMORY - self._memory
        if self._spool is None and len(data) <= room:
            self._queue.append(memoryview(bytes(data)))
            self._memory += len(data)
            return
        if self._spool is None:
            self._spool = spool_file(self._directory)
        elif not self.spooled:  # all was taken: the disk gets its room back
            self._spool.seek(0)
            self._spool.truncate()
            self._written = 0
        last = self._queue[-1] if self._queue else None
        if not isinstance(last, FileSlice) or last.fileno != self._spool.fileno():
            last = FileSlice(self._spool.fileno(), self._written, 0, owned=False)
            self._queue.append(last)
        size = len(data)
        write_all(self._spool, data)
        self._written += size
        self.spooled += size
        last.count += size

    def put_file(self, fileno: int, offset: int, count: int) -> None:
        """Keep a part of a file; the caller may close its descriptor."""
        self._queue.append(FileSlice(os.dup(fileno), offset, count, owned=True))

    def send(self, sock: socket.socket) -> bool:
        """
        Send what the socket takes now, a slice at the most.

        Returns:
            Whether nothing waits any more.

        Raises:
            BlockingIOError: The socket takes nothing now.
            OSError: The peer has gone, or a file came out shorter than it was.
        """
        queue = self._queue
        if not queue:
            return True
        first = queue[0]
        if isinstance(first, FileSlice):
            self._send_slice(sock, first)
        else:
            sent = sock.send(first)
            self._memory -= sent
            if sent < len(first):
                queue[0] = first[sent:]
            else:
                queue.popleft()
        return not queue

    def _send_slice(self, sock: socket.socket, part: FileSlice) -> None:
        sent = send_part(sock, part.fileno, part.offset, min(part.count, _SLICE))
        if not sent:
            raise OSError("the file became shorter while it was sent")
        part.offset += sent
        part.count -= sent
        if not part.owned:
            self.spooled -= sent
        if not part.count:
            part.close()
            self._queue.popleft()

    def close(self) -> None:
        """Forget everything."""
        for item in self._queue:
            if isinstance(item, FileSlice):
                item.close()
        self._queue.clear()
        if self._spool is not None:
            self._spool.close()
