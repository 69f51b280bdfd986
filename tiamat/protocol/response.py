"""
The response writer: one for every gateway and every driver.

Methods return bytes; who calls them writes them.
"""

from collections.abc import Iterable
from typing import Final

from tiamat.protocol.errors import InvalidResponse
from tiamat.protocol.headers import (
    FIELD_LINES,
    Field,
    LengthLine,
    SpecialLine,
    list_members,
)
from tiamat.protocol.request import Request
from tiamat.protocol.status import BODILESS, REASONS, STATUS_LINES

_CLOSE: Final = b"Connection: close\r\n"
_KEEP_ALIVE: Final = b"Connection: keep-alive\r\n"
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
_END: Final = b"\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Response:
    """
    The answer to one request.

    Attributes:
        status: The number that was sent; 0 as long as none was.
        sent: Body bytes, for the access log.
        keep_alive: The connection may go on behind this response. A driver
            clears it before ``start`` when it means to close.
        excess: Bytes that the application gave beyond its Content-Length.
        said: The status in the application's words, before it is sent.
        headers: What the application sent, for the access log.
        dropped: Fields of the application that were not passed on.
            Like the bytes above, from ``start`` on.
        faulty: Some of that is the application's mistake, worth a line in the log.
    """

    __slots__ = (
        "_chunked", "_left", "dropped", "excess", "faulty", "headers", "keep_alive",
        "request", "said", "sent", "status",
    )  # fmt: skip

    def __init__(self, request: Request) -> None:
        self.request = request
        self.status = 0
        self.keep_alive = request.keep_alive
        self.faulty = False
        self.said: str | int = ""
        self.headers: Iterable[Field] = ()

    # One straight run through everything a head depends on: each part that moved
    # out would be one more frame for each response.
    def start(  # noqa: C901, PLR0912
        self,
        status: str | int,
        headers: Iterable[Field],
        common: bytes,
        size: int = -1,
    ) -> bytes:
        """
        The head.

        Args:
            status: "404 Not Found", or the number alone.
            headers: The application's, as WSGI (text) or ASGI (bytes) has them.
            common: ``CommonHeaders.lines``.
            size: The body's length in bytes, if the caller knows it.

        Raises:
            InvalidResponse: It can't be sent; nothing is begun.

        Hot: once per request. Lines are looked up, joined once.
        """
        number, line, bodiless = STATUS_LINES[status]
        self.sent = 0
        self.excess = 0
        self.dropped: tuple[bytes, ...] = ()
        self._chunked = False
        parts = [line, common]
        lines = FIELD_LINES
        length: LengthLine | None = None
        for field in headers:
            line = lines[field]
            if line.__class__ is bytes:
                parts.append(line)
            elif isinstance(line, LengthLine):
                length = agreed_length(length, line)
            else:
                self._special(line, parts)
        request = self.request
        if bodiless:
            size = 0
        if length is not None:
            size = length.length
            if number != 204:
                parts.append(length)
        elif size >= 0:
            # RFC 9110, 8.6: none with 204; with HEAD and 304 only what GET would
            # have said, which an empty body doesn't tell.
            if not bodiless and (size or request.method != "HEAD"):
                parts.append(b"Content-Length: %d\r\n" % size)
        elif request.version == "1.1":
            self._chunked = True
            parts.append(_CHUNKED)
        elif request.method != "HEAD":
            self.keep_alive = False
        if bodiless or request.method == "HEAD":
            self._chunked = False
            self._left = 0
        else:
            self._left = size
        if not self.keep_alive:
            parts.append(_CLOSE)
        elif request.version == "1.0":
            parts.append(_KEEP_ALIVE)
        parts.append(_END)
        self.status = number
        self.headers = headers
        return b"".join(parts)

    def whole(
        self, status: str | int, headers: Iterable[Field], common: bytes, body: bytes
    ) -> bytes:
        """
        A response whose body is one small chunk: head and body.

        Hot: the common case of ``start``, ``data`` and ``end`` in one; whatever
        is not common goes to them.
        """
        request = self.request
        number, line, bodiless = STATUS_LINES[status]
        common_case = (
            not bodiless
            and self.keep_alive
            and request.version == "1.1"
            and request.method != "HEAD"
        )
        parts = [line, common]
        size = len(body)
        told = False
        for field in headers:
            line = FIELD_LINES[field]
            if line.__class__ is not bytes:
                if line.__class__ is not LengthLine or told or line.length != size:
                    common_case = False
                told = True
            parts.append(line)
        if not common_case:
            body = bytes(body)  # or a TypeError, before anything is begun
            head = self.start(status, headers, common, size)
            data = b"".join((head, *self.data(body)))
            self.end()
            return data
        if not told:
            parts.append(b"Content-Length: %d\r\n" % size)
        parts += (_END, body)
        data = b"".join(parts)
        self.status = number
        self.headers = headers
        self.sent = size
        self._left = 0
        return data

    def _special(self, line: bytes, parts: list[bytes]) -> None:
        """The application's Server and Date win; Connection: close is honoured."""
        name = line.name if isinstance(line, SpecialLine) else b""
        if name in (b"server", b"date"):
            ours = parts[1].split(b"\r\n")[:-1]
            kept = [own for own in ours if not own.lower().startswith(name + b":")]
            parts[1] = b"".join(own + b"\r\n" for own in kept)
            parts.append(line)
        elif name == b"connection" and b"close" in list_members(line[12:].strip()):
            self.keep_alive = False
        else:
            self.dropped += (name,)
            self.faulty = True

    def data(self, chunk: bytes) -> tuple[bytes, ...]:
        """
        A piece of the body, as buffers; large ones are not copied.

        Hot: once per piece. What Content-Length doesn't cover is cut.
        """
        size = len(chunk)
        if self._chunked:
            if not size:
                return ()
            self.sent += size
            return (b"%x\r\n" % size, chunk, b"\r\n")
        left = self._left
        if left >= 0:
            if size > left:
                if not self._bodiless():
                    self.excess += size - left
                    self.faulty = True
                chunk = chunk[:left]
                size = left
            self._left = left - size
        if not size:
            return ()
        self.sent += size
        return (chunk,)

    def file(self, size: int) -> int:
        """
        How many bytes of a file the driver is to send by itself.

        Only behind a head that was started with its size, or without chunks.
        """
        count = size if self._left < 0 else min(size, self._left)
        if self._left >= 0:
            self._left -= count
        self.sent += count
        return count

    def around_file(self, size: int) -> tuple[bytes, bytes]:
        """What stands around *size* bytes of a file in a body of chunks."""
        if self._chunked and size:
            return b"%x\r\n" % size, b"\r\n"
        return b"", b""

    def end(self, trailers: Iterable[Field] = ()) -> bytes:
        """
        What ends the body.

        A body that is shorter than its Content-Length leaves a connection that
        must be closed: the peer waits for the rest.
        """
        if self._chunked:
            if trailers:
                fields = b"".join(FIELD_LINES[field] for field in trailers)
                return b"0\r\n%s\r\n" % fields
            return _LAST_CHUNK
        if self._left > 0:
            self.keep_alive = False
            self.faulty = True
        return b""

    @property
    def missing(self) -> int:
        """Bytes that Content-Length promised and that never came."""
        return max(0, self._left)

    def interim(self, status: int, headers: Iterable[Field] = ()) -> bytes:
        """
        100 Continue or 103 Early Hints; nothing in HTTP/1.0 (RFC 9110, 15.2).

        Fields about the connection or the framing (RFC 9110, 8.6) are left out.
        """
        if self.request.version == "1.0" or self.status:
            return b""
        lines = [FIELD_LINES[field] for field in headers]
        fields = b"".join(line for line in lines if line.__class__ is bytes)
        return b"HTTP/1.1 %d %s\r\n%s\r\n" % (status, REASONS[status].encode(), fields)

    def _bodiless(self) -> bool:
        return self.status in BODILESS or self.request.method == "HEAD"


def agreed_length(first: LengthLine | None, second: LengthLine) -> LengthLine:
    """The application's Content-Length, if it says only one."""
    if first is not None and first.length != second.length:
        raise InvalidResponse(
            f"header Content-Length is both {first.length} and {second.length}"
        )
    return second


def refusal(status: int, common: bytes) -> bytes:
    """A whole response to a request that broke the protocol; it closes."""
    reason = REASONS[status].encode()
    body = b"%d %s\n" % (status, reason)
    return (
        b"HTTP/1.1 %d %s\r\n%sContent-Type: text/plain\r\nContent-Length: %d\r\n"
        b"Connection: close\r\n\r\n%s"
    ) % (status, reason, common, len(body), body)
