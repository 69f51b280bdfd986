"""
ASGI: requests ⇄ applications, by the HTTP part of its specification.

The gateway knows no event loop. It awaits what a ``Stream``, which a driver is,
offers: more of a body, room for more of a response, a file that has been sent.
"""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from tiamat.gateways import asgi_extensions as extensions
from tiamat.gateways import faults
from tiamat.gateways.asgi_scope import Scopes
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response
from tiamat.protocol.status import REASONS
from tiamat.types import ASGIApp, Message, Scope

if TYPE_CHECKING:
    from tiamat.protocol.headers import Field

# A body up to this goes into one piece of memory with its head.
_SMALL: Final = 16384


class Disconnected(OSError):
    """Nobody is left to hear a response (ASGI 2.4: ``send`` raises an OSError)."""


class Stream(extensions.FileStream, Protocol):
    """
    The connection of a cycle.

    Attributes:
        gone: Nothing can be sent any more.
        ended: The peer sends no more, or what it sent is broken.
        full: So much waits for the reader that ``drain`` is to be awaited.
        draining: It shall close behind the next response that begins.
        left: Told of each cycle whose application has returned.
    """

    gone: bool
    ended: bool
    full: bool
    draining: bool

    @property
    def left(self) -> "Callable[[Cycle], None]": ...
    def write_on(self, *buffers: bytes) -> None: ...
    def taken(self) -> None: ...
    def invite(self) -> None: ...
    def streaming(self, cycle: "Cycle", /) -> None: ...
    def responded(self, cycle: "Cycle", /) -> None: ...
    async def more(self) -> None: ...
    async def more_body(self, cycle: "Cycle", /) -> None: ...
    async def drain(self) -> None: ...


