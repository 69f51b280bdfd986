"""
HTTP/1.1 and 1.0: one connection's requests.

The connection has two faces. The parser calls ``on_…``, which only note what
came. The driver calls the verbs: ``receive_data``, ``receive_eof``, ``resume``.

Theory: parsers differ in what they let through, so a head is never handed to
one without its bytes being known here, too. ``receive_data`` cuts what came at
the ends of heads and bodies. A head reaches the parser alone; when that has
found nothing wrong, ``read_head`` reads the request line from the bytes and
runs the rules that a smuggled request would have to break.
"""

from typing import Final

from tiamat.protocol.chunks import Chunks
from tiamat.protocol.errors import BodyTooLarge, HeadTooLarge, ProtocolError
from tiamat.protocol.framing import CHUNKED, asks_for_websocket
from tiamat.protocol.head import read_head, refused_method
from tiamat.protocol.headers import Names
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser import (
    BODY,
    CHUNKS,
    HEAD,
    NOTHING,
    OTHER,
    ParserFactory,
)
from tiamat.protocol.parser_httptools import INVALID_METHOD, UPGRADE, translate
from tiamat.protocol.request import Body, Request
from tiamat.protocol.section import Section, section_of
from tiamat.protocol.unfinished import HEAD_END, UnfinishedHead

