"""
What messages of an ASGI application mean that the specification calls extensions.

Early hints, informational responses, trailers, and files that the driver sends.
"""

import os
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tiamat.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiamat.protocol.headers import Field
    from tiamat.protocol.response import Response


def pairs(headers: "Iterable[Iterable[object]]") -> "list[Field]":
    """
    The specification allows lists in place of pairs; tables need tuples.

    Raises:
        TypeError: A header is of something else than bytes.
    """
    return [(as_bytes(name), as_bytes(value)) for name, value in headers]


def as_bytes(value: object) -> bytes:
    """A name or a value of a header, which must be bytes."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"a header has {type(value).__name__}, not bytes")
    return bytes(value)


def hints(message: Message) -> "list[Field]":
    """The header lines of a 103 (RFC 8297)."""
    return pairs((b"link", link) for link in message.get("links", ()))


def trailers(message: Message) -> "list[Field]":
    """
    The trailers of a response.

    Raises:
        RuntimeError: There are more to come.
    """
    if message.get("more_trailers", False):
        raise RuntimeError("trailers in more than one message are not supported")
    return pairs(message.get("headers", ()))


class Part(NamedTuple):
    """A part of an open file, in bytes."""

    fileno: int
    offset: int
    size: int


def part(message: Message) -> Part:
    """What a message has sent of its file: all from where that stands, if unsaid."""
    file = message["file"]
    fileno = file if isinstance(file, int) else file.fileno()
    offset = message.get("offset")
    if offset is None:
        offset = os.lseek(fileno, 0, os.SEEK_CUR)
    size = message.get("count")
    if size is None:
        size = max(0, os.fstat(fileno).st_size - offset)
    return Part(fileno, offset, size)


class FileStream(Protocol):
    """A connection that sends files."""

    def write(self, *buffers: bytes) -> None: ...
    async def send_file(self, fileno: int, offset: int, count: int) -> None: ...


async def send_part(
    stream: FileStream, response: "Response", file: Part, *, last: bool
) -> None:
    """
    Let the driver send a part of a file, framed as the head has said.

    Args:
        stream: Where to.
        response: Its head is written.
        file: What to send.
        last: The body ends with it.
    """
    before, behind = response.around_file(file.size)
    if before:
        stream.write(before)
    count = response.file(file.size)
    if count:
        await stream.send_file(file.fileno, file.offset, count)
    ending = response.end() if last else b""
    if behind or ending:
        stream.write(behind + ending)
