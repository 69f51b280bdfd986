"""
HTTP/1.1 and 1.0: one connection's requests.

The connection has two faces. The parser calls ``on_…``, which only note what
came. The driver calls the verbs: ``receive_data``, ``receive_eof``, ``resume``.

Theory: parsers differ in what they let through, so a head is never handed to
one without its bytes being known here, too. ``receive_data`` cuts what came at
the ends of heads and bodies; a head reaches the parser alone, its request line
is read from the bytes themselves, and the rules that a smuggled request would
have to break run on the whole of it, in one place, whichever parser it was.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from tiamat.protocol.errors import (
    BodyTooLarge,
    HeadTooLarge,
    NotImplementedMethod,
    ProtocolError,
    TargetTooLong,
    UnsupportedVersion,
)
from tiamat.protocol.framing import (
    CHUNKED,
    body_length,
    expects_continue,
    merge_repeated,
    split_absolute,
    wants_keep_alive,
)
from tiamat.protocol.headers import TOKEN, VALID_HOSTS, Names
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser_httptools import INVALID_METHOD, UPGRADE, translate
from tiamat.protocol.request import Body, Request
from tiamat.types import Headers

_HEAD_END: Final = b"\r\n\r\n"
_VERSIONS: Final = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}

_BLANK_LINES: Final = re.compile(rb"(?:\r\n)+")
_TAB_IN_CODINGS: Final = re.compile(rb"\n(?i:transfer-encoding):[^\r]*\t")

# Longer than any method of the registry (UPDATEREDIRECTREF has 17).
_LONGEST_METHOD: Final = 32

# Chunk sizes, extensions and trailers may cost what they like on small bodies,
# and 16 bytes for each byte of content on large ones: a body of one-byte
# chunks has 5, an endless chunk extension (CVE-2024-22019) has no bound.
_OVERHEAD_FREE: Final = 65536
_OVERHEAD_PER_BYTE: Final = 16


class Parser(Protocol):
    """What a parser must be: httptools' class, or one like it."""

    def feed_data(self, data: bytes, /) -> None: ...


ParserFactory = Callable[["Connection"], Parser]


class _Methods(dict[bytes, str]):
    """Methods as bytes → text; only tokens, only so many, and no CONNECT."""

    def __missing__(self, name: bytes) -> str:
        if TOKEN.match(name) is None:
            raise ProtocolError(f"method {name[:40]!r} is not a token")
        if name == b"CONNECT":
            # RFC 9110, 9.3.6: "most origin servers do not implement CONNECT".
            raise NotImplementedMethod("CONNECT")
        method = name.decode()
        if len(self) < 64 and len(name) <= _LONGEST_METHOD:
            self[name] = method
        return method


_METHODS: Final = _Methods()


# Stands where no request has begun yet.
_NO_REQUEST: Final = Request("", b"", "1.1", [], {}, b"")


class Reading(Enum):
    """What the next byte belongs to."""

    HEAD = "head"
    BODY = "body"  # of a known length
    CHUNKS = "chunks"
    NOTHING = "nothing"  # closing, or broken: what comes is left unread


# To reach a member through its class costs a frame on Python 3.11.
HEAD, BODY, CHUNKS, NOTHING = Reading


