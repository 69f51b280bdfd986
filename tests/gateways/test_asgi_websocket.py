"""A WebSocket's application: what it is told, and what it may send when."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

import pytest
from protocol.handshakes import request
from protocol.test_websocket import close_frame, frame

from tiamat.gateways.asgi import ASGIGateway, Disconnected
from tiamat.gateways.asgi_scope import Scopes
from tiamat.gateways.asgi_websocket import Conversation
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.handshake import WebSocketSettings
from tiamat.protocol.websocket import WebSocket

LOG = logging.getLogger("tests.gateways")
TEXT, BINARY = 1, 2
CONNECT = {"type": "websocket.connect"}
ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close"}
SEND = {"type": "websocket.send", "text": "a"}
START = {"type": "websocket.http.response.start", "status": 404}
BODY = {"type": "websocket.http.response.body", "body": b"no"}


class Wire:
    """A connection that keeps what it is given, and hears what it is told."""

    gone = False
    full = False

    def __init__(self, app: Any, heard: bytes = b"") -> None:
        common = CommonHeaders(b"tiamat")
        gateway = ASGIGateway(app, common, LOG, Scopes())
        self.sent = b""
        self.over = False
        self.waits = 0
        self.socket = WebSocket(request(), WebSocketSettings(compression="off"))
        scope: dict[str, Any] = {"type": "websocket", "extensions": {}}
        self.conversation = Conversation(gateway, self, self.socket, request(), scope)
        self.heard = heard
        asyncio.run(self.conversation.run())

    def write(self, data: bytes) -> None:
        self.sent += data

    def accepted(self) -> None:
        self.socket.receive_data(self.heard)

    def close(self, code: int, reason: str) -> None:
        self.write(self.socket.close(code, reason))

    def responded(self) -> None:
        self.over = True

    def left(self) -> None:
        """The last that a driver hears."""

    async def more(self) -> None:
        """What nobody has said so far is never said."""
        self.gone = True
        self.socket.receive_eof()

    async def drain(self) -> None:
        self.waits += 1

    @property
    def frames(self) -> bytes:
        """What was sent behind the 101."""
        head, _, frames = self.sent.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        return frames


def sending(*messages: dict[str, Any]) -> Any:
    """An application that sends these, one after the other."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for message in messages:
            await send(message)

    return app


def test_messages_as_the_specification_has_them() -> None:
    """Text as text, bytes as bytes, and the end with its code and reason."""
    heard: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.append(await receive())
        await send(ACCEPT)
        heard.extend([await receive() for _ in range(4)])

    Wire(app, frame(TEXT, b"a") + frame(BINARY, b"b") + close_frame(4000, "c"))

    end = {"type": "websocket.disconnect", "code": 4000, "reason": "c"}
    assert [
        CONNECT,
        {"type": "websocket.receive", "text": "a"},
        {"type": "websocket.receive", "bytes": b"b"},
        end,
        end,
    ] == heard


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        ({"text": "a"}, b"\x81\x01a"),
        ({"bytes": b"a"}, b"\x82\x01a"),
        ({"text": None, "bytes": b"a"}, b"\x82\x01a"),
        ({"text": "a", "bytes": None}, b"\x81\x01a"),
        ({"text": "", "bytes": None}, b"\x81\x00"),
    ],
)
def test_what_an_application_may_send(message: dict[str, Any], wire: bytes) -> None:
    """One of two keys; the other may be there, and None."""
    sent = Wire(sending(ACCEPT, {"type": "websocket.send", **message}))

    assert wire + b"\x88\x02\x03\xe8" == sent.frames


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (CLOSE, b"\x88\x02\x03\xe8"),
        ({**CLOSE, "code": None, "reason": None}, b"\x88\x02\x03\xe8"),
        ({**CLOSE, "code": 3000, "reason": "b"}, b"\x88\x03\x0b\xb8b"),
    ],
)
def test_how_an_application_may_close(message: dict[str, Any], wire: bytes) -> None:
    """1000 unless it says otherwise."""
    assert wire == Wire(sending(ACCEPT, message)).frames


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ((CLOSE,), b"403"),
        ((START, BODY), b"404"),
        ((), b"500"),
        ((SEND,), b"500"),
        ((START, ACCEPT), b"500"),
        ((BODY,), b"500"),
        (({"type": "http.response.start", "status": 200},), b"500"),
    ],
)
def test_what_is_no_acceptance_is_a_response(
    messages: tuple[dict[str, Any], ...], status: bytes
) -> None:
    """The client gets one, whatever the application does."""
    wire = Wire(sending(*messages))

    assert status == wire.sent[9:12]
    assert wire.over
    assert b"Connection: close\r\n" in wire.sent


@pytest.mark.parametrize("message", [ACCEPT, START, BODY, {"type": "x"}])
def test_what_is_out_of_turn_closes_with_1011(message: dict[str, Any]) -> None:
    """It is the application's mistake."""
    assert Wire(sending(ACCEPT, message)).frames == b"\x88\x02\x03\xf3"


@pytest.mark.parametrize("message", [SEND, CLOSE, ACCEPT])
@pytest.mark.parametrize("before", [(ACCEPT, CLOSE), (CLOSE,), (START, BODY)])
def test_nothing_follows_the_end(
    before: tuple[dict[str, Any], ...], message: dict[str, Any]
) -> None:
    """The application is told; the client hears nothing of it."""
    caught: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await sending(*before)(scope, receive, send)
        with pytest.raises(RuntimeError) as error:
            await send(message)
        caught.append(error.value)

    wire = Wire(app)

    assert caught
    assert wire.sent == Wire(sending(*before)).sent


@pytest.mark.parametrize("message", [SEND, CLOSE])
def test_who_has_gone_hears_nothing(message: dict[str, Any]) -> None:
    """ASGI 2.4: an OSError, which is not logged as a mistake."""
    caught: list[type[Exception]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await receive()
        try:
            await send(message)
        except OSError as error:
            caught.append(type(error))
            raise RuntimeError from None

    Wire(app)

    assert caught == [Disconnected]


def test_a_full_connection_is_waited_for() -> None:
    """Behind each message that it does not take at once."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        cast(Any, send).__self__.stream.full = True
        await send(SEND)
        await send(SEND)

    assert Wire(app).waits == 2


def test_a_gone_client_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Nor is what a framework makes of it; a bug behind it is one."""

    def app_that(raises: Callable[[], Exception]) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send(ACCEPT)
            await receive()
            try:
                await send(SEND)
            except OSError:
                raise raises() from None

        return app

    Wire(app_that(RuntimeError))
    assert not caplog.records

    async def buggy(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await receive()
        raise ZeroDivisionError

    Wire(buggy)
    assert ["error handling GET /chat"] == [r.message for r in caplog.records]
