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
from collections.abc import Iterable
from struct import Struct
from typing import Final

from websockets.exceptions import ProtocolError as CoreError
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover - where it couldn't be compiled
    from websockets.utils import apply_mask

from tiamat.protocol.handshake import (
    WebSocketSettings,
    new_core,
    shake_hands,
    switching_protocols,
)
from tiamat.protocol.headers import Field
from tiamat.protocol.request import Request

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
        self._core = new_core(settings)
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
        head = switching_protocols(self._agreed, subprotocol, headers, common)
        self.open = True
        self.receive_data(b"")
        return head

    # What comes

    # One straight run through a frame: each part that moved out would be one more
    # call for each message.
    def receive_data(self, data: bytes) -> None:
        """
        Take what came from the peer.

        After this: look at ``messages``, ``reply`` and ``finished``.

        Hot: once per message in the common case, a whole frame and nothing else.
        """
        at = 0
        if self._held or self._left or not self.open:
            data, at = self._go_on(data)
        size = len(data)
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
                and self._core.current_size is None
                and self.open
            ):
                payload = apply_mask(data[start:end], data[start - 4 : start])
                at = end
                try:
                    self.messages.append(
                        payload if first == _BINARY else payload.decode()
                    )
                except UnicodeDecodeError as error:
                    self._invalid(error)
            else:
                at = self._feed(data, at, end - at)

    def _go_on(self, data: bytes) -> tuple[bytes, int]:
        """What is here behind what was held back, and where its next frame begins."""
        data = self._held + data
        self._held = b""
        if not self.open and self.ended is None:
            self._held = data  # before the 101
            return b"", 0
        return data, self._feed(data, 0, self._left) if self._left else 0

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
