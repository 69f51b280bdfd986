"""Where bytes come from that are read by pieces, and may be put back."""

from collections.abc import Iterable
from typing import Any


class Unreader:
    """
    A source of bytes.

    Attributes:
        http: the reading of requests that goes on from one to the next.
    """

    def __init__(self) -> None:
        self.waiting = b""
        self.http: Any = None

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next piece from the source; nothing at its end."""
        raise NotImplementedError

    def take_buffered(self) -> bytes:
        """What was put back."""
        data, self.waiting = self.waiting, b""
        return data

    def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes:
        """So many bytes, fewer only at the end; or the next piece."""
        if size is not None and not isinstance(size, int):
            raise TypeError(f"{size!r} is no number of bytes")
        if size is None or size < 0:
            return self.take_buffered() or self.chunk(read_ahead)
        while len(self.waiting) < size and (data := self.chunk(read_ahead)):
            self.waiting += data
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        return data

    def unread(self, data: bytes) -> None:
        """Put bytes back, before all that waits."""
        self.waiting = bytes(data) + self.waiting


class SocketUnreader(Unreader):
    """What comes on a connection."""

    def __init__(self, sock: Any, max_chunk: int = 8192) -> None:
        super().__init__()
        self.sock = sock
        self.mxchunk = max_chunk

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next piece from the connection; nothing at its end."""
        data: bytes = self.sock.recv(max(self.mxchunk, size_hint or 0))
        return data


class IterUnreader(Unreader):
    """Pieces that somebody has."""

    def __init__(self, iterable: Iterable[bytes]) -> None:
        super().__init__()
        self.iter = iter(iterable)

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next of them; nothing behind the last."""
        return next(self.iter, b"")
