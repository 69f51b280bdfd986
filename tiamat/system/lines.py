"""What a process prints into a pipe, line by line."""

import os
from collections.abc import Iterator
from typing import Final

PIECE: Final = 65536
"""The most bytes that are read at once: what a pipe holds."""

LINE: Final = 8192
"""The most bytes of a line; a longer one becomes several."""


class Lines:
    """
    The reading end of a pipe.

    Attributes:
        fd: of it; -1 when it is closed.
        last: the last line that was not empty.
    """

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.last = ""
        self._rest = b""

    def fileno(self) -> int:
        return self.fd

    def take(self) -> Iterator[str]:
        """
        The lines that are there, of one piece: a flood must not keep others waiting.

        Raises:
            EOFError: nobody prints any more, and all was taken.
        """
        if self.fd < 0:
            return
        try:
            data = os.read(self.fd, PIECE)
        except BlockingIOError:
            return
        if not data and not self._rest:
            raise EOFError
        *whole, rest = (self._rest + (data or b"\n")).split(b"\n")
        if len(rest) > LINE:
            whole, rest = [*whole, rest], b""
        self._rest = rest
        for line in whole:
            for start in range(0, max(1, len(line)), LINE):
                text = line[start : start + LINE].decode("utf-8", "backslashreplace")
                if text := text.rstrip():
                    self.last = text
                    yield text

    def close(self) -> None:
        """Close it; who prints there then gets SIGPIPE."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
