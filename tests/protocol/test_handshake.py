"""A handshake is answered as RFC 6455 says, or refused with what is wrong."""

import pytest
from protocol.handshakes import COMMON, HEAD, request

from tiamat.protocol.errors import InvalidResponse
from tiamat.protocol.handshake import Refused, WebSocketSettings
from tiamat.protocol.websocket import WebSocket


def test_the_handshake_is_that_of_the_rfc() -> None:
    """RFC 6455, 1.3: this key has this answer."""
    socket = WebSocket(request(), WebSocketSettings())
    head = socket.accept("chat", [(b"x-one", b"1")], COMMON)

    assert (
        b"HTTP/1.1 101 Switching Protocols\r\nServer: tiamat\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"x-one: 1\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    ) == head


def test_the_application_says_nothing_about_the_handshake() -> None:
    """Neither about the connection, nor about what only the protocol knows."""
    socket = WebSocket(request(), WebSocketSettings())
    headers = [
        (b"Upgrade", b"h2c"),
        (b"Connection", b"close"),
        (b"Content-Length", b"5"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Sec-WebSocket-Accept", b"wrong"),
        (b"Sec-WebSocket-Extensions", b"permessage-deflate"),
    ]
    head = socket.accept(None, headers, b"")

    assert [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ] == head.split(b"\r\n")[:-2]


def test_a_header_cannot_end_the_head() -> None:
    """Response splitting is refused, as in every response."""
    socket = WebSocket(request(), WebSocketSettings())
    with pytest.raises(InvalidResponse):
        socket.accept("a\r\nSet-Cookie: b", [], COMMON)

    assert not socket.open


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        (b"Version: 13", b"Version: 8"),
        (b"Sec-WebSocket-Version: 13\r\n", b""),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZQ=="),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"\xe9\xff"),
        (b"Sec-WebSocket-Key", b"X-Key"),
        (b"Version: 13", b"Version: 13\r\nSec-WebSocket-Extensions: ,;=\xff"),
    ],
)
def test_a_wrong_handshake_is_refused(before: bytes, behind: bytes) -> None:
    """The client hears 400, and which version is spoken here."""
    with pytest.raises(Refused) as caught:
        WebSocket(request(HEAD.replace(before, behind)), WebSocketSettings())

    assert caught.value.status == 400
    assert (b"sec-websocket-version", b"13") in caught.value.headers
    assert caught.value.text
