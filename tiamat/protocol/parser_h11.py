"""
h11 behind the parser interface: pure Python, and any method that is a token.

Theory: h11 draws conclusions from some fields (it joins equal Content-Lengths,
pauses at an Upgrade) where ours are to be drawn, and forgives what ours must
not (bare LF, obs-fold). So it is asked for grammar alone: the bytes of a head
are looked at first, and h11 then sees each field under a name that means
nothing to it. Bodies are read here, as strictly as llhttp reads them.
"""

import re
from typing import TYPE_CHECKING, Final

import h11

from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.headers import list_members
from tiamat.protocol.parser import BODY, CHUNKS, Recipient
from tiamat.protocol.parser_httptools import UPGRADE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiamat.types import Headers

# What stands in front of a field's name when h11 sees it. A folded line
# becomes a name with a space in it, which h11 refuses.
_MARK: Final = b"~"

# RFC 9112, 2.2: a bare CR is invalid; a bare LF "MAY" be a line end, and is not
# one here. RFC 9110, 5.5: no control characters but HTAB.
_FORBIDDEN: Final = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?=[^\n])|(?<!\r)\n"
)
# The same in three steps of C, for the many heads that have none of these.
_ALLOWED: Final = bytes(
    byte for byte in range(256) if byte in b"\t\r\n" or (byte >= 0x20 and byte != 0x7F)
)

# How a request line may begin, so that nobody waits for the end of a wrong one.
_LINE_BEGUN: Final = re.compile(
    rb"\r\Z|[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: [\x21-\x7e]*(?: [A-Z]*[/0-9.]*)?)?\r?\Z"
)

# RFC 9112, 7.1: chunk-size [ chunk-ext ] CRLF, without the "bad" whitespace that
# it asks recipients to parse and that llhttp refuses. What llhttp takes beyond the
# RFC in an extension, which nobody reads, is taken here, too: no name, a quoted
# string behind a token. One reading is what counts.
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_QUOTED: Final = (
    rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
)
_CHUNK_LINE: Final = re.compile(
    rb"([0-9A-Fa-f]+)(?:;(?!\Z)%s*(?:=%s*(?:%s)?)?)*\Z" % (_TOKEN, _TOKEN, _QUOTED)
)
# How such a line may begin, so that nobody waits for the end of a wrong one.
_CHUNK_BEGUN: Final = re.compile(
    rb"(?:[0-9A-Fa-f]+(?:;[\t\x20-\x7e\x80-\xff]*)?\r?)?\Z"
)

# RFC 9110, 6.5.1: who sends these behind the content wants somebody to be misled.
_NO_TRAILERS: Final = frozenset((b"content-length", b"transfer-encoding"))

# Sixteen digits are 64 bits, which is what llhttp counts to.
_LONGEST_SIZE: Final = 16


