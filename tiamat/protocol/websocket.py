"""
WebSocket (RFC 6455) over the sans-I/O core of ``websockets``.

Theory: the core is right about everything and slow about the commonest thing. It
resumes three generators to read one frame and makes five objects of it. So
frames are cut here, and the core is given one at a time, whole or piece by piece;
between two of them it stands at the beginning of a frame, which ``_left == 0``
says. A frame that is a whole message in one piece (final, no reserved bit,
masked, all of it here, none in fragments under way, not over the limit) changes
nothing in the core, so it is read here and the core never sees it. The same holds
for sending: without compression a message leaves no trace in the core. Whatever
else comes (fragments, compression, control frames, mistakes) is the core's.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final, Literal, TypeAlias

from websockets.datastructures import Headers as CoreHeaders
from websockets.exceptions import InvalidHandshake
from websockets.exceptions import ProtocolError as CoreError
from websockets.extensions.base import ServerExtensionFactory
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as CoreRequest
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover - where it couldn't be compiled
    from websockets.utils import apply_mask

from tiamat.protocol.headers import FIELD_LINES, Field
from tiamat.protocol.request import Request
from tiamat.types import Headers

Compression: TypeAlias = Literal["on", "no_context_takeover", "off"]

PING: Final = b"\x89\x00"

NO_STATUS: Final = 1005
ABNORMAL: Final = 1006
INVALID_DATA: Final = 1007

_TEXT: Final = 0x81  # a whole message: FIN and the opcode
_BINARY: Final = 0x82

_TEXT_HEADS: Final = tuple(bytes((_TEXT, size)) for size in range(126))
_BINARY_HEADS: Final = tuple(bytes((_BINARY, size)) for size in range(126))
_HEAD_16: Final = Struct(">BBH").pack
_HEAD_64: Final = Struct(">BBQ").pack

# RFC 6455, 5.5: a control frame has at most 125 bytes, two are the code.
_LONGEST_REASON: Final = 123

# Of what has been inflated, so much may wait: the rest of a read stays deflated.
_INFLATED: Final = 65536

_HANDSHAKE: Final = (b"connection", b"upgrade")
_OWN_FIELDS: Final = (b"sec-websocket-accept:", b"sec-websocket-extensions:")


@dataclass(frozen=True, slots=True)
class WebSocketSettings:
    """
    What all WebSockets of a worker have in common.

    Attributes:
        max_message_size: Bytes after decompression; 0 is no limit.
        ping_interval: Seconds from one ping to the next; 0 sends none.
        ping_timeout: Seconds for the answer; 0 waits for ever.
        compression: Whether permessage-deflate (RFC 7692) is agreed to.
    """

    max_message_size: int = 16 << 20
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    compression: Compression = "on"


class Refused(Exception):
    """
    The request is no handshake that can be answered with 101.

    Attributes:
        status: What the client should hear instead.
        headers: Of that answer.
        text: Its body.
    """

    def __init__(self, status: int, headers: Headers, text: bytes) -> None:
        super().__init__(text.decode("latin-1").strip())
        self.status = status
        self.headers = headers
        self.text = text


class _Silence:
    """In a logger's place: what the core would log, its users are told anyway."""

    def isEnabledFor(self, level: int) -> bool:
        return False

    def info(self, msg: str, *args: object, **kwargs: object) -> None:
        pass

    debug = warning = error = exception = critical = log = info


_SILENCE: Final = _Silence()

# Windows of 4 kB in place of 32: 48 kB less per connection, and text hardly grows.
# It is what the library's own servers do.
_DEFLATE: Final[Mapping[Compression, Sequence[ServerExtensionFactory]]] = {
    "on": (
        ServerPerMessageDeflateFactory(
            server_max_window_bits=12,
            client_max_window_bits=12,
            compress_settings={"memLevel": 5},
        ),
    ),
    "no_context_takeover": (
        ServerPerMessageDeflateFactory(
            server_no_context_takeover=True,
            client_no_context_takeover=True,
            server_max_window_bits=12,
            client_max_window_bits=12,
            compress_settings={"memLevel": 5},
        ),
    ),
    "off": (),
}