# Stands where no request has begun yet.
NO_REQUEST: Final = Request("", b"", "1.1", [], {}, b"")


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
        upgrades: A request for a WebSocket is marked as such, and what comes
            behind it is not HTTP. The driver says so; else it goes on as HTTP.
        holds_upgrades: What comes behind any other offer of an upgrade is held back
            until its response has gone: its application may take the connection, and
            those bytes with it.
        unread: What came behind it.
        quiet: Nothing came but whole requests; the next byte begins one.
    """

    __slots__ = (
        "_before", "_chunk_at", "_chunks", "_current", "_feed", "_head", "_headers",
        "_held", "_left", "_limits", "_make_parser", "_names", "_section",
        "_unfinished", "eof", "error", "holds_upgrades", "quiet", "reading", "requests",
        "surplus", "unread", "upgrades",
    )  # fmt: skip

    _chunks: Chunks

    def __init__(self, limits: Limits, parser: ParserFactory, names: Names) -> None:
        self.requests: list[Request] = []
        self.error: ProtocolError | None = None
        self.reading = HEAD
        self.eof = False
        self.surplus = False
        self.upgrades = False
        self.holds_upgrades = False
        self.unread = b""
        self.quiet = True
        self._limits = limits
        self._names = names
        self._make_parser = parser
        self._headers: list[tuple[bytes, bytes]] = []
        self._head = b""  # the head in the parser, whole
        self._unfinished: UnfinishedHead | None = None
        self._held = b""  # came behind more requests than may wait
        self._left = 0  # bytes of the body to come
        self._chunk_at = 0  # where in the body the chunk that comes began
        self._current = NO_REQUEST  # whose body comes
        self._before = b""  # the last head that was read by itself
        self._section: Section | None = None  # that came twice
        self._feed = parser(self).feed_data

    # What the driver calls

    def receive_data(self, data: bytes) -> None:
        """
        Take what came from the peer.

        After this: look at ``requests``, then at ``error``.

        Hot: once per request in the common case, a whole head and nothing else.
        """
        if not self.quiet or self.requests:
            self._receive_pieces(data)
            return
        section = self._section
        if section is not None:
            request = section.request(data)
            if request is not None:
                self.requests.append(request)
                return
        if (
            0 <= data.find(HEAD_END) == len(data) - 4
            and data[0] > 0x20  # no blank lines: they count
        ):
            try:
                self._feed(data)
                request = read_head(data, self._headers, self._limits, self._names)
            except Exception as error:
                self._head = data
                self._failed(error)
                return
            self._headers = []
            if request.complete and request.keep_alive:
                self.requests.append(request)
                self._remember(data, request)
            else:
                self._begin(request)
        else:
            self._receive_pieces(data)

    def receive_eof(self) -> None:
        """The peer sends no more: what is incomplete will stay so."""
        self.eof = True
        self.quiet = False
        self.reading = NOTHING
        self._unfinished = None

    @property
    def paused(self) -> bool:
        """Enough requests wait: no more is to be read until ``resume``."""
        requests = self.requests
        return len(requests) >= self._limits.pipelined or (
            self.holds_upgrades and bool(requests) and b"upgrade" in requests[-1].fields
        )

    @property
    def holding(self) -> bool:
        """Bytes were held back: reading more would only make them more."""
        return bool(self._held or self.unread)

    @property
    def empty(self) -> bool:
        """The next byte would be a request's first."""
        return (
            self.reading is HEAD
            and (self._unfinished is None or not self._unfinished.raw)
            and not self._held
        )

    @property
    def empty_behind(self) -> bool:
        """Nothing came behind the last request that we know of."""
        return not self._held and not self.requests and not self.surplus

    def forget(self) -> None:
        """It has been idle for a while: keep nothing of the last request."""
        self._before = b""
        self._section = None

    def take_held(self) -> bytes:
        """What was held back is no business of ours any more."""
        held, self._held = self._held, b""
        return held

    def resume(self) -> None:
        """A request was taken: look at what was held back meanwhile."""
        if self._held and not self.paused:
            held, self._held = self._held, b""
            self._receive_pieces(held)

    def _remember(self, head: bytes, request: Request) -> None:
        """
        Keep what the field lines say when they have come twice.

        Hot: once per request that isn't read by what was kept.
        """
        if self._before.endswith(head[head.find(b"\r\n") :]):
            self._section = section_of(request, self._limits)
        self._before = head

    # Cutting what came

    def _receive_pieces(self, data: bytes) -> None:
        """Feed *data* piece by piece, each a head, a body, or a part of one."""
        try:
            while data:
                if self.reading is HEAD:
                    if self.paused:
                        self._held += data
                        break
                    data = self._receive_head(data)
                elif self.reading is BODY:
                    piece, data = data[: self._left], data[self._left :]
                    self._left -= len(piece)
                    self._feed(piece)
                    if not self._left:
                        self._complete()
                elif self.reading is CHUNKS:
                    data = self._receive_chunks(data)
                elif self.reading is OTHER:
                    self.unread += data
                    break
                else:
                    self.surplus = True
                    break
        except Exception as error:
            self._failed(error)
        self.quiet = self.empty

    def _receive_head(self, data: bytes) -> bytes:
        """Feed the rest of one head; return what is behind it."""
        unfinished = self._unfinished
        if unfinished is None:
            end = data.find(HEAD_END) + 4 if data[0] > 0x20 else 0
            if end >= 4:
                head = data[:end]
                self._feed_head(head, head)
                return data[end:]
            unfinished = self._unfinished = UnfinishedHead(self._limits)
        piece, head, data = unfinished.cut(data)
        if head:
            self._unfinished = None
            self._feed_head(head, piece)
        elif piece:
            self._feed(piece)
        return data

    def _feed_head(self, head: bytes, piece: bytes) -> None:
        """Let the parser see *piece*, which completes *head*, and begin its request."""
        self._head = head
        try:
            self._feed(piece)
        except UPGRADE:
            self._begin_upgrade()
        else:
            self._begin_by_head()

    def _begin_by_head(self) -> None:
        """The parser has taken a head: look at it ourselves, and begin its request."""
        headers, self._headers = self._headers, []
        head, self._head = self._head, b""
        self._begin(read_head(head, headers, self._limits, self._names))

    def _begin(self, request: Request) -> None:
        """From here on bytes belong to the body of *request*, if it has one."""
        self.requests.append(request)
        self._current = request
        self.quiet = False  # until its body is here
        if request.complete:
            self._complete()
        elif request.length == CHUNKED:
            self.reading = CHUNKS
            self._chunks = Chunks()
        else:
            self.reading = BODY
            self._left = request.length

    def _complete(self) -> None:
        """The body of the request that came last is whole."""
        self._current.complete = True
        self.reading = HEAD if self._current.keep_alive else NOTHING
        self._current = NO_REQUEST  # an idle connection keeps nothing of the last

    def _receive_chunks(self, data: bytes) -> bytes:
        """Feed chunked content up to each place where the body could end."""
        start = 0
        while start < len(data) and self.reading is CHUNKS:
            end = self._chunks.piece_end(data, start)
            request = self._current
            size = request.body_size
            self._feed(data[start:end])
            content = request.body_size - size
            self._chunks.count(end - start - content, request.body_size)
            self._check_trailers()
            start = end
        return data[start:]

    def _check_trailers(self) -> None:
        if len(self._headers) > self._limits.request_fields:
            raise HeadTooLarge("too many trailers")

    def _failed(self, error: Exception) -> None:
        """Note what the parser, or a rule of ours, found wrong."""
        if isinstance(error, UPGRADE):
            try:
                self._begin_upgrade()
            except ProtocolError as refused:
                self._refuse(refused)
            return
        found = translate(error)
        if isinstance(error, INVALID_METHOD):
            begun = self._unfinished.raw if self._unfinished is not None else b""
            wrong = refused_method(bytes(begun or self._head))
            if wrong is None:
                self._feed = self._no_method
                return
            found = wrong
        if not isinstance(found, ProtocolError):
            raise found
        self._refuse(found)

    def _refuse(self, error: ProtocolError) -> None:
        """Nothing that comes from here on is read."""
        self.error = error
        self.quiet = False
        self.reading = NOTHING
        self._unfinished = None

    def _no_method(self, data: bytes) -> None:
        """In the parser's place: it has given up, and we still wait for a space."""
        raise INVALID_METHOD

    def _begin_upgrade(self) -> None:
        """
        Take the upgrade that a head offers, or go on in HTTP/1 (RFC 9110, 7.8).

        The parser has ended the message with its head. A new one gets a head
        with the same framing, and so takes the body that the request has.
        """
        self._begin_by_head()
        request = self.requests[-1]
        if self.upgrades and asks_for_websocket(request):
            request.upgrade = b"websocket"
            request.keep_alive = False  # if it should be refused
            self.quiet = False
            self.reading = OTHER
            return
        self._feed = self._make_parser(self).feed_data
        if request.complete:
            return
        framing = (
            b"Transfer-Encoding: chunked"
            if request.length == CHUNKED
            else b"Content-Length: %d" % request.length
        )
        self._feed(b"POST / HTTP/1.1\r\nHost:\r\n%s\r\n\r\n" % framing)
        self._headers = []

    # What the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((self._names[name], value))

    def on_body(self, data: bytes) -> None:
        request = self._current
        body = request.body
        if body is None:
            body = request.body = Body()
        body.put(data)
        limit = self._limits.request_body
        if limit and body.size > limit:
            raise BodyTooLarge(f"body over limit_request_body={limit}")

    def on_chunk_header(self) -> None:
        self._chunk_at = self._current.body_size

    def on_chunk_complete(self) -> None:
        # The last chunk is the one without content; its trailers came with it.
        if self._current.body_size == self._chunk_at:
            self._check_trailers()
            if self._headers:
                # RFC 9110, 6.5.1: never merged. A parser may have drawn its own
                # conclusions from them (llhttp from ``Connection: close``), so the
                # next request gets one that hasn't seen them.
                self._headers = []
                self._feed = self._make_parser(self).feed_data
            self._complete()
