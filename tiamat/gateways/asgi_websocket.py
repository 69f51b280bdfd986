"""
ASGI: WebSockets ⇄ applications, by the WebSocket part of its specification.

A conversation begins as a request: until the application accepts it, it can be
refused with any response. What is its turn is a state, and each state has the
messages that it takes.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final, Protocol

from tiamat.gateways import faults
from tiamat.gateways.asgi import ASGIGateway, Disconnected
from tiamat.gateways.asgi_extensions import pairs
from tiamat.protocol.headers import Field
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response
from tiamat.types import Message, Scope

_NORMAL: Final = 1000
_INTERNAL_ERROR: Final = 1011


class Socket(Protocol):
    """
    A WebSocket, as ``protocol.websocket`` has it.

    Attributes:
        messages: Came, not taken yet.
        open: Messages may be sent.
        ended: Code and reason, once no more messages will come.
    """

    messages: deque[str | bytes]
    open: bool
    ended: tuple[int, str] | None

    def send(self, message: str | bytes, /) -> bytes: ...
    def accept(
        self, subprotocol: str | None, headers: Iterable[Field], common: bytes, /
    ) -> bytes: ...


class MessageStream(Protocol):
    """
    The connection of a conversation.

    Attributes:
        gone: Nothing can be sent any more.
        full: So much waits for the reader that ``drain`` is to be awaited.
    """

    gone: bool
    full: bool

    def write(self, data: bytes, /) -> None: ...
    def accepted(self) -> None: ...
    def close(self, code: int, reason: str, /) -> None: ...
    def responded(self) -> None: ...
    def left(self) -> None: ...
    async def more(self) -> None: ...
    async def drain(self) -> None: ...


class Conversation:
    """
    One WebSocket and the application's part in it.

    Attributes:
        request, response, scope: Of the handshake. The response is the 101, or
            the denial.
        over: Nothing more can be sent.
        closed: The application has closed it, or denied it.
        timed_out, told, task: As a request's cycle has them.
    """

    __slots__ = (
        "_connected", "_gateway", "_headers", "_status", "accepted", "closed",
        "request", "response", "scope", "socket", "stream", "task", "timed_out", "told",
    )  # fmt: skip

    endless = True

    def __init__(
        self,
        gateway: ASGIGateway,
        stream: MessageStream,
        socket: Socket,
        request: Request,
        scope: Scope,
    ) -> None:
        self._gateway = gateway
        self.stream = stream
        self.socket = socket
        self.request = request
        self.response = Response(request)
        self.response.sent = 0
        self.scope = scope
        self.accepted = False
        self.closed = False
        self.timed_out = False
        self.told = False
        self.task: Any = None
        self._connected = False  # the application has heard of it
        self._status = 0  # of a denial, before it is sent
        self._headers: Iterable[Field] = ()

    @property
    def over(self) -> bool:
        return self.closed or self.stream.gone

    async def run(self) -> None:
        """Run the application, and end the conversation if it doesn't."""
        try:
            await self._gateway.app(self.scope, self.receive, self.send)
            self._returned()
        except BaseException as error:
            if isinstance(error, (SystemExit, KeyboardInterrupt)) and (
                self._gateway.stopping()
            ):
                raise  # a signal handler's, not the application's
            self._failed(error)
        finally:
            self.stream.left()

    # What the application calls

    async def receive(self) -> Message:
        """
        The next message, or that there will be none.

        Hot: once per message.
        """
        socket = self.socket
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        while not (messages := socket.messages):
            if socket.ended is not None:
                code, reason = socket.ended
                return {
                    "type": "websocket.disconnect", "code": code, "reason": reason
                }  # fmt: skip
            await self.stream.more()
        message = messages.popleft()
        if message.__class__ is str:
            return {"type": "websocket.receive", "text": message}
        return {"type": "websocket.receive", "bytes": message}

    async def send(self, message: Message) -> None:
        """
        Send a message, or what begins or ends the conversation.

        Raises:
            Disconnected: The client has gone, or has closed.
            RuntimeError: It is not this message's turn.

        Hot: once per message.
        """
        socket = self.socket
        stream = self.stream
        if message["type"] == "websocket.send" and socket.open:
            text = message.get("text")
            stream.write(socket.send(message["bytes"] if text is None else text))
            if stream.full:
                await stream.drain()
        else:
            await self._send_other(message["type"], message)

    # Steps

    async def _send_other(self, kind: str, message: Message) -> None:
        if self.closed:
            raise RuntimeError(f"{kind!r} sent, but the WebSocket is closed already")
        if self.stream.gone or self.socket.ended is not None:
            raise Disconnected("the client has gone")
        if not self.accepted:
            await self._send_before(kind, message)
        elif kind == "websocket.close":
            self._close(message)
        else:
            raise RuntimeError(f"{kind!r} is no message for an open WebSocket")

    async def _send_before(self, kind: str, message: Message) -> None:
        """Accept, close, or answer as HTTP."""
        if self._status:
            if kind != "websocket.http.response.body":
                raise RuntimeError(f"{kind!r} sent within a denial response")
            self._deny(message)
            if self.stream.full:
                await self.stream.drain()
        elif kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self._answer(403)
        elif kind == "websocket.http.response.start":
            self._status = message["status"]
            self._headers = pairs(message.get("headers", ()))
        else:
            raise RuntimeError(f"{kind!r} sent before 'websocket.accept'")

    def _accept(self, message: Message) -> None:
        headers = self._headers = pairs(message.get("headers", ()))
        common = self._gateway.common.lines
        head = self.socket.accept(message.get("subprotocol"), headers, common)
        self.accepted = True
        response = self.response
        response.status = 101
        response.headers = headers
        self.stream.write(head)
        self.stream.accepted()

    def _close(self, message: Message) -> None:
        code = message.get("code")
        reason = message.get("reason") or ""
        self.stream.close(_NORMAL if code is None else code, reason)
        self.closed = True

    def _deny(self, message: Message) -> None:
        """A piece of the response that the client gets in place of a WebSocket."""
        body = message.get("body", b"")
        last = not message.get("more_body", False)
        response = self.response
        head = b""
        if not response.status:
            common = self._gateway.common.lines
            size = len(body) if last else -1
            head = response.start(self._status, self._headers, common, size)
        data = b"".join((head, *response.data(body)))
        if last:
            data += response.end()
        self.stream.write(data)
        if last:
            self.closed = True
            self.stream.responded()

    # What goes wrong

    def _returned(self) -> None:
        """The application is done: is the conversation?"""
        if self.closed or self.stream.gone or self.socket.ended is not None:
            return
        if self.accepted:
            self._close({"code": _NORMAL})
            return
        where = faults.method_and_path(self.request)
        self._gateway.log.warning(
            "%s: the application neither accepted nor closed a WebSocket", where
        )
        self._give_up()

    def _failed(self, error: BaseException) -> None:
        """Log what went wrong, and say so to the client if it can still hear."""
        ended = self.socket.ended is not None and not isinstance(error, Exception)
        gone = ended or is_disconnection(error)
        faults.report(
            self._gateway.log, self.request, error, cancelled=self.timed_out, gone=gone
        )
        if not self.closed:
            self._give_up()

    def _give_up(self) -> None:
        """Answer 500, or close with 1011 what was accepted."""
        if self.stream.gone:
            return
        if self.accepted:
            if self.socket.open:
                self._close({"code": _INTERNAL_ERROR})
        elif self.response.status:
            self.closed = True  # a denial that will never be complete
            self.stream.responded()
        else:
            self._answer(500)

    def _answer(self, status: int) -> None:
        """Deny the WebSocket in one go."""
        text = b"Forbidden\n" if status == 403 else b"Internal Server Error\n"
        self._status = status
        self._headers = [(b"content-type", b"text/plain")]
        self._deny({"body": text})


def is_disconnection(error: BaseException) -> bool:
    """Whether it is ours, or what a framework has made of it."""
    return isinstance(error, Disconnected) or isinstance(
        error.__context__, Disconnected
    )
