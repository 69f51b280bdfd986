"""
One connection of the selector loop: socket ⇄ protocol ⇄ gateway.

Complete requests only: a slow sender costs a descriptor and a few kilobytes,
never the worker. A slow reader neither: what it doesn't take waits outside the
application. Requests of one connection are answered in order, one at a time.
"""

import socket
from bisect import bisect_left
from typing import BinaryIO, ClassVar, Final, TypeAlias

from tiamat.drivers.transport import (
    BODY,
    HEAD,
    IDLE,
    LINGER,
    WRITE,
    Loop,
    SocketTransport,
)
from tiamat.gateways.wsgi import WSGIResponse
from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.http1 import NO_REQUEST
from tiamat.protocol.request import Body, Request
from tiamat.protocol.response import Response, refusal
from tiamat.system.poller import IN, OUT
from tiamat.system.scoreboard import BOUNDS, LENGTHS
from tiamat.system.spool import spool_file, write_all
from tiamat.types import Environ

# A request, its response and environ, and when it began; a refusal has but those.
Reported: TypeAlias = tuple[Request | None, Response, Environ | None, float]

# A request's body waits in memory up to here, then in a file.
_BODY_MEMORY: Final = 65536


class EventedConnection(SocketTransport):
    """
    An accepted socket and the protocol state on it.

    Attributes:
        base: What the environs on its listener have in common.
        body_at: Since when we read a body, had we done nothing else meanwhile.
        http: What came, as requests.
        closing: It ends behind the response that is on its way.
        reported: What is to be told when the last byte is with the kernel.
        taken: Somebody else serves it, or is to: a thread of a pool, or a greenlet.
        streams: Its application is called when the head is here, and waits for the
            body itself.
    """

    __slots__ = ("base", "body_at", "closing", "http", "reported", "taken")

    streams: ClassVar[bool] = False

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        peer: tuple[str, str],
        base: Environ,
    ) -> None:
        super().__init__(loop, sock, peer)
        service = loop.service
        self.base = base
        self.body_at = 0.0
        self.http = service.protocol(service.limits, service.parser, service.names)
        self.http.holds_upgrades = True
        self.closing = False
        self.reported: Reported | None = None
        self.taken = False

    # Reading

    @property
    def servable(self) -> bool:
        """A complete request waits for us, and nothing stands before its response."""
        requests = self.http.requests
        return self.out is None and bool(requests) and requests[0].complete

    def on_received(self, data: bytes) -> None:
        """
        Take what came; empty is the end. It is served when all have been taken.

        Hot: once per request.
        """
        if self.wait is LINGER:
            if not data:
                self.abort()
            return
        http = self.http
        if data:
            http.receive_data(data)
        else:
            http.receive_eof()
        requests = http.requests
        if requests and requests[0].complete and self.out is None:
            self.loop.ready.append(self)
        else:
            self.wait_for_more()

    def wait_for_more(self) -> None:
        """Nothing to serve yet: refuse, close, or wait for the rest."""
        http = self.http
        if self.out is not None:
            return  # the response comes first; on_writable looks again
        request = http.requests[0] if http.requests else None
        if request is not None and request.complete:
            self.loop.ready.append(self)
        elif http.error is not None:
            self._refuse_for(http.error)
        elif http.eof:
            self.abort()
        elif request is not None:
            self._receive_body(request)
        elif self.wait is IDLE and not http.empty:
            self.wait_until(HEAD, self.loop.service.timeouts.header)

    def _receive_body(self, request: Request) -> None:
        """Bytes of a body came, or are to come."""
        now = self.loop.now
        if self.wait is not BODY:
            self.wait = BODY
            self.body_at = now
        timeouts = self.loop.service.timeouts
        self.deadline = min(
            now + timeouts.body, self.body_at + timeouts.allowed(request.body_size)
        )
        body = request.body
        if body is None:
            if request.expect_continue:
                request.expect_continue = False
                self.write(Response(request).interim(100))
        elif body.waiting > _BODY_MEMORY or body.file is not None:
            try:
                if body.file is None:
                    body.file = spool_file(self.loop.service.spool_directory)
                write_all(body.file, body.take())
            except OSError as error:
                self._refuse_for(error)

    def _refuse_for(self, error: ProtocolError | OSError) -> None:
        """Refuse for a fault of the peer, or for want of room on the disk."""
        if isinstance(error, ProtocolError):
            self.loop.service.log.debug(
                "request from %s refused: %s", self.peer[0], error
            )
            self.refuse(error.status)
            return
        self.loop.service.log.warning("can't spool a body: %s", error.strerror)
        self.refuse(503)

    def refuse(self, status: int) -> None:
        """Answer what broke the protocol, and close."""
        data = refusal(status, self.loop.common.lines)
        self.interject(data)
        if self.loop.reports:
            response = Response(NO_REQUEST)
            response.status = status
            response.sent = len(data.partition(b"\r\n\r\n")[2])
            self._report((None, response, None, self.loop.now))
        self.closing = True
        if self.out is None:
            self.close_slowly()

    # Serving

    def serve(self, request: Request) -> None:
        """
        Run the application on one complete request.

        Hot: once per request.
        """
        loop = self.loop
        response = WSGIResponse(request)
        if not loop.always_keeps and not loop.keeps_alive(self):
            response.keep_alive = False
        began = loop.now
        loop.note(began, began, request.head)
        spool = None
        try:
            if request.body is not None:
                spool = finish_spool(request.body)
            environ = loop.environ(request, self.base, self.peer)
        except (ProtocolError, OSError) as error:
            discard_body(request)
            self._refuse_for(error)
            return
        loop.handle(response, self, environ)
        now = loop.now = loop.clock()
        if now >= loop.refresh_at:
            loop.refresh()
        loop.handled += 1
        seconds = now - began
        loop.seconds += seconds
        loop.tally[response.status // 100 * LENGTHS + bisect_left(BOUNDS, seconds)] += 1
        if spool is not None:
            spool.close()
        http = self.http
        if (
            response.keep_alive
            and http.quiet
            and self.out is None
            and not (loop.reports or http.requests or self.broken)
        ):
            self.wait = IDLE
            self.deadline = now + loop.keepalive
            return
        self.closing = not response.keep_alive or self.broken
        if loop.reports:
            self.reported = (request, response, environ, began)
        if self.out is None:
            self.responded()

    def responded(self) -> None:
        """
        The last byte of a response is with the kernel: what next?
        """
        if self.reported is not None:
            self._report(self.reported)
        if self.closing:
            self.close_slowly()
            return
        http = self.http
        if http.requests or not http.quiet:
            http.resume()
            if http.holding != self.muted:
                self.muted = http.holding
                self.loop.watch(self, 0 if self.muted else IN)
            self.wait_until(HEAD, self.loop.service.timeouts.header)
            self.wait_for_more()
            return
        self.wait = IDLE
        self.deadline = self.loop.now + self.loop.keepalive

    def _report(self, reported: Reported) -> None:
        """Tell who wants to know; what fails there is not the connection's fault."""
        request, response, environ, began = reported
        self.reported = None
        finished = self.loop.service.finished
        if finished is None:
            return
        seconds = self.loop.clock() - began
        try:
            finished(request, response, environ, self.peer, seconds)
        except Exception as error:
            self.loop.service.log.error("can't log a request", exc_info=error)

    def early(self) -> bytes:
        """What came behind an upgrade, for the application that takes it."""
        return self.http.take_held()

    # Writing

    def on_writable(self) -> None:
        """The peer took something: send more."""
        out = self.out
        if out is None:
            self._flush_tls()
            return
        self.wait_until(WRITE, self.loop.service.timeouts.write)
        try:
            done = out.send(self.sock)
        except BlockingIOError:
            return
        except OSError:
            self.abort()
            return
        if done:
            self.all_sent()
            self.responded()

    def _flush_tls(self) -> None:
        """The socket takes the rest of a handshake, or of a farewell."""
        try:
            if not self.sock.flush():  # type: ignore[attr-defined]
                return
        except OSError:
            self.abort()
            return
        if self.closing:
            self.close_slowly()
        else:
            self.loop.watch(self, IN)

    # Ending

    def excuse(self, seconds: float) -> None:
        """We were away for so long: that is not held against who sends a body."""
        if self.wait is BODY:
            self.body_at += seconds
            self.deadline += seconds

    def expire(self) -> None:
        """Its peer kept us waiting too long."""
        if self.servable:
            return  # it waits for us
        begun = self.http.requests or not self.http.empty
        if self.wait in (HEAD, BODY) and begun:
            self.refuse(408)
        elif self.wait is IDLE:
            self.close_slowly()
        else:
            self.abort()

    def said_farewell(self) -> bool:
        """Whether all is said, also what TLS has to say; else it comes back here."""
        if self.broken or not (farewell := getattr(self.sock, "farewell", None)):
            return True
        if not farewell():
            self.closing = True
            self.wait_until(WRITE, self.loop.service.timeouts.write)
            self.loop.watch(self, OUT)
            return False
        return True

    def close_slowly(self) -> None:
        """
        Close behind our last byte, without a reset that would overtake it.

        A socket that is closed with bytes unread sends RST, and the peer may
        then lose our response (RFC 9112, 9.6). So: end our side, read what
        still comes, bounded by a deadline, while others are served.
        """
        http = self.http
        if not self.said_farewell():
            return
        if self.broken or http.eof or (http.error is None and http.empty_behind):
            self.abort()
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort()
            return
        self.wait_until(LINGER, self.loop.service.timeouts.linger)
        self.loop.watch(self, IN)

    def abort(self) -> None:
        """Close now."""
        if self.reported is not None:
            self._report(self.reported)
        for request in self.http.requests:
            discard_body(request)
        self.http.requests.clear()
        if self.out is not None:
            self.out.close()
            self.out = None
        self.loop.forget(self)
        self.sock.close()


def finish_spool(body: Body) -> BinaryIO | None:
    """The file of a complete body, at its first byte; None if it is in memory."""
    if body.file is not None:
        write_all(body.file, body.take())
        body.file.seek(0)
    return body.file


def discard_body(request: Request) -> None:
    """Give back the file of a body that nobody will read."""
    if request.body is not None and request.body.file is not None:
        request.body.file.close()
