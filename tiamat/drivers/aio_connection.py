"""
One HTTP/1 connection on an asyncio loop: transport ⇄ protocol ⇄ gateway.

Bodies stream both ways: reading stops while the application has not taken what
came, and ``send`` waits while the reader has not taken what was sent.
"""

import asyncio
import math
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from tiamat.gateways.asgi import Cycle, Disconnected
from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.http1 import NO_REQUEST, Connection
from tiamat.protocol.response import Response, refusal
from tiamat.types import Scope

if TYPE_CHECKING:
    from tiamat.drivers.aio import AioServer
    from tiamat.protocol.request import Request

# Bytes of a body that may wait for the application before reading stops.
_BODY_WAITING: Final = 65536

# A body that nobody has read is taken to its end up to here, so that the
# connection can go on; a longer one costs the connection.
_UNREAD: Final = 262144

# One call sends so much of a file, so that others get their turn.
_SLICE: Final = 1 << 20

_NEVER: Final = math.inf


class AioConnection(asyncio.Protocol):
    """
    An accepted transport and the protocol state on it.

    Attributes:
        http: What came, as requests.
        base: What the scopes on its listener have in common.
        peer, client: Its address, for logs and for scopes.
        cycle: The request that is being answered; None between two.
        gone: Nothing can be sent any more.
        ended: The peer sends no more, or what it sent is broken.
        full: The transport holds more than its high mark.
        deadline: Point on the monotonic clock at which our patience ends.
        head: Whether that is for a head, which gets a 408.
    """

    __slots__ = (
        "_began", "_closing", "_paused", "_unsent", "_waiters", "base", "client",
        "cycle", "deadline", "ended", "full", "gone", "head", "http", "peer", "server",
        "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, server: "AioServer", base: Scope, name: Any) -> None:
        service = server.service
        self.server = server
        self.base = base
        self.http = Connection(service.limits, service.parser, service.names)
        self.http.upgrades = service.begin_websocket is not None
        self.peer = ("", "")
        self.client: tuple[str, int] | None = None
        if isinstance(name, tuple):
            self.client = (name[0], name[1])
            self.peer = (name[0], str(name[1]))
        self.cycle: Cycle | None = None
        self.gone = False
        self.ended = False
        self.full = False
        self.head = True
        self.deadline = time.monotonic() + service.timeouts.header
        self._closing = False
        self._paused = False
        self._unsent = 0  # bytes that waited for the peer at the last sweep
        self._began = 0.0
        self._waiters: list[asyncio.Future[None]] = []

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none
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
        self.wake()
        if self.cycle is None and not self.http.requests:
            self.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.ended = True
        self.full = False
        self.deadline = _NEVER
        self.server.closed(self)
        self.wake()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self.wake()

    # Requests

    def begin(self, request: "Request") -> None:
        """
        Have the application answer *request*.

        Hot: once per request.
        """
        server = self.server
        if len(server.running) >= server.limit:
            self.http.requests.insert(0, request)
            self.deadline = _NEVER
            server.wait_for_turn(self)
            return
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
        if server.pre_request is not None:
            server.pre_request(request, scope)
        cycle = self.cycle = Cycle(service.gateway, self, request, scope)
        now = self._began = time.monotonic()
        server.note(now, now, request.head)
        server.running[cycle] = now
        self.deadline = _NEVER if request.complete else now + service.timeouts.body
        cycle.task = server.spawn(cycle.run(), context=server.context.copy())

    def _more_came(self, cycle: Cycle) -> None:
        """Something came while a request is being answered."""
        http = self.http
        request = cycle.request
        if http.error is not None and not request.complete:
            self._broken_body(cycle, http.error)
            return
        body = request.body
        if body is not None and body.waiting:
            if cycle.over:
                body.take()
            elif body.waiting > _BODY_WAITING and not request.complete:
                self._pause()
        if http.holding:
            self._pause()
        if not request.complete:
            self.deadline = time.monotonic() + self.server.service.timeouts.body
        elif self.deadline < _NEVER:
            self.deadline = _NEVER
        if self._waiters:
            self.wake()

    def _broken_body(self, cycle: Cycle, error: ProtocolError) -> None:
        """The rest of a body can't be read: refuse if there is no answer yet."""
        self.ended = True
        if cycle.response.status:
            self.abort()
        else:
            cycle.over = True
            self.refuse(error.status)
        self.wake()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self.deadline = _NEVER
            self.transport.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self.gone:
                self.transport.resume_reading()

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

    @property
    def draining(self) -> bool:
        """Whether the connection shall close behind the response that begins."""
        return self.server.draining or not self.server.service.timeouts.keepalive

    def write(self, *buffers: bytes) -> None:
        """Send, or have the transport keep what the socket doesn't take."""
        if len(buffers) == 1:
            self.transport.write(buffers[0])
        else:
            self.transport.writelines(buffers)

    def taken(self) -> None:
        """The application has taken what there was of a body."""
        if self._paused and not self.http.holding:
            self.deadline = time.monotonic() + self.server.service.timeouts.body
            self._resume()

    def responded(self, cycle: Cycle) -> None:
        """
        The last byte of a response is with the transport: what next?

        Hot: once per request.
        """
        server = self.server
        server.handled += 1
        response = cycle.response
        if response.status >= 500:
            server.errors += 1
        finished = server.service.finished
        now = time.monotonic()
        if finished is not None:
            self._report(cycle, now)
        if self._waiters:
            self.wake()  # of a receive() that waits for the end
        http = self.http
        if response.keep_alive and http.quiet and not http.requests:
            self.cycle = None
            self.head = False
            self.deadline = now + server.service.timeouts.keepalive
        elif not response.keep_alive:
            self.close()
        else:
            server.loop.call_soon(self.proceed)

    def left(self, cycle: Cycle) -> None:
        """The application has returned."""
        self.server.left(cycle)

    def proceed(self) -> None:
        """Begin the next request, when the body of the last one is out of the way."""
        if self.gone or self._closing:
            return
        http = self.http
        cycle = self.cycle
        if cycle is not None and not cycle.request.complete:
            request = cycle.request
            if request.body is not None:
                request.body.take()
            rest = request.length - request.body_size
            if rest > _UNREAD or self.ended or request.body_size > _UNREAD + (1 << 30):
                self.close()
                return
            self._resume()
            self.deadline = time.monotonic() + self.server.service.timeouts.body
            self.server.loop.call_later(0.05, self.proceed)
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

    async def more(self) -> None:
        """Wait until something came: of the body, or the end."""
        waiter = self.server.loop.create_future()
        self._waiters.append(waiter)
        await waiter

    async def drain(self) -> None:
        """Wait until the reader has taken enough."""
        while self.full and not self.gone:
            await self.more()
        if self.gone:
            raise Disconnected("the client has gone")

    def wake(self) -> None:
        """Let everybody look again who waits for something here."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def send_file(self, fileno: int, offset: int, count: int) -> None:
        """
        Have the kernel send a part of a file, behind what waits.

        Raises:
            Disconnected: The client has gone, or the file became shorter.
        """
        transport = self.transport
        transport.set_write_buffer_limits(high=0)
        try:
            while transport.get_write_buffer_size() and not self.gone:
                self.full = True
                await self.more()
            if self.gone:
                raise Disconnected("the client has gone")
            # The loop watches its own descriptor of the socket; we watch another.
            sock = os.dup(transport.get_extra_info("socket").fileno())
            try:
                await self._send_slices(sock, fileno, offset, count)
            finally:
                os.close(sock)
        finally:
            if not self.gone:
                transport.set_write_buffer_limits()

    async def _send_slices(
        self, sock: int, fileno: int, offset: int, count: int
    ) -> None:
        loop = self.server.loop
        while count:
            try:
                sent = os.sendfile(sock, fileno, offset, min(count, _SLICE))
            except BlockingIOError:
                writable = loop.create_future()
                loop.add_writer(sock, partial(_settle, writable))
                self.deadline = time.monotonic() + self.server.service.timeouts.write
                try:
                    await asyncio.wait(
                        (writable, asyncio.ensure_future(self.more())),
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                finally:
                    loop.remove_writer(sock)
                if self.gone:
                    raise Disconnected("the client has gone") from None
                continue
            except OSError as error:
                self.abort()
                raise Disconnected("the client has gone") from error
            if not sent:
                self.abort()
                raise Disconnected("the file became shorter while it was sent")
            offset += sent
            count -= sent
            self.deadline = _NEVER
            await asyncio.sleep(0)

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
        waiting = self.transport.get_write_buffer_size()
        if waiting:
            if waiting != self._unsent:
                self._unsent = waiting
                self.deadline = now + self.server.service.timeouts.write
            elif self.deadline <= now or self.deadline == _NEVER:
                self.abort()
            return
        self._unsent = 0
        if self.deadline > now:
            return
        cycle = self.cycle
        if cycle is None and self.head and not self.http.empty and not self._closing:
            self.refuse(408)
        elif cycle is None or self._closing or cycle.response.status:
            self.abort()
        else:
            cycle.over = True
            self.ended = True
            self.refuse(408)
            self.wake()

    def retire(self, idle_until: float) -> None:
        """An idle connection waits less long for its next request."""
        if self.cycle is None and self.http.empty:
            self.deadline = min(self.deadline, idle_until)

    def told_to_leave(self) -> None:
        """The worker leaves soon: a stream without end is to end."""
        if self.cycle is None:
            self.close()
        else:
            self.ended = True
            self.wake()

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
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
        self.deadline = time.monotonic() + self.server.service.timeouts.linger

    @property
    def _unread(self) -> bool:
        return self.cycle is not None and not self.cycle.request.complete

    def abort(self) -> None:
        """Close now."""
        self.transport.abort()


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
