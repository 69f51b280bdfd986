"""Chunked bodies as bytes: where one could end, and what its frame may cost."""

from typing import Final

from tiamat.protocol.errors import HeadTooLarge

# A chunked body ends with an empty line, whatever its trailers.
_END: Final = b"\r\n\r\n"

# Chunk sizes, extensions and trailers may cost what they like on small bodies,
# and 16 bytes for each byte of content on large ones: a body of one-byte
# chunks has 5, an endless chunk extension (CVE-2024-22019) has no bound.
_OVERHEAD_FREE: Final = 65536
_OVERHEAD_PER_BYTE: Final = 16


class Chunks:
    """
    What is known of one chunked body besides its content.

    A parser is handed each piece up to where the body could end. So a head behind
    it begins a piece of its own.
    """

    __slots__ = ("_overhead", "_tail")

    def __init__(self) -> None:
        self._overhead = 0
        self._tail = b""  # what came last, if an end could have begun there

    def piece_end(self, data: bytes, start: int) -> int:
        """Where in *data* the piece ends that begins at *start*."""
        # The first bytes of an end may have come before. What ended a piece
        # begins no other end: before that stands a zero or a trailer.
        tail, self._tail = self._tail, b""
        found = (tail + data[start : start + 3]).find(_END) if tail else -1
        if found >= 0:
            return start + found + len(_END) - len(tail)
        found = data.find(_END, start)
        if found >= 0:
            return found + len(_END)
        self._tail = (tail + data[max(start, len(data) - 3) :])[-3:]
        return len(data)

    def count(self, overhead: int, content: int) -> None:
        """
        So many bytes more came that are no content, of which there are so many.

        Raises:
            HeadTooLarge: They outgrow it.
        """
        self._overhead += overhead
        if self._overhead > _OVERHEAD_FREE + _OVERHEAD_PER_BYTE * content:
            raise HeadTooLarge("chunk extensions and trailers outgrow the body")
