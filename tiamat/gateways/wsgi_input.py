"""``wsgi.input`` over the body of a request (PEP 3333)."""

import io
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.request import Body, Request

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class BodyError(OSError):
    """
    The body will not come to its end; ``status`` is what its sender should hear.

    An OSError, since that is what applications expect of a file that can't be read.
    """

    status: ClassVar[int] = 400


class ClientDisconnected(BodyError):
    """The client has gone before the end of what it meant to send."""


class BodyTimeout(BodyError):
    """The client sent nothing for too long (``body_timeout``)."""

    status = 408


class BodyRefused(BodyError):
    """The client broke the protocol, or sent too much."""

    def __init__(self, error: ProtocolError) -> None:
        super().__init__(str(error))
        self.status = error.status  # type: ignore[misc]  # of this one


def complete_input(body: Body) -> BinaryIO:
    """
    A body that is here to its end, as a file at its first byte.

    From memory a ``BytesIO`` (which shares a single chunk with us), else the
    file that the driver put it into: both read, ``readline(n)``, iterate and
    end as an application expects of a file.
    """
    if body.file is not None:
        return body.file
    return BytesIO(body.take())


class StreamedInput(io.BufferedIOBase):
    """
    A body that is still on its way, as a file that waits for it.

    Nothing is read from the client before the application reads, and never more
    than one piece ahead of it.

    Args:
        request: Whose body.
        more: Waits until more of the body has come. Raises ``BodyError`` if it
            never will.
    """

    def __init__(self, request: Request, more: Callable[[], object]) -> None:
        self._request = request
        self._more = more
        self._data = b""
        self._at = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """
        So many bytes, fewer only at the end; without *size* all that come.

        Raises:
            BodyError: The body is broken off.
        """
        wanted = -1 if size is None or size < 0 else size
        parts = []
        while wanted and self._fill():
            piece = self._take(wanted)
            parts.append(piece)
            if wanted > 0:
                wanted -= len(piece)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read1(self, size: int = -1, /) -> bytes:
        """What is here, or the next piece that comes; nothing only at the end."""
        return self._take(size) if size and self._fill() else b""

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """As ``read``, into the caller's memory."""
        with memoryview(buffer).cast("B") as view:
            data = self.read(len(view))
            view[: len(data)] = data
        return len(data)

    def readline(self, size: int | None = -1, /) -> bytes:
        """A line with its end, or *size* bytes of it."""
        wanted = -1 if size is None or size < 0 else size
        parts = []
        while wanted and self._fill():
            end = self._data.find(b"\n", self._at) + 1
            length = (end or len(self._data)) - self._at
            piece = self._take(length if wanted < 0 else min(wanted, length))
            parts.append(piece)
            if piece.endswith(b"\n"):
                break
            if wanted > 0:
                wanted -= len(piece)
        return b"".join(parts)

    def _fill(self) -> bool:
        """Have something to take; False at the end of the body."""
        if self._at < len(self._data):
            return True
        request = self._request
        while request.body is None or not request.body.waiting:
            if request.complete:
                return False
            self._more()
        self._data = request.body.take()
        self._at = 0
        return True

    def _take(self, size: int) -> bytes:
        """So many of the bytes that are here; all for -1."""
        at = self._at
        data = self._data
        if size < 0 or at + size >= len(data):
            self._data = b""
            self._at = 0
            return data[at:] if at else data
        self._at = at + size
        return data[at : self._at]