class ASGIGateway:
    """
    What all cycles of a worker have in common; built once.

    Args:
        app: The application.
        common: ``Server`` and ``Date``, kept fresh by whoever has a clock.
        log: Hears what the application does wrong.
        scopes: Makes the scopes.
        stopping: Whether a SystemExit is the worker's and not the application's.
    """

    def __init__(
        self,
        app: ASGIApp,
        common: CommonHeaders,
        log: faults.Log,
        scopes: Scopes,
        *,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.app = app
        self.common = common
        self.log = log
        self.scopes = scopes
        self.stopping = stopping


class Cycle:
    """
    One request and its response.

    Attributes:
        request, response, scope: Of this cycle.
        over: The response is complete, or nothing can come of it any more.
        timed_out: It was cancelled, and not by the application; that is logged.
        told: Its age was logged.
        task: What runs it, for who wants to see its stack or to cancel it.
    """

    __slots__ = (
        "_gateway", "_headers", "_received", "_status", "_trailers", "over", "request",
        "response", "scope", "stream", "task", "timed_out", "told",
    )  # fmt: skip

    endless = False
    """Whether it is a conversation, whose age says nothing."""

    def __init__(
        self, gateway: ASGIGateway, stream: Stream, request: Request, scope: Scope
    ) -> None:
        self._gateway = gateway
        self.stream = stream
        self.request = request
        self.response = Response(request)
        self.scope = scope
        self.over = False
        self.timed_out = False
        self.told = False
        self.task: Any = None
        self._received = False  # the application knows the whole body
        self._status = 0  # that the application gave, before it is sent
        self._headers: Iterable[Field] = ()
        self._trailers = False

    async def run(self) -> None:
        """
        Run the application, and answer in its place where it doesn't.

        Hot: once per request.
        """
        try:
            await self._gateway.app(self.scope, self.receive, self.send)
            if not self.over:
                self._unfinished()
        except BaseException as error:
            if isinstance(error, (SystemExit, KeyboardInterrupt)) and (
                self._gateway.stopping()
            ):
                raise  # a signal handler's, not the application's
            self._failed(error)
        finally:
            self.stream.left(self)

    # What the application calls

    async def receive(self) -> Message:
        """
        The next piece of the body, or that nobody listens any more.

        A client that waits for ``100 Continue`` hears it when it is first awaited.
        """
        request = self.request
        stream = self.stream
        while not (self._received or self.over):
            body = request.body
            if request.complete or (body is not None and body.waiting):
                data = b"" if body is None else body.take_piece()
                more = not request.complete or (body is not None and body.waiting > 0)
                self._received = not more
                stream.taken()
                return {"type": "http.request", "body": data, "more_body": more}
            if stream.ended:
                break
            if request.expect_continue:
                request.expect_continue = False
                stream.write(self.response.interim(100))
                stream.invite()
            await stream.more_body(self)
        while not (self.over or stream.ended):
            await stream.more()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """
        Send a part of the response; returns when there is room for more.

        Raises:
            Disconnected: The client has gone.
            RuntimeError: It is not this message's turn.

        Hot: twice per response.
        """
        kind = message["type"]
        if self.stream.gone:
            raise Disconnected("the client has gone")
        if kind == "http.response.body" and self._status and not self.over:
            if self._trailers:
                self._body(message, last=False)
            else:
                self._body(message, last=not message.get("more_body", False))
            if self.stream.full:
                await self.stream.drain()
        elif kind == "http.response.start" and not self._status:
            self._status = message["status"]
            self._headers = message.get("headers", ())
            self._trailers = message.get("trailers", False)
        else:
            await self._send_other(kind, message)

    # Steps

    def _body(self, message: Message, *, last: bool) -> None:
        """
        Write a piece of the body, behind the head if that hasn't gone yet.

        Hot: once per response, with what ``_choose_keep_alive`` and ``_end`` do.
        """
        body = message.get("body", b"")
        response = self.response
        stream = self.stream
        if response.status:
            buffers = response.data(body)
            if last:
                ending = response.end()
                buffers = (*buffers, ending) if ending else buffers
            if buffers:
                stream.write_on(*buffers)
        elif last and len(body) <= _SMALL:
            request = self.request
            if not request.complete or request.expect_continue or stream.draining:
                self._choose_keep_alive()
            common = self._gateway.common.lines
            try:
                data = response.whole(self._status, self._headers, common, body)
            except TypeError:
                self._headers = extensions.pairs(self._headers)
                data = response.whole(self._status, self._headers, common, body)
            stream.write(data)
        else:
            head = self._head(len(body) if last else -1)
            buffers = response.data(body)
            if last:
                buffers = (*buffers, response.end())
            stream.write(head, *buffers)
        if last:
            self.over = True
            if response.faulty:
                faults.complain(self._gateway.log, self.response, gone=self.stream.gone)
            stream.responded(self)

    def _head(self, size: int) -> bytes:
        """The head of a response that isn't one write; *size* as for ``start``."""
        self._choose_keep_alive()
        self.stream.streaming(self)
        common = self._gateway.common.lines
        try:
            return self.response.start(self._status, self._headers, common, size)
        except TypeError:
            self._headers = extensions.pairs(self._headers)
            return self.response.start(self._status, self._headers, common, size)

    def _choose_keep_alive(self) -> None:
        """
        Whether the connection goes on behind this response, as its head will say.

        Not when the client still waits for a 100 that nobody has asked for: nobody
        can tell whether it then sends its body or its next request. Nor when much of
        its body is still to come.
        """
        request = self.request
        if (
            self.stream.draining
            or request.expect_continue
            or not (request.complete or request.near_end)
        ):
            self.response.keep_alive = False

    def _end(self) -> None:
        """The last byte is written."""
        self.over = True
        if self.response.faulty:
            faults.complain(self._gateway.log, self.response, gone=self.stream.gone)
        self.stream.responded(self)

    async def _send_other(self, kind: str, message: Message) -> None:
        """The extensions, and what is out of turn."""
        response = self.response
        if self.over and not response.status:
            raise Disconnected("the client has been refused")
        if self.over or (kind == "http.response.start" and self._status):
            raise RuntimeError(f"{kind!r} sent, but the response has been sent already")
        if kind == "http.response.early_hint":
            self.stream.write(response.interim(103, extensions.hints(message)))
        elif kind == "http.response.informational":
            fields = extensions.pairs(message["headers"])
            self.stream.write(response.interim(message["status"], fields))
        elif not self._status:
            raise RuntimeError(f"{kind!r} sent before 'http.response.start'")
        elif kind == "http.response.trailers" and self._trailers:
            self._send_trailers(message)
        elif kind == "http.response.pathsend":
            with open(message["path"], "rb") as file:  # noqa: ASYNC230
                size = os.fstat(file.fileno()).st_size
                whole = extensions.Part(file.fileno(), 0, size)
                await self._send_part(whole, last=True)
        elif kind == "http.response.zerocopysend":
            part, more = extensions.part(message), message.get("more_body", False)
            await self._send_part(part, last=not more)
        else:
            raise RuntimeError(f"{kind!r} is no message for a response under way")

    def _send_trailers(self, message: Message) -> None:
        """End the body; trailers only to who said that it takes them."""
        fields = extensions.trailers(message)
        takes = self.scope["extensions"].get("http.response.trailers") is not None
        head = () if self.response.status else (self._head(-1),)
        self.stream.write(*head, self.response.end(fields if takes else ()))
        self._end()

    async def _send_part(self, part: extensions.Part, *, last: bool) -> None:
        """Send a part of a file, behind the head if that hasn't gone yet."""
        if not self.response.status:
            self.stream.write(self._head(part.size if last else -1))
        await extensions.send_part(self.stream, self.response, part, last=last)
        if last:
            self._end()

    # What goes wrong

    def _unfinished(self) -> None:
        """The application has returned, and the response is not complete."""
        if self.stream.gone or self.stream.ended:
            self._give_up()
            return
        said = (
            "before it was complete" if self.response.status else "without a response"
        )
        where = faults.method_and_path(self.request)
        self._gateway.log.warning("%s: the application returned %s", where, said)
        self._answer(500)

    def _failed(self, error: BaseException) -> None:
        """Log what went wrong, and say so to the client if it can still hear."""
        gone = isinstance(error, Disconnected) or (self.stream.gone and not self.over)
        faults.report(
            self._gateway.log, self.request, error, cancelled=self.timed_out, gone=gone
        )
        if not self.over:
            self._answer(503 if self.timed_out else 500)

    def _answer(self, status: int) -> None:
        """Answer in the application's place, or close what it has begun."""
        response = self.response
        if self.stream.gone or response.status:
            self._give_up()
            return
        text = REASONS[status].encode() + b"\n"
        self._choose_keep_alive()
        fields = [(b"content-type", b"text/plain")]
        head = response.start(status, fields, self._gateway.common.lines, len(text))
        self.stream.write(head, *response.data(text))
        self._end()

    def _give_up(self) -> None:
        """Nothing can come of it any more: the connection closes."""
        self.response.keep_alive = False
        self._end()
