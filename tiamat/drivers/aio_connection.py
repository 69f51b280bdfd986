"""
One HTTP/1 connection on an asyncio loop: transport ⇄ protocol ⇄ gateway.

Bodies stream both ways: reading stops while the application has not taken what
came, and ``send`` waits while the reader has not taken what was sent.
"""

import asyncio
import math
import time
from bisect import bisect_left
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, cast

from tiamat.drivers.aio_file import send_file
from tiamat.drivers.flow import FlowControl
from tiamat.gateways.asgi import ASGIGateway, Cycle
from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.http1 import NO_REQUEST
from tiamat.protocol.request import UNWANTED
from tiamat.protocol.response import Response, refusal
from tiamat.system.queues import readable
from tiamat.system.scoreboard import BOUNDS, LENGTHS
from tiamat.types import Scope

if TYPE_CHECKING:
    from tiamat.drivers.aio import AioServer
    from tiamat.protocol.request import Request

# Bytes of a body that may wait for the application before reading stops.
_BODY_WAITING: Final = 65536

_READ_SIZE: Final = 65536

_NEVER: Final = math.inf


class AioConnection(FlowControl):
    """
    An accepted transport and the protocol state on it.

    Attributes:
        http: What came, as requests.
        base: What the scopes on its listener have in common.
        client: The peer's address for scopes.
        cycle: The request that is being answered; None between two.
        ended: The peer sends no more, or what it sent is broken.
        deadline: Point on the monotonic clock at which our patience ends.
        head: Whether that is for a head, which gets a 408.
        draining: It shall close behind the next response that begins.
        left: Told of each cycle whose application has returned.
        waiters: To be woken when anything happened here.
    """

    __slots__ = (
        "_began", "_body_at", "_closing", "_paused_at", "_skip_to", "_stalled_at",
        "base", "client", "cycle", "deadline", "draining", "ended", "head", "http",
        "left",
    )  # fmt: skip

    def __init__(self, server: "AioServer", base: Scope, name: Any) -> None:
        super().__init__(server)
        service = server.service
        self.base = base
        self.http = service.protocol(service.limits, service.parser, service.names)
        self.http.upgrades = service.begin_websocket is not None
        self.client: tuple[str, int] | None = None
        if isinstance(name, tuple):
            self.client = (name[0], name[1])
            self.peer = (name[0], str(name[1]))
        self.cycle: Cycle | None = None
        self.ended = False
        self.head = True
        self.deadline = time.monotonic() + service.timeouts.header
        self.draining = server.draining or not service.timeouts.keepalive
        self.left = server.turns.left
        self._closing = False
        self._stalled_at = _NEVER  # when it has taken nothing for too long
        self._skip_to = 0  # bytes of a body: beyond them nobody waits for its end
        self._began = 0.0
        self._body_at = 0.0  # since when we read a body, had we never paused
        self._paused_at = 0.0

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none
        if isinstance(transport, asyncio.Transport):
            # asyncio reads 256 KiB at a time: of a large body one piece would wait
            # here, one with the application, and one would be on its way.
            transport.max_size = _READ_SIZE  # type: ignore[attr-defined]
        self.server.opened(self)

    def data_received(self, data: bytes) -> None:
        """
        Take what came.

        Hot: once per request in the common case, a whole head and nothing else.
        """
        if self._closing:
            return  # it is read so that our last bytes aren't overtaken by a reset
        http = self.http
        http.receive_data(data)
        if self.cycle is not None:
            self._more_came(self.cycle)
        elif http.requests:
            self.begin(http.requests.pop(0))
            if not http.quiet and http.holding:
                self._pause()
        else:
            self._wait_for_head()

    def eof_received(self) -> bool:
        """The peer sends no more; it may still read (RFC 9112, 9.6)."""
        if self._closing:
            self.transport.close()
            return True
        self.http.receive_eof()
        self.ended = True
        self.waiters.wake()
        cycle = self.cycle
        if cycle is None:
            self.close()
        elif cycle.over:
            self.proceed()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.deadline = _NEVER
        super().connection_lost(exc)
        self.server.lost(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.cycle is not None and self.cycle.over:
            self.server.loop.call_soon(self.proceed)

    # Requests

    def begin(self, request: "Request") -> None:
        """
        Have the application answer *request*.

        Hot: once per request.
        """
        server = self.server
        service = server.service
        if not request.complete and self.http.error is not None:
            self.refuse(self.http.error.status)
            return
        if request.upgrade:
            service.begin_websocket(server, self, request)
            return
        try:
            scope = service.gateway.scopes.http(request, self.base, self.client)
        except ProtocolError as error:
            self.refuse(error.status)
            return
        cycle = self.cycle = Cycle(service.gateway, self, request, scope)
        now = self._began = time.monotonic()
        if request.complete:
            self.deadline = _NEVER
        else:
            self._begin_body(request, now)
        turns = server.turns
        if len(turns.running) >= turns.room:
            turns.wait(self)
            return
        if server.pre_request is not None:
            server.pre_request(request, scope)
        server.note(now, now, request.head)
        turns.running[cycle] = now
        cycle.task = server.spawn(cycle.run(), context=server.context.copy())

    def _begin_body(self, request: "Request", now: float) -> None:
        """The rest of a body is to come, as soon as the client knows that it may."""
        self._body_at = now
        if request.expect_continue:
            self.deadline = _NEVER  # it hears a 100 when the application asks
        else:
            self._wait_for_body(request)

    def _wait_for_body(self, request: "Request") -> None:
        """More of a body is to come, neither late nor slowly."""
        timeouts = self.server.service.timeouts
        self.deadline = min(
            time.monotonic() + timeouts.body,
            self._body_at + timeouts.allowed(request.body_size),
        )

    def take_turn(self) -> None:
        """There is room for the request that waits here."""
        server = self.server
        cycle = self.cycle
        if cycle is None or cycle.over or self.gone:
            return
        if server.pre_request is not None:
            server.pre_request(cycle.request, cycle.scope)
        now = time.monotonic()
        server.note(now, now, cycle.request.head)
        server.turns.running[cycle] = now
        cycle.task = server.spawn(cycle.run(), context=server.context.copy())

    def turn_away(self, overloaded: ASGIGateway) -> None:
        """The request that waits here has waited too long: it gets a 503."""
        server = self.server
        cycle = self.cycle
        if cycle is None or cycle.over or self.gone:
            return
        cycle = self.cycle = Cycle(overloaded, self, cycle.request, cycle.scope)
        server.turns.running[cycle] = time.monotonic()
        cycle.task = server.spawn(cycle.run(), context=server.context.copy())

    def _more_came(self, cycle: Cycle) -> None:
        """Something came while a request is being answered."""
        http = self.http
        request = cycle.request
        if http.error is not None and not request.complete:
            self._broken_body(cycle, http.error)
            return
        if cycle.over:
            self.proceed()
            return
        body = request.body
        waiting = 0 if body is None or request.complete else body.waiting
        if waiting > _BODY_WAITING or http.holding:
            self._pause()
        if not (request.complete or self.paused):
            self._wait_for_body(request)
        elif self.deadline < _NEVER:
            self.deadline = _NEVER
        if self.waiters:
            self.waiters.wake()

    def _broken_body(self, cycle: Cycle, error: ProtocolError) -> None:
        """The rest of a body can't be read: refuse if there is no answer yet."""
        self.ended = True
        if cycle.over:
            self.close()  # nobody has read it
        elif cycle.response.status:
            self.abort()
        else:
            cycle.over = True
            self.refuse(error.status)
        self.waiters.wake()

    def _pause(self) -> None:
        # Who closes reads on: else the peer's end would never be seen.
        if not (self.paused or self._closing):
            self._paused_at = time.monotonic()
            self.deadline = _NEVER
            self.pause_reading()

    def _resume(self) -> None:
        if self.paused:
            self._body_at += time.monotonic() - self._paused_at
            self.resume_reading()

    def _wait_for_head(self) -> None:
        """Nothing to answer yet: refuse, close, or wait for the rest."""
        http = self.http
        if http.error is not None:
            self.server.service.log.debug(
                "request from %s refused: %s", self.peer[0], http.error
            )
            self.refuse(http.error.status)
        elif self.ended:
            self.close()
        elif not self.head:
            self.head = True
            self.deadline = time.monotonic() + self.server.service.timeouts.header

    # What cycles call

    def write(self, *buffers: bytes) -> None:
        """The same for all of a response that is small, or its beginning."""
        if len(buffers) == 1:
            self.transport.write(buffers[0])
        else:
            self.write_on(*buffers)

    def taken(self) -> None:
        """The application has taken some or all of what there was of a body."""
        if self.paused and not self.http.holding:
            request = self.cycle.request if self.cycle is not None else NO_REQUEST
            if request.body is not None and request.body.waiting > _BODY_WAITING:
                return
            self._resume()
            self._wait_for_body(request)

    def invite(self) -> None:
        """The client was told to send its body: from now on it can be late."""
        if self.cycle is not None:
            self._begin_body(self.cycle.request, time.monotonic())

    def streaming(self, cycle: Cycle) -> None:
        """A response has begun that comes in pieces, or is a large one."""
        self.server.turns.streams(cycle)

    def responded(self, cycle: Cycle) -> None:
        """
        The last byte of a response is with the transport: what next?

        Hot: once per request.
        """
        server = self.server
        handled = server.handled = server.handled + 1
        if handled >= server.enough:
            server.had_enough()
        response = cycle.response
        finished = server.service.finished
        now = time.monotonic()
        seconds = now - self._began
        server.seconds += seconds
        server.tally[
            response.status // 100 * LENGTHS + bisect_left(BOUNDS, seconds)
        ] += 1
        if finished is not None:
            self._report(cycle, now)
        if self.waiters:
            self.waiters.wake()  # of a receive() that waits for the end
        http = self.http
        if response.keep_alive and http.quiet and not (http.requests or self.full):
            self.cycle = None
            self.head = False
            self.deadline = now + server.service.timeouts.keepalive
        elif not response.keep_alive:
            self.close()
        else:
            self._skip_to = cycle.request.body_size + UNWANTED
            server.loop.call_soon(self.proceed)

    def proceed(self) -> None:
        """
        Begin the next request, when nothing of the last one is in the way.

        In the way are the rest of its body, and its response if the client doesn't
        read that: else who asks without reading would fill our memory.
        """
        cycle = self.cycle
        if cycle is None or not cycle.over or self.gone or self._closing:
            return
        if not cycle.request.complete:
            self._skip(cycle.request)
            return
        http = self.http
        if self.full:
            if http.holding:
                self._pause()
            return
        self.cycle = None
        http.resume()
        if http.requests:
            self.begin(http.requests.pop(0))
        else:
            self.head = False
            self.deadline = time.monotonic() + self.server.service.timeouts.keepalive
            if http.error is not None or not http.empty:
                self._wait_for_head()
        if not http.holding:
            self._resume()

    def _skip(self, request: "Request") -> None:
        """Read a body to its end that nobody wants, if that is near; or close."""
        if request.body is not None:
            request.body.take()
        if self.ended or max(request.length, request.body_size) > self._skip_to:
            self.close()
        else:
            self._resume()
            self._wait_for_body(request)

    def more(self) -> Coroutine[Any, Any, None]:
        """Wait until something came: of the body, or the end."""
        return self.waiters.wait(self.server.loop)

    async def more_body(self, cycle: Cycle) -> None:
        """The same, for the body of a cycle; meanwhile another one has its place."""
        turns = self.server.turns
        counted = turns.pause(cycle)
        try:
            await self.more()
        finally:
            if counted:
                turns.go_on(cycle)

    async def send_file(self, fileno: int, offset: int, count: int) -> None:
        """Have the kernel send a part of a file; raises Disconnected."""
        await send_file(self, fileno, offset, count)

    def _report(self, cycle: Cycle, now: float) -> None:
        """Tell who wants to know; what fails there is not the connection's fault."""
        finished = self.server.service.finished
        if finished is None:
            return
        try:
            finished(
                cycle.request, cycle.response, cycle.scope, self.peer, now - self._began
            )
        except Exception as error:
            self.server.service.log.error("can't log a request", exc_info=error)

    # Deadlines

    def sweep(self, now: float) -> None:
        """Whoever kept us waiting too long is refused, or gone."""
        if self._unsent or self.transport.get_write_buffer_size():
            self._look_at_reader(now)
            return
        cycle = self.cycle
        if cycle is None:
            self.http.forget()
        if self.deadline > now:
            return
        if not (self._closing or self.ended) and readable(self.fileno):
            return  # it was in time, we weren't
        if cycle is None and self.head and not self.http.empty and not self._closing:
            self.refuse(408)
        elif cycle is None or self._closing or cycle.response.status:
            self.abort()
        else:
            cycle.over = True
            self.ended = True
            self.refuse(408)
            self.waiters.wake()

    def _look_at_reader(self, now: float) -> None:
        """Something waits for the client: has it taken any since we last looked?"""
        left, changed = self.look_at_unsent()
        timeouts = self.server.service.timeouts
        if not left:
            if self._closing:
                self.deadline = now + timeouts.linger
        elif changed:
            self._stalled_at = now + timeouts.write
        elif self._stalled_at <= now:
            self.abort()

    @property
    def waits_since(self) -> float:
        """Since when it has no request to work at; infinite if it has one."""
        if self.cycle is not None or self._closing or self.full:
            return _NEVER
        timeouts = self.server.service.timeouts
        return self.deadline - (timeouts.header if self.head else timeouts.keepalive)

    def excuse(self, seconds: float) -> None:
        """We were away for so long: that is not held against who sends a body."""
        cycle = self.cycle
        if cycle is not None and not cycle.request.complete:
            self._body_at += seconds
            self.deadline += seconds

    def retire(self, idle_until: float) -> None:
        """The worker drains: who is idle waits less long for the next request."""
        self.draining = True
        if self.cycle is None and self.http.empty:
            self.deadline = min(self.deadline, idle_until)

    def told_to_leave(self) -> None:
        """The worker leaves soon: a stream without end is to end."""
        if self.cycle is None:
            self.close()
        else:
            self.ended = True
            self.waiters.wake()

    # Ending

    def refuse(self, status: int) -> None:
        """Answer a broken request, and close."""
        response = Response(NO_REQUEST)
        response.keep_alive = False
        response.status = status
        lines = self.server.service.gateway.common.lines
        answer = refusal(status, lines)
        response.sent = len(answer) - answer.index(b"\r\n\r\n") - 4
        self.transport.write(answer)
        finished = self.server.service.finished
        if finished is not None:
            finished(None, response, None, self.peer, 0.0)
        self.http.surplus = True
        self.close()

    def close(self) -> None:
        """
        Close behind our last byte, without a reset that would overtake it.

        A socket that is closed with bytes unread sends RST, and the peer may then
        lose our response (RFC 9112, 9.6). So: end our side, read what still comes,
        bounded by a deadline.
        """
        if self._closing or self.gone:
            return
        self._closing = True
        http = self.http
        self._resume()
        if http.eof or (http.error is None and http.empty_behind and not self._unread):
            self.transport.close()
            self.deadline = time.monotonic() + self.server.service.timeouts.write
            return
        self.end_writing()
        self.deadline = time.monotonic() + self.server.service.timeouts.linger

    @property
    def _unread(self) -> bool:
        return self.cycle is not None and not self.cycle.request.complete