class WebSocket:
    """
    One WebSocket, from its handshake on.

    Args:
        request: The handshake.
        settings: What is agreed to.

    Raises:
        Refused: It is none.

    Attributes:
        messages: Came, not taken yet. Behind the last of them: ``ended``.
        open: Messages may be sent.
        ended: Close code and reason, once there will be no more messages.
        reply: What the protocol answers by itself, for the driver to send and to
            clear. The next replaces it: only the last ping must be answered
            (RFC 6455, 5.5.3), and behind a close frame nothing follows.
        finished: Behind ``reply`` the connection is to be closed.
    """

    __slots__ = (
        "_agreed", "_core", "_held", "_inflated", "_kind", "_left", "_limit", "_parts",
        "_plain", "ended", "finished", "messages", "open", "reply",
    )  # fmt: skip

    def __init__(self, request: Request, settings: WebSocketSettings) -> None:
        limit = settings.max_message_size
        self._core = ServerProtocol(
            state=OPEN,  # or its parser would wait for a head
            extensions=_DEFLATE[settings.compression],
            max_size=limit or None,
            logger=_SILENCE,  # type: ignore[arg-type]
        )
        self._agreed = shake_hands(self._core, request)
        self._plain = not self._core.extensions
        self._limit = limit or 1 << 63
        self._held = b""  # came, and belongs to no frame yet
        self._left = 0  # bytes to come of the frame that is in the core
        self._inflated = 0  # characters and bytes that the core put in messages
        self._kind = Opcode.TEXT
        self._parts = bytearray()  # of a message in fragments
        self.messages: deque[str | bytes] = deque()
        self.open = False
        self.ended: tuple[int, str] | None = None
        self.reply = b""
        self.finished = False

    def accept(
        self, subprotocol: str | None, headers: Iterable[Field], common: bytes
    ) -> bytes:
        """
        The head of the 101; what came before it is now read.

        Args:
            subprotocol: What the application has chosen.
            headers: The application's. Those of the handshake itself, and of the
                connection, are left out.
            common: ``CommonHeaders.lines``.

        Raises:
            InvalidResponse: It can't be sent.
        """
        fields = list(headers)
        if subprotocol is not None:
            fields.append(("Sec-WebSocket-Protocol", subprotocol))
        lines = [FIELD_LINES[name, value] for name, value in fields]  # type: ignore[index]
        kept = [
            line
            for line in lines
            if line.__class__ is bytes and not line.lower().startswith(_OWN_FIELDS)
        ]
        head = b"HTTP/1.1 101 Switching Protocols\r\n%sUpgrade: websocket\r\n" % common
        self.open = True
        self.receive_data(b"")
        return b"%sConnection: Upgrade\r\n%s%s\r\n" % (
            head, self._agreed, b"".join(kept),
        )  # fmt: skip

    # What comes

    # One straight run through a frame: each part that moved out would be one more
    # call for each message.
    def receive_data(self, data: bytes) -> None:  # noqa: C901
        """
        Take what came from the peer.

        After this: look at ``messages``, ``reply`` and ``finished``.

        Hot: once per message in the common case, a whole frame and nothing else.
        """
        if self._held:
            data = self._held + data
            self._held = b""
        if not self.open and self.ended is None:
            self._held = data  # before the 101
            return
        at = 0
        size = len(data)
        core = self._core
        if self._left:
            at = self._feed(data, 0, self._left)
        while at < size and not self.finished:
            if self._inflated > _INFLATED and self.messages:
                self._held = data[at:]
                return
            # RFC 6455, 5.2
            second = data[at + 1] if at + 2 <= size else 0xFF
            length = second & 0x7F
            start = at + (2 if length < 126 else 4 if length == 126 else 10)
            if second & 0x80:
                start += 4
            if start > size:
                self._held = data[at:]
                return
            if length >= 126:
                length = int.from_bytes(data[at + 2 : at + (4 if length < 127 else 10)])
            first = data[at]
            end = start + length
            if (
                _TEXT <= first <= _BINARY
                and end <= size
                and second & 0x80
                and length <= self._limit
                and core.current_size is None
                and self.open
            ):
                payload = apply_mask(data[start:end], data[start - 4 : start])
                at = end
                if first == _BINARY:
                    self.messages.append(payload)
                    continue
                try:
                    self.messages.append(payload.decode())
                except UnicodeDecodeError as error:
                    self._invalid(error)
            else:
                at = self._feed(data, at, end - at)

    def _feed(self, data: bytes, at: int, length: int) -> int:
        """Give the core what is here of *length* bytes of a frame; return its end."""
        end = min(at + length, len(data))
        self._left = at + length - end
        core = self._core
        core.receive_data(data[at:end])
        for frame in core.events_received():
            if not isinstance(frame, Frame):
                continue  # its other events are of a handshake that it reads
            opcode = frame.opcode
            if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
                self._kind = opcode
                if frame.fin:
                    self._deliver(bytes(frame.data))
                else:
                    self._parts += frame.data
            elif opcode is Opcode.CONT:
                self._parts += frame.data
                if frame.fin:
                    parts, self._parts = self._parts, bytearray()
                    self._deliver(bytes(parts))
        self._look()
        return end

    def _deliver(self, payload: bytes) -> None:
        """A message that came through the core, unless we have closed already."""
        if not self.open:
            return
        if not self.messages:
            self._inflated = 0
        self._inflated += len(payload)
        if self._kind is Opcode.BINARY:
            self.messages.append(payload)
            return
        try:
            self.messages.append(payload.decode())
        except UnicodeDecodeError as error:
            self._invalid(error)

    def _invalid(self, error: UnicodeDecodeError) -> None:
        self.fail(INVALID_DATA, f"{error.reason} at position {error.start}")

    def _look(self) -> None:
        """See what the core has to say, and whether it is still open."""
        core = self._core
        writes = core.data_to_send()
        if writes:
            self.reply = b"".join(writes)
        if core.state is OPEN:
            return
        self.open = False
        self.finished = core.eof_sent
        if self.ended is None:
            # Who was the first to say it: the peer, or the core about its mistake.
            said = core.close_rcvd or core.close_sent
            self.ended = (int(said.code), said.reason) if said else (ABNORMAL, "")

    def resume(self) -> None:
        """The messages were taken: read what was held back meanwhile."""
        if self._held:
            self.receive_data(b"")

    def receive_eof(self) -> None:
        """The peer has gone; without a close frame that is 1006."""
        self.open = False
        self.finished = True
        if self.ended is None:
            self.ended = (ABNORMAL, "")

    # What goes

    def send(self, message: str | bytes | bytearray | memoryview) -> bytes:
        """
        A message as a frame; only while ``open``.

        Hot: once per message.
        """
        data: bytes | bytearray | memoryview
        if isinstance(message, str):
            data = message.encode()
            if not self._plain:
                self._core.send_text(data)
                return b"".join(self._core.data_to_send())
            heads = _TEXT_HEADS
        else:
            data = message
            if not self._plain:
                self._core.send_binary(data)
                return b"".join(self._core.data_to_send())
            heads = _BINARY_HEADS
        size = len(data)
        if size < 126:
            return heads[size] + data
        if size < 65536:
            return _HEAD_16(heads[0][0], 126, size) + data
        return _HEAD_64(heads[0][0], 127, size) + data

    def close(self, code: int, reason: str = "") -> bytes:
        """
        The close frame that begins the closing handshake; only while ``open``.

        Raises:
            ValueError: No close frame can have this code.
        """
        text = reason.encode("utf-8", "replace")[:_LONGEST_REASON]
        reason = text.decode("utf-8", "ignore")
        try:
            if code == NO_STATUS:
                self._core.send_close()
            else:
                self._core.send_close(code, reason)
        except CoreError:
            raise ValueError(f"{code} is no code to close a WebSocket with") from None
        self.ended = (code, reason)
        data = b"".join(self._core.data_to_send())
        self._look()
        return data

    def fail(self, code: int, reason: str = "") -> None:
        """Close without waiting for the peer (RFC 6455, 7.1.7); see ``reply``."""
        self._core.fail(code, reason)
        if self.ended is None:
            self.ended = (code, reason)
        self._look()


def shake_hands(core: ServerProtocol, request: Request) -> bytes:
    """
    The lines of a 101 that answer this handshake.

    Raises:
        Refused: It is none.
    """
    # RFC 6455, 4.4: which versions we know, whatever is wrong.
    fields = [(b"content-type", b"text/plain"), (b"sec-websocket-version", b"13")]
    headers = CoreHeaders()
    try:
        for name, value in request.headers:
            if name in _HANDSHAKE or name.startswith(b"sec-websocket-"):
                headers[name.decode()] = value.decode("latin-1")
    except InvalidHandshake as error:
        raise Refused(400, fields, b"%s\n" % str(error).encode()) from None
    response = core.accept(CoreRequest(request.target.decode("latin-1"), headers))
    if response.status_code != 101:
        raise Refused(response.status_code, fields, bytes(response.body or b""))
    lines = b"Sec-WebSocket-Accept: %s\r\n" % (
        response.headers["Sec-WebSocket-Accept"].encode()
    )
    extensions = response.headers.get("Sec-WebSocket-Extensions")
    if extensions is not None:
        lines += b"Sec-WebSocket-Extensions: %s\r\n" % extensions.encode()
    return lines
