"""
One WebSocket on an asyncio loop: transport ⇄ protocol ⇄ gateway.

It takes the transport over from the HTTP/1 connection that its handshake came on.
No timer and no event per message: pings and deadlines are the sweep's, and a
future is made only when the application waits.
"""

import time
from typing import TYPE_CHECKING, Final

from tiamat.drivers.flow import FlowControl
from tiamat.drivers.waiters import Waiters
from tiamat.gateways.asgi import ASGIGateway
from tiamat.gateways.asgi_websocket import Conversation
from tiamat.protocol.websocket import PING, WebSocket
from tiamat.system.scoreboard import cell

if TYPE_CHECKING:
    from tiamat.drivers.aio import AioServer
    from tiamat.drivers.aio_connection import AioConnection
    from tiamat.protocol.request import Request
    from tiamat.types import Scope

_NEVER: Final = float("inf")

_NO_PONG: Final = 1011
_RESTART: Final = 1012  # of IANA's registry: the client may come back at once


class AioWebSocket(FlowControl):
    """
    A WebSocket and the transport that it is on.

    Attributes:
        waits_since: Never: nobody closes it for want of room.
    """

    __slots__ = (
        "_asked", "_began", "_closing", "_due", "_heard", "_pinged_at", "_receivers",
        "_reported", "conversation", "socket",
    )  # fmt: skip

    waits_since = _NEVER

    conversation: Conversation

    def __init__(
        self, server: "AioServer", connection: "AioConnection", socket: WebSocket
    ) -> None:
        super().__init__(server)
        self.peer = connection.peer
        self.place = connection.place
        self.socket = socket
        self.transport = connection.transport
        self.full = connection.full
        self._began = time.monotonic()
        self._due = _NEVER  # when the sweep has something to do here
        self._asked = False  # there was a ping, and its time isn't over
        self._pinged_at = 0.0
        self._heard = False  # something came behind it
        self._closing = False  # what comes is read and dropped
        self._reported = False
        self._receivers = Waiters()
        server.closed(connection)
        server.opened(self)
        self.transport.set_protocol(self)
        # What the connection still held would have it stop reading behind our back.
        unread, connection.http.unread = connection.http.unread, b""
        if unread:
            socket.receive_data(unread)
            self._mute()
        else:
            self.transport.resume_reading()  # an earlier request may have stopped it

    def begin(self, request: "Request", scope: "Scope") -> None:
        """Run the application, or wait for the turn to."""
        self.conversation = Conversation(
            self.server.service.gateway, self, self.socket, request, scope
        )
        turns = self.server.turns
        if len(turns.running) < turns.room:
            self.take_turn()
        else:
            turns.wait(self)

    def take_turn(self) -> None:
        """There is room for a handshake in the application."""
        if self.gone:
            return
        server = self.server
        conversation = self.conversation
        if server.pre_request is not None:
            server.pre_request(conversation.request, conversation.scope)
        server.turns.running[conversation] = time.monotonic()
        conversation.task = server.spawn(
            conversation.run(), context=server.context.copy()
        )

    def turn_away(self, overloaded: ASGIGateway) -> None:
        """The handshake has waited too long for its turn: it is refused with 503."""
        if self.gone:
            return
        waited = self.conversation
        self.conversation = Conversation(
            overloaded, self, self.socket, waited.request, waited.scope
        )
        self.take_turn()

    # What the loop calls

    def data_received(self, data: bytes) -> None:
        """
        Take what came.

        Reading goes on as long as the application has taken what came before; so
        never more waits for it than two reads hold.

        Hot: once per message in the common case.
        """
        if self._closing:
            return  # it is read so that our last bytes aren't overtaken by a reset
        self._heard = True
        socket = self.socket
        behind = bool(socket.messages)
        socket.receive_data(data)
        if socket.reply or socket.finished:
            self._settle()
        if self._receivers and (socket.messages or socket.ended is not None):
            self._receivers.wake()
        if behind or not self.conversation.accepted:
            self._mute()

    def eof_received(self) -> None:
        """There is no half of a WebSocket: the transport closes."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._due = _NEVER
        self.socket.receive_eof()
        super().connection_lost(exc)
        self.server.lost(self)
        self._receivers.wake()

    def resume_writing(self) -> None:
        self.full = False
        self._settle()
        super().resume_writing()

    # What the conversation calls

    def write(self, data: bytes) -> None:
        """
        Send, or have the transport keep what the socket doesn't take.

        Hot: once per message. A socket that has failed shows only here to who sends
        without a break: the loop has no turn in which to tell of it.
        """
        if self.transport.is_closing():
            self.full = True  # who sends waits, and is told
            return
        self.transport.write(data)

    async def more(self) -> None:
        """
        Wait until something came.

        Hot: once per message. The application has taken all that there was.
        """
        socket = self.socket
        socket.resume()
        if self.paused:
            self.resume_reading()
        if socket.reply or socket.finished:
            self._settle()
        if not socket.messages and socket.ended is None:
            await self._receivers.wait(self.server.loop)

    def accepted(self) -> None:
        """The 101 is with the transport: from here on it needs no room."""
        self.server.turns.streams(self.conversation)
        interval = self.server.service.websocket.ping_interval
        self._due = time.monotonic() + interval if interval else _NEVER
        self._settle()
        if not self.socket.messages:
            self.resume_reading()
        if self.server.draining and self.socket.open:
            self.close(_RESTART, "")

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, and wait for the peer's part in it."""
        self.write(self.socket.close(code, reason))
        self._due = time.monotonic() + self.server.service.timeouts.linger
        self.resume_reading()
        self._receivers.wake()

    def responded(self) -> None:
        """A denial is complete: it is an ordinary response, and closes."""
        self._report()
        self.socket.receive_eof()
        self._shut()

    def left(self) -> None:
        """The application has returned."""
        self._report()
        self.server.turns.left(self.conversation)

    # Steps

    def _mute(self) -> None:
        if not self.paused and self.socket.ended is None:
            self.pause_reading()

    def _settle(self) -> None:
        """Send what the protocol answers by itself, and close if that was all."""
        socket = self.socket
        if socket.reply and (socket.finished or not self.full):
            reply, socket.reply = socket.reply, b""
            self.transport.write(reply)
        if socket.finished:
            self._shut()

    def _shut(self) -> None:
        """
        Close behind our last byte, without a reset that would overtake it.

        A socket that is closed with bytes unread sends RST, and the peer may then
        lose our close frame: who sent too much would never hear that it was.
        """
        if self._closing or self.gone:
            return
        self._closing = True
        self._due = time.monotonic() + self.server.service.timeouts.linger
        self.resume_reading()
        self._receivers.wake()
        self.end_writing()

    def _report(self) -> None:
        """Tell who wants to know; what fails there is not the client's fault."""
        server = self.server
        conversation = self.conversation
        response = conversation.response
        if self._reported or not response.status:
            return
        self._reported = True
        server.handled += 1
        if server.handled >= server.enough:
            server.had_enough()
        took = time.monotonic() - self._began
        server.tally[cell(response.status, took)] += 1
        if response.status != 101:
            server.seconds += took
        finished = server.service.finished
        if finished is None:
            return
        try:
            finished(
                conversation.request, response, conversation.scope, self.peer, took
            )
        except Exception as error:
            server.service.log.error("can't log a WebSocket", exc_info=error)

    # What the server calls

    def sweep(self, now: float) -> None:
        """Ping, close who doesn't answer, and drop who doesn't close."""
        if now < self._due:
            return
        waiting, takes = self.look_at_unsent()
        if not self.socket.open:
            if waiting and takes:
                self._due = now + self.server.service.timeouts.write
            else:
                self.transport.abort()
            return
        settings = self.server.service.websocket
        if self._asked and settings.ping_timeout:
            # While we don't read, or while it reads, a pong may be on its way.
            if not (self._heard or self.paused or (waiting and takes)):
                self.socket.fail(_NO_PONG, "no pong")
                self._settle()
                return
            self._asked = False
            self._due = self._pinged_at + settings.ping_interval
            if now < self._due:
                return
        self._asked = True
        self._heard = False
        self._pinged_at = now
        if not self.full:
            self.transport.write(PING)
        self._due = now + (settings.ping_timeout or settings.ping_interval)

    def retire(self, idle_until: float) -> None:
        """The worker goes: say so at once, and the client comes back to another."""
        if self.socket.open:
            self.close(_RESTART, "")
