"""
What a parser must be: httptools' class, or one like it.

It is made with whom it tells what it reads, and gets heads that are whole, and bodies.
It calls ``on_header`` for each field of a head and of trailers, and ``on_body`` for
each piece of a body. For the last chunk, which has no content, it calls
``on_chunk_header``, and ``on_chunk_complete`` behind the trailers; for other chunks,
too, if it likes.
"""

from collections.abc import Callable
from enum import Enum
from typing import Protocol, TypeAlias


class Reading(Enum):
    """What the next byte belongs to."""

    HEAD = "head"
    BODY = "body"  # of a known length
    CHUNKS = "chunks"
    NOTHING = "nothing"  # closing, or broken: what comes is left unread
    OTHER = "other"  # another protocol, behind an upgrade


# To reach a member through its class costs a frame on Python 3.11.
HEAD, BODY, CHUNKS, NOTHING, OTHER = Reading


class Recipient(Protocol):
    """
    The connection, as a parser sees it.

    Attributes:
        reading: What the next byte belongs to.
        upgrades: An offer of a WebSocket will be taken.
    """

    reading: Reading
    upgrades: bool

    def on_header(self, name: bytes, value: bytes, /) -> None: ...
    def on_body(self, data: bytes, /) -> None: ...
    def on_chunk_header(self) -> None: ...
    def on_chunk_complete(self) -> None: ...


class Parser(Protocol):
    """Takes bytes and calls what they mean."""

    def feed_data(self, data: bytes, /) -> None: ...


ParserFactory: TypeAlias = Callable[[Recipient], Parser]
