"""``wsgi.file_wrapper``: files that the server may send by itself (PEP 3333)."""

import io
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, Final

_FILE_CHUNK: Final = 65536


class FileWrapper:
    """
    ``wsgi.file_wrapper``: a file that the server may send by itself.

    PEP 3333, "Optional Platform-Specific File Handling".
    """

    def __init__(self, filelike: BinaryIO, block_size: int = _FILE_CHUNK) -> None:
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data = self.filelike.read(self.block_size)
        if data:
            return data
        raise StopIteration


def sendable(filelike: BinaryIO) -> tuple[int, int, int] | None:
    """
    The descriptor of a real file, where it stands, and how much is behind that.

    None if its bytes have to be read: what its descriptor has are others, or it
    has no size, as devices and what the kernel makes up in /proc.
    """
    if is_decoder(filelike):
        return None
    try:
        fileno = filelike.fileno()
        offset = filelike.tell()
        status = os.fstat(fileno)
    except (AttributeError, OSError):
        return None
    size = status.st_size - offset
    if not stat.S_ISREG(status.st_mode) or size <= 0:
        return None
    return fileno, offset, size


def is_decoder(filelike: object) -> bool:
    """Whether it reads otherwise than its descriptor: gzip.open gives such files."""
    return isinstance(filelike, io.BufferedIOBase) and not isinstance(
        filelike, (io.BufferedReader, io.BufferedRandom)
    )
