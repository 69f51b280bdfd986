"""The body of a request, as gunicorn's code reads it."""

import io
from typing import Any

from tiamat.gateways.wsgi_input import StreamedInput


class Body:
    """
    A file over something that has ``read(size)``.

    Args:
        reader: that, or a file already.
    """

    def __init__(self, reader: Any) -> None:
        self.reader = reader
        readable = isinstance(reader, io.BufferedIOBase)
        self.file = reader if readable else io.BufferedReader(Raw(reader))

    def __iter__(self) -> "Body":
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    next = __next__

    def read(self, size: int | None = None) -> bytes:
        """So many bytes, fewer only at the end; or all."""
        data: bytes = self.file.read(checked(size))
        return data

    def readline(self, size: int | None = None) -> bytes:
        """A line with its end, or so many bytes of it."""
        data: bytes = self.file.readline(checked(size))
        return data

    def readlines(self, size: int | None = None) -> list[bytes]:
        """All lines that there are."""
        return list(self)


class Raw(io.RawIOBase):
    """What has ``read(size)``, for Python's files."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into memory; 0 at the end."""
        data = self.reader.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class LengthReader:
    """
    A body whose length is known.

    Args:
        unreader: where it comes from.
        length: in bytes.
    """

    def __init__(self, unreader: Any, length: int) -> None:
        self.unreader = unreader
        self.length = length

    def read(self, size: int) -> bytes:
        """So many bytes of it, fewer only at its end."""
        data: bytes = self.unreader.read(min(size, self.length))
        self.length -= len(data)
        return data


class EOFReader:
    """
    A body that ends with the connection.

    Args:
        unreader: where it comes from.
    """

    def __init__(self, unreader: Any) -> None:
        self.unreader = unreader

    def read(self, size: int) -> bytes:
        """So many bytes of it, fewer only at its end."""
        data: bytes = self.unreader.read(size)
        return data


ChunkedReader = StreamedInput
"""Chunks are read where requests are; it is given what that has made of them."""


def checked(size: int | None) -> int:
    """A size as files take it."""
    if size is not None and not isinstance(size, int):
        raise TypeError(f"{size!r} is no number of bytes")
    return -1 if size is None else size
