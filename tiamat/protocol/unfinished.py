"""A head that does not come at once, and the empty lines that may come before it."""

import re
from typing import Final

from tiamat.protocol.errors import HeadTooLarge, ProtocolError
from tiamat.protocol.head import check_unfinished
from tiamat.protocol.limits import Limits

HEAD_END: Final = b"\r\n\r\n"

_BLANK_LINES: Final = re.compile(rb"(?:\r\n)+")


class UnfinishedHead:
    """
    Made when a head is not whole, and dropped when it is: few are.

    Attributes:
        raw: What has come of it. Nothing if only empty lines have.
    """

    __slots__ = ("_blank", "_limits", "raw")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._blank = 0  # bytes of empty lines before it
        self.raw = bytearray()

    def cut(self, data: bytes) -> tuple[bytes, bytes, bytes]:
        """
        Look for its end in what has come.

        Returns:
            What a parser has not seen of it, the whole head or nothing yet, and what
            is behind it.

        Raises:
            ProtocolError: It can't become a head any more.
        """
        raw = self.raw
        if not raw or raw == b"\r":
            data = self._skip_blank_lines(bytes(raw) + data)
            raw = self.raw = bytearray()
            if data in (b"", b"\r"):
                raw += data
                return b"", b"", b""
        known = len(raw)
        raw += data
        end = raw.find(HEAD_END, max(0, known - 3)) + 4
        if end < 4:
            check_unfinished(raw, self._limits)
            return data, b"", b""
        head = bytes(raw[:end])
        if not head.strip(b"\r\n"):
            raise ProtocolError("a bare CR or LF before a request")
        return data[: end - known], head, data[end - known :]

    def _skip_blank_lines(self, data: bytes) -> bytes:
        """RFC 9112, 2.2: empty lines before a request are ignored, but they count."""
        match = _BLANK_LINES.match(data)
        if match is None:
            return data
        self._blank += match.end()
        if self._blank > self._limits.request_head:
            raise HeadTooLarge("endless empty lines")
        return data[match.end() :]
