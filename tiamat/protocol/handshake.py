"""
The handshake of a WebSocket (RFC 6455, 4): a request, and the 101 that answers it.

What is agreed to in it, and the core of ``websockets`` that it begins.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from websockets.datastructures import Headers as CoreHeaders
from websockets.exceptions import InvalidHandshake
from websockets.extensions.base import ServerExtensionFactory
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request as CoreRequest
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from tiamat.protocol.headers import FIELD_LINES, Field
from tiamat.protocol.request import Request
from tiamat.types import Headers

Compression: TypeAlias = Literal["on", "no_context_takeover", "off"]

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


def new_core(settings: WebSocketSettings) -> ServerProtocol:
    """What reads and writes frames; it is open, or it would wait for a head."""
    return ServerProtocol(
        state=OPEN,
        extensions=_DEFLATE[settings.compression],
        max_size=settings.max_message_size or None,
        logger=_SILENCE,  # type: ignore[arg-type]
    )


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


def switching_protocols(
    agreed: bytes, subprotocol: str | None, headers: Iterable[Field], common: bytes
) -> bytes:
    """
    The head of the 101.

    Args:
        agreed: What ``shake_hands`` says.
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
    return (
        b"HTTP/1.1 101 Switching Protocols\r\n%sUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\n%s%s\r\n"
    ) % (common, agreed, b"".join(kept))