class Parser:
    """Requests of one connection, read by h11 and told to *connection*."""

    __slots__ = ("_connection", "_left", "_raw", "_step")

    def __init__(self, connection: Recipient) -> None:
        self._connection = connection
        self._raw = bytearray()  # of a head, a line or trailers, not whole yet
        self._left = 0  # bytes of the body, or of a chunk, to come
        self._step: Callable[[bytes], bytes] = self._read_head

    def feed_data(self, data: bytes, /) -> None:
        """Take what came; raises ProtocolError."""
        while data:
            data = self._step(data)

    # Each step takes what belongs to it, and returns what is behind that.

    def _read_head(self, data: bytes) -> bytes:
        raw = self._raw
        known = len(raw)
        raw += data
        # RFC 9112, 2.2: an empty line before a request is ignored.
        while raw.startswith(b"\r\n"):
            del raw[:2]
            known -= 2
        end = raw.find(b"\r\n\r\n", max(0, known - 3)) + 4
        if end < 4:
            refuse_forbidden(raw, known, len(raw))
            if raw and _LINE_BEGUN.match(raw.partition(b"\r\n")[0]) is None:
                raise ProtocolError(f"request line {bytes(raw[:80])!r}")
            return b""
        refuse_forbidden(raw, known, end)
        line, _, fields = bytes(raw[: end - 2]).partition(b"\r\n")
        rest = bytes(raw[end:])
        raw.clear()
        headers = parse_fields(line, fields)
        for name, value in headers:
            self._connection.on_header(name, value)
        self._step = self._read_behind_head
        upgrades = self._connection.upgrades and b"upgrade" in fields.lower()
        if upgrades and offers_upgrade(headers):
            raise UPGRADE
        return rest

    def _read_behind_head(self, data: bytes) -> bytes:
        """
        Go on as the connection has found that the body is framed.

        It cuts bodies of a known length, so what comes then is all theirs.
        """
        reading = self._connection.reading
        if reading is BODY:
            self._connection.on_body(data)
            return b""
        self._step = self._read_chunk_line if reading is CHUNKS else self._read_head
        return data

    def _read_chunk_line(self, data: bytes) -> bytes:
        raw = self._raw
        line, end, rest = data.partition(b"\n")
        raw += line + end
        if not end:
            if _CHUNK_BEGUN.match(raw) is None:
                raise ProtocolError(f"chunk size {bytes(raw[:40])!r}")
            return b""
        match = _CHUNK_LINE.match(bytes(raw[:-2])) if raw[-2:] == b"\r\n" else None
        if match is None or len(match[1].lstrip(b"0")) > _LONGEST_SIZE:
            raise ProtocolError(f"chunk size {bytes(raw[:40])!r}")
        raw.clear()
        self._left = int(match[1], 16)
        self._step = self._read_chunk if self._left else self._read_trailers
        return rest

    def _read_chunk(self, data: bytes) -> bytes:
        piece, rest = data[: self._left], data[self._left :]
        self._left -= len(piece)
        self._connection.on_body(piece)
        if not self._left:
            self._step = self._read_chunk_end
        return rest

    def _read_chunk_end(self, data: bytes) -> bytes:
        for byte in data[:2]:
            if byte != b"\r\n"[len(self._raw)]:
                raise ProtocolError("no line end behind a chunk")
            self._raw.append(byte)
            data = data[1:]
            if len(self._raw) == 2:
                self._raw.clear()
                self._step = self._read_chunk_line
                break
        return data

    def _read_trailers(self, data: bytes) -> bytes:
        raw = self._raw
        known = len(raw)
        raw += data
        end = 0 if raw.startswith(b"\r\n") else raw.find(b"\r\n\r\n") + 2
        if end == 1:
            # Not yet. Whole lines are passed on, so that they can be counted.
            refuse_forbidden(raw, known, len(raw))
            self._pass_trailers(raw.rfind(b"\r\n") + 2)
            return b""
        refuse_forbidden(raw, known, end + 2)
        self._pass_trailers(end)
        rest = bytes(raw[2:])
        raw.clear()
        self._end_chunks()
        return rest

    def _pass_trailers(self, end: int) -> None:
        """Hand on what comes before *end*, and forget it."""
        if end < 2:
            return
        trailers = bytes(self._raw[:end])
        del self._raw[:end]
        for name, value in parse_fields(b"GET / HTTP/1.1", trailers):
            if name.lower() in _NO_TRAILERS:
                raise ProtocolError(f"{name.decode()} in trailers")
            self._connection.on_header(name, value)

    def _end_chunks(self) -> None:
        self._step = self._read_head
        self._connection.on_chunk_header()
        self._connection.on_chunk_complete()


def offers_upgrade(headers: "Headers") -> bool:
    """Whether llhttp would end the message here, for another protocol to begin."""
    fields = [(name.lower(), value) for name, value in headers]
    return any(name == b"upgrade" for name, _ in fields) and any(
        name == b"connection" and b"upgrade" in list_members(value)
        for name, value in fields
    )


def refuse_forbidden(raw: bytearray, known: int, end: int) -> None:
    """
    Raise if a byte from *known* to *end* is one that no head has.

    Hot: once per head. The search takes ten times as long as looking first
    whether there is anything to find.
    """
    known = max(0, known - 1)
    piece = raw[known:end]
    ends = piece.count(b"\r\n")
    if (
        not piece.translate(None, _ALLOWED)
        and ends == piece.count(b"\r")
        and ends == piece.count(b"\n")
    ):
        return
    found = _FORBIDDEN.search(raw, known, end)
    if found is not None:
        raise ProtocolError(f"byte 0x{raw[found.start()]:02x} in a head")


def parse_fields(line: bytes, fields: bytes) -> "Headers":
    """
    Let h11 read a request line and the field lines behind it.

    Args:
        line: Without its line end.
        fields: Each with its line end.

    Raises:
        ProtocolError: h11 wouldn't have it.
    """
    marked = b""
    if fields:
        marked = _MARK + fields[:-2].replace(b"\r\n", b"\r\n" + _MARK) + b"\r\n"
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(b"%s\r\nHost: h\r\n%s\r\n" % (line, marked))
    try:
        request = reader.next_event()
    except h11.RemoteProtocolError as error:
        raise ProtocolError(str(error)) from None
    if not isinstance(request, h11.Request):
        raise ProtocolError(f"request line {line[:80]!r}")
    headers = [(name[1:], value) for name, value in request.headers.raw_items()[1:]]
    if any(not name for name, _ in headers):
        raise ProtocolError("a field without a name")
    return headers