class Connection:
    """
    The requests of one connection, in order.

    Attributes:
        requests: Begun by the peer, not yet taken by the driver.
        error: What broke the protocol, behind those requests; they are to be
            answered first.
        reading: What the next byte belongs to.
        eof: The peer sends no more.
        surplus: Bytes came that will be left unread.
    """

    __slots__ = (
        "_blank", "_current", "_feed", "_head", "_headers", "_held", "_left", "_limits",
        "_long", "_make_parser", "_names", "_overhead", "_raw", "_tail", "eof", "error",
        "reading", "requests", "surplus",
    )  # fmt: skip

    def __init__(self, limits: Limits, parser: ParserFactory, names: Names) -> None:
        self.requests: list[Request] = []
        self.error: ProtocolError | None = None
        self.reading = HEAD
        self.eof = False
        self.surplus = False
        self._limits = limits
        self._names = names
        # A head that is no longer than this needs no closer look.
        self._long = min(limits.request_field_size, limits.request_head)
        self._make_parser = parser
        self._headers: Headers = []
        self._head = b""  # the head in the parser, whole
        self._raw: bytearray | None = None  # a head that isn't whole yet
        self._held = b""  # came behind more requests than may wait
        self._left = 0  # bytes of the body to come
        self._overhead = 0  # bytes of a chunked body that aren't content
        self._blank = 0  # bytes of empty lines before the next head
        self._tail = b""  # of a chunked body: what its end could have begun with
        self._current = _NO_REQUEST
        self._feed = parser(self).feed_data

    # What the driver calls

    def receive_data(self, data: bytes) -> None:
        """
        Take what came from the peer.

        After this: look at ``requests``, then at ``error``.

        Hot: once per request in the common case, a whole head and nothing else.
        """
        if (
            self.reading is HEAD
            and self._raw is None
            and data.find(_HEAD_END) + 4 == len(data) > 3
            and data[0] > 0x20  # no blank lines: they count
            and len(self.requests) < self._limits.pipelined
        ):
            self._head = data
            try:
                self._feed(data)
            except Exception as error:
                self._failed(error)
        else:
            self._receive_pieces(data)

    def receive_eof(self) -> None:
        """The peer sends no more: what is incomplete will stay so."""
        self.eof = True
        self.reading = NOTHING
        self._raw = None

    @property
    def paused(self) -> bool:
        """Enough requests wait: no more is to be read until ``resume``."""
        return len(self.requests) >= self._limits.pipelined

    @property
    def empty(self) -> bool:
        """The next byte would be a request's first."""
        return self.reading is HEAD and self._raw is None and not self._held

    @property
    def empty_behind(self) -> bool:
        """Nothing came behind the last request that we know of."""
        return not self._held and not self.requests and not self.surplus

    def resume(self) -> None:
        """A request was taken: look at what was held back meanwhile."""
        if self._held and not self.paused:
            held, self._held = self._held, b""
            self._receive_pieces(held)

    # Cutting what came

    def _receive_pieces(self, data: bytes) -> None:
        """Feed *data* piece by piece, each a head, a body, or a part of one."""
        try:
            while data:
                if self.reading is HEAD:
                    if self.paused:
                        self._held += data
                        return
                    data = self._receive_head(data)
                elif self.reading is BODY:
                    piece, data = data[: self._left], data[self._left :]
                    self._left -= len(piece)
                    self._feed(piece)
                elif self.reading is CHUNKS:
                    data = self._receive_chunks(data)
                else:
                    self.surplus = True
                    return
        except Exception as error:
            self._failed(error)

    def _receive_head(self, data: bytes) -> bytes:
        """Feed the rest of one head; return what is behind it."""
        raw = self._raw
        if raw is None or raw == b"\r":
            data = self._skip_blank_lines(bytes(raw or b"") + data)
            raw = self._raw = bytearray()
            if data in (b"", b"\r"):
                self._raw = bytearray(data) or None
                return b""
        known = len(raw)
        raw += data
        end = raw.find(_HEAD_END, max(0, known - 3)) + 4
        if end < 4:
            self._check_unfinished(raw)
            self._feed(data)
            return b""
        self._head = bytes(raw[:end])
        self._raw = None
        self._blank = 0
        piece, rest = data[: end - known], data[end - known :]
        if not self._head.strip(b"\r\n"):
            raise ProtocolError("a bare CR or LF before a request")
        try:
            self._feed(piece)
        except UPGRADE:
            self._decline_upgrade()
        return rest

    def _skip_blank_lines(self, data: bytes) -> bytes:
        """RFC 9112, 2.2: empty lines before a request are ignored, but they count."""
        match = _BLANK_LINES.match(data)
        if match is None:
            return data
        self._blank += match.end()
        if self._blank > self._limits.request_head:
            raise HeadTooLarge("endless empty lines")
        return data[match.end() :]

    def _receive_chunks(self, data: bytes) -> bytes:
        """
        Feed chunked content up to each place where the body could end.

        A chunked body ends with CRLF CRLF, whatever its trailers; so a head
        behind it begins a piece of its own.
        """
        # The first bytes of an end may have come before. What ended a piece
        # begins no other end: before that stands a zero or a trailer.
        tail = self._tail
        found = (tail + data[:3]).find(_HEAD_END)
        end = found + 4 - len(tail) if found >= 0 else 0
        start = 0
        while start < len(data) and self.reading is CHUNKS:
            if not end:
                found = data.find(_HEAD_END, start)
                end = found + 4 if found >= 0 else 0
            if end:
                self._tail = tail = b""
            else:
                self._tail = (tail + data[start:][-3:])[-3:]
                end = len(data)
            self._feed_chunks(data[start:end])
            start, end = end, 0
        return data[start:]

    def _feed_chunks(self, piece: bytes) -> None:
        """Feed part of a chunked body, and count what of it isn't content."""
        request = self._current
        size = request.body.size if request.body is not None else 0
        self._overhead += len(piece)
        self._feed(piece)
        if request.body is not None:
            self._overhead -= request.body.size - size
            size = request.body.size
        if self._overhead > _OVERHEAD_FREE + _OVERHEAD_PER_BYTE * size:
            raise HeadTooLarge("chunk extensions and trailers outgrow the body")
        self._check_trailers()

    def _check_trailers(self) -> None:
        if len(self._headers) > self._limits.request_fields:
            raise HeadTooLarge("too many trailers")

    def _check_unfinished(self, raw: bytearray) -> None:
        """Raise if this beginning of a head is too long already."""
        limits = self._limits
        longest = limits.request_line + 2  # with its line end
        if len(raw) >= longest and raw.find(b"\r\n", 0, longest) < 0:
            raise TargetTooLong(
                f"request line over limit_request_line={limits.request_line}"
            )
        if len(raw) > limits.request_head:
            raise HeadTooLarge(f"head over limit_request_head={limits.request_head}")

    def _failed(self, error: Exception) -> None:
        """Note what the parser, or a rule of ours, found wrong."""
        if isinstance(error, UPGRADE):
            self._decline_upgrade()
            return
        found = translate(error)
        if isinstance(error, INVALID_METHOD):
            wrong = self._wrong_method()
            if wrong is None:
                self._feed = self._no_method
                return
            found = wrong
        if not isinstance(found, ProtocolError):
            raise found
        self.error = found
        self.reading = NOTHING
        self._raw = None

    def _wrong_method(self) -> ProtocolError | None:
        """
        Tell a method that llhttp doesn't know from bytes that are none.

        llhttp stops at the first byte of either; ``None`` if it takes more.
        """
        line = bytes(self._raw if self._raw is not None else self._head)
        method, space, _ = line.partition(b" ")
        if TOKEN.match(method) is None or len(method) > _LONGEST_METHOD:
            return ProtocolError(f"method {method[:40]!r}")
        if not space:
            return None
        return NotImplementedMethod(f"method {method!r} needs http_parser=h11")

    def _no_method(self, data: bytes) -> None:
        """In the parser's place: it has given up, and we still wait for a space."""
        raise INVALID_METHOD

    def _decline_upgrade(self) -> None:
        """
        Go on in HTTP/1 behind a head that offered an upgrade (RFC 9110, 7.8).

        llhttp has ended the message with its head. A new parser gets a head
        with the same framing, and so takes the body that the request has.
        """
        request = self._current
        self._feed = self._make_parser(self).feed_data
        self._headers = []
        if request.length == 0:
            return
        framing = (
            b"Transfer-Encoding: chunked"
            if request.length == CHUNKED
            else b"Content-Length: %d" % request.length
        )
        self._head = b"POST / HTTP/1.1\r\nHost:\r\n%s\r\n\r\n" % framing
        self._feed(self._head)
        self.requests.pop()
        self._current = request
        request.complete = False

    # What the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((self._names[name], value))

    # One straight run through the rules of a head: RFC 9112, 3.2, 6 and 9.3. Each
    # part that moved out would be one more frame for each request.
    def on_headers_complete(self) -> None:  # noqa: C901, PLR0912
        """
        A head is whole: check it, and begin its request.

        Hot: once per request; most have a target that begins with a slash, a
        Host that was seen before, and nothing else that matters here.
        """
        head = self._head
        try:
            line = head[: head.index(b"\r\n")]
            method, target, version = line.split(b" ")
        except ValueError:
            raise ProtocolError(f"request line {head[:80]!r}") from None
        headers = self._headers
        self._headers = []
        # A number, and find: bytes in bytes first tries it as a number, and fails.
        if 0x09 in head or head.find(b" \r\n") >= 0:
            # llhttp keeps whitespace at the end of a value (RFC 9112, 5.1: OWS).
            headers = [(name, value.strip(b" \t")) for name, value in headers]
        limits = self._limits
        if len(head) > self._long or len(headers) > limits.request_fields:
            self._check_limits(headers)
        elif len(method) + len(target) + 10 > limits.request_line:
            raise TargetTooLong(
                f"request line over limit_request_line={limits.request_line}"
            )
        fields = dict(headers)
        if len(fields) != len(headers) or b"" in fields:
            headers, fields = self._check_names(headers)
        known = _VERSIONS.get(version)
        if known is None:
            raise wrong_version(version)
        request = Request(_METHODS[method], target, known, headers, fields, line)
        host = fields.get(b"host")
        if host is None:
            # RFC 9112, 3.2: "A server MUST respond with a 400 (Bad Request)
            # status code to any HTTP/1.1 request message that lacks a Host
            # header field and to any request message that contains more than
            # one Host header field line or a Host header field with an
            # invalid field value."
            if known == "1.1":
                raise ProtocolError("no Host")
        elif host not in VALID_HOSTS:
            VALID_HOSTS.check(host)
        if target[0] != 0x2F or 0x23 in target:
            self._check_odd_target(request)
        connection = fields.get(b"connection")
        if connection is not None:
            request.keep_alive = wants_keep_alive(known, connection)
        elif known == "1.0":
            request.keep_alive = False
        if b"expect" in fields:
            request.expect_continue = expects_continue(known, fields[b"expect"])
        if b"content-length" in fields or b"transfer-encoding" in fields:
            self._expect_body(request)
        self._current = request
        self.requests.append(request)

    def on_body(self, data: bytes) -> None:
        request = self._current
        body = request.body
        if body is None:
            body = request.body = Body()
        body.put(data)
        limit = self._limits.request_body
        if limit and body.size > limit:
            raise BodyTooLarge(f"body over limit_request_body={limit}")

    def on_message_complete(self) -> None:
        request = self._current
        if self._headers:
            self._check_trailers()
            self._headers = []  # RFC 9110, 6.5.1: never merged
        request.complete = True
        self.reading = HEAD if request.keep_alive else NOTHING

    # The rules

    def _check_limits(self, headers: Headers) -> None:
        """The exact limits; only heads that could be over one come here."""
        limits = self._limits
        head = self._head
        if head.index(b"\r\n") > limits.request_line:
            raise TargetTooLong(
                f"request line over limit_request_line={limits.request_line}"
            )
        if len(headers) > limits.request_fields:
            raise HeadTooLarge(
                f"more than limit_request_fields={limits.request_fields}"
            )
        if len(head) > limits.request_head:
            raise HeadTooLarge(f"head over limit_request_head={limits.request_head}")
        longest = max(map(len, head.split(b"\r\n")[1:]))
        if longest > limits.request_field_size:
            raise HeadTooLarge(
                f"field over limit_request_field_size={limits.request_field_size}"
            )

    def _check_names(self, headers: Headers) -> tuple[Headers, dict[bytes, bytes]]:
        """Repeated names, and names with an underscore, which are ``b""`` here."""
        if self._names.refuse and any(not name for name, _ in headers):
            raise ProtocolError("a header name with an underscore (header_map=refuse)")
        headers = [field for field in headers if field[0]]
        return headers, merge_repeated(headers)

    def _expect_body(self, request: Request) -> None:
        """From here on bytes belong to the body of *request*."""
        length = body_length(request.version, request.fields, self._limits.request_body)
        request.length = length
        if length == CHUNKED:
            # llhttp takes it for another coding, and says so when the request
            # has begun.
            if _TAB_IN_CODINGS.search(self._head) is not None:
                raise ProtocolError("a tab in Transfer-Encoding")
            self.reading = CHUNKS
            self._overhead = 0
            self._tail = b""
        elif length:
            self.reading = BODY
            self._left = length

    def _check_odd_target(self, request: Request) -> None:
        """A target that isn't a path: RFC 9112, 3.2.2 to 3.2.4."""
        target = request.target
        if target == b"*":
            if request.method != "OPTIONS":
                raise ProtocolError("target * is for OPTIONS only")
            return
        if b"#" in target or target[0] == 0x2F:
            raise ProtocolError(f"fragment in target {target[:80]!r}")
        authority, request.target = split_absolute(target)
        VALID_HOSTS.check(authority)
        request.fields[b"host"] = authority
        request.headers = [
            (b"host", authority),
            *(field for field in request.headers if field[0] != b"host"),
        ]


def wrong_version(version: bytes) -> ProtocolError:
    """RFC 9112, 2.3, and 9110, 15.6.6: only 1.1 and 1.0 are spoken here."""
    if version[:5] == b"HTTP/":
        return UnsupportedVersion(f"version {version[:16]!r}")
    return ProtocolError(f"version {version[:16]!r}")
