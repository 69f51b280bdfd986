"""A request as the protocol floor hands it on."""

from typing import TYPE_CHECKING, Any, BinaryIO, Final

from tiamat.types import Headers

if TYPE_CHECKING:
    from tiamat.protocol.section import Section

# A chunk of two bytes costs 44 as an object in a list: a body of such chunks
# would take twenty times its size.
_PIECES: Final = 256

_LARGE: Final = 16384
"""Bytes from which on a chunk is worth a message of its own."""

UNWANTED: Final = 262144
"""
Bytes of a body that nobody reads which are taken all the same, to keep the connection.
"""


class Body:
    """
    The content of a request, as far as it has come.

    Attributes:
        chunks: What waits in memory.
        size: Bytes that came in all.
        waiting: Bytes of them that are still in ``chunks``.
        file: Where a driver put what outgrew memory, from its first byte on.
    """

    __slots__ = ("chunks", "file", "size", "waiting")

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.size = 0
        self.waiting = 0
        self.file: BinaryIO | None = None

    def put(self, chunk: bytes) -> None:
        """Keep *chunk* behind the others."""
        self.chunks.append(chunk)
        self.size += len(chunk)
        self.waiting += len(chunk)
        if len(self.chunks) > _PIECES:
            self.chunks = [b"".join(self.chunks)]

    def take(self) -> bytes:
        """Everything that waits in memory, which it then leaves."""
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self.chunks = []
        self.waiting = 0
        return data

    def take_piece(self) -> bytes:
        """
        The same, or its first chunk alone if that is a large one.

        To join large ones would need their memory twice.
        """
        chunks = self.chunks
        if len(chunks) < 2 or len(chunks[0]) < _LARGE:
            return self.take()
        data = chunks.pop(0)
        self.waiting -= len(data)
        return data


class Request:
    """
    One request: its head, and its body as far as it has come.

    Attributes:
        method: "GET".
        target: Origin-form or ``*``: path and query as they came.
        version: "1.0" or "1.1".
        headers: Names in lower case; underscore names already mapped. Another
            request may have the same list: it isn't to be changed.
        fields: The same by name, repeated ones joined by ", ".
        section: What an earlier head of the connection was read to, when this one
            repeats it; None if it was read by itself.
        head: Its bytes, for whoever wants to show what runs.
        length: Bytes of the body, or ``framing.CHUNKED``.
        keep_alive: The client would keep the connection.
        expect_continue: The client waits for a 100 before it sends the body.
        body: ``None`` as long as no byte of it has come.
        complete: The body is here to its end.
        upgrade: b"websocket" if that is what follows; the connection speaks no
            HTTP behind it.
        view: What others have made of it for people; not set where nobody has.
    """

    __slots__ = (
        "body",
        "complete",
        "expect_continue",
        "fields",
        "head",
        "headers",
        "keep_alive",
        "length",
        "method",
        "section",
        "target",
        "upgrade",
        "version",
        "view",
    )

    view: Any

    def __init__(
        self,
        method: str,
        target: bytes,
        version: str,
        headers: Headers,
        fields: dict[bytes, bytes],
        head: bytes,
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.fields = fields
        self.head = head
        self.length = 0
        self.keep_alive = True
        self.expect_continue = False
        self.body: Body | None = None
        self.complete = True
        self.upgrade = b""
        self.section: Section | None = None

    @property
    def body_size(self) -> int:
        """How many bytes of the body have come."""
        return 0 if self.body is None else self.body.size

    @property
    def near_end(self) -> bool:
        """
        Whether so little of the body is to come that a connection may go on behind it.

        A response that ends before the body must say whether the connection goes on,
        so this has to be asked before its head is sent. Of chunks nobody knows; they
        are few, as a rule.
        """
        return self.complete or self.length - self.body_size <= UNWANTED
