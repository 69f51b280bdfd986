"""
One connection from its start to its end, in a greenlet or thread of its own.

Reading and writing wait, so a request is a straight line: receive, answer, again.
The body of a request comes while the application reads it, and no faster. Who waits
is found by others: deadlines are numbers on the connections, looked at once a second,
and a connection whose patience is over has its socket shut down, which ends the wait
of its greenlet whatever that is.

What waits is a socket's ``recv`` or ``send``; of which kind it is nobody knows here.
"""

import math
import socket
from contextlib import suppress
from functools import partial
from typing import Final

from tiamat.drivers.host import Host
from tiamat.drivers.transport import BODY, HEAD, IDLE, LINGER
from tiamat.drivers.waiting import BlockingTransport, Socket
from tiamat.gateways.wsgi import WSGIResponse, method_and_path
from tiamat.gateways.wsgi_input import (
    BodyRefused,
    BodyTimeout,
    ClientDisconnected,
    StreamedInput,
)
from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.http1 import NO_REQUEST, Connection
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response, refusal
from tiamat.types import Environ

READ_SIZE: Final = 16384

_BODY_READ_SIZE: Final = 65536

# A body that the application left unread is read up to this, to keep the connection.
_DRAINED: Final = 262144


class BlockingConnection(BlockingTransport):
    """
    An accepted socket and the protocol state on it, as gateways write to it.

    Attributes:
        base: What the environs on its listener have in common.
        http: What came, as requests.
        began: When the request in the application began; 0.0 is none.
        told: Of which of them, by ``began``, it was told that it takes long.
        request: The last request that went to the application.
    """

    __slots__ = ("base", "began", "http", "request", "told")

    def __init__(
        self, host: Host, sock: Socket, peer: tuple[str, str], base: Environ
    ) -> None:
        super().__init__(host, sock, peer)
        service = host.service
        self.base = base
        self.http = Connection(service.limits, service.parser, service.names)
        self.began = 0.0
        self.told = 0.0
        self.request = NO_REQUEST

    def run(self) -> None:
        """Serve until it ends; a mistake of ours ends this connection only."""
        try:
            self.serve_all()
        except OSError:
            pass  # the peer has gone, or was given up
        except Exception as error:
            self.host.service.log.error("a connection failed", exc_info=error)
        finally:
            self.sock.close()
            self.host.connections.pop(self, None)

    def serve_all(self) -> None:
        """
        Receive and answer, until either side has enough.

        Hot: its loop, once per request.
        """
        http = self.http
        requests = http.requests
        receive = self.sock.recv
        while data := receive(READ_SIZE):
            http.receive_data(data)
            while requests:
                if not self.serve(requests.pop(0)):
                    self.close_slowly()
                    return
                if not http.quiet:
                    http.resume()
            if http.error is not None:
                self._refuse_for(http.error)
                return
            if self.wait is IDLE and not http.quiet:
                self.wait = HEAD
                self.deadline = self.host.clock() + self.host.service.timeouts.header
        if self.expired and self.wait is HEAD and not http.empty:
            self._refuse(408)

    # Serving

    def serve(self, request: Request) -> bool:
        """
        Answer one request when it is its turn; whether the connection goes on.

        Hot: once per request.
        """
        host = self.host
        self.deadline = math.inf
        if host.active < host.busiest:
            host.active += 1
        else:
            host.wait_for_turn()
        began = host.now = host.clock()
        if began >= host.refresh_at:
            host.refresh(began)
        self.began = began
        self.request = request
        host.note(began, began, request.head)
        try:
            going_on = self._answer(request, began)
        finally:
            self.began = 0.0
            if host.pressed:
                host.give_turn()
            else:
                host.active -= 1
        if not going_on or (not request.complete and not self._drain(request)):
            return False
        self.wait = IDLE
        self.deadline = host.clock() + host.keepalive
        return True

    def _answer(self, request: Request, began: float) -> bool:
        """
        Run the application; whether its response leaves the connection open.

        Hot: once per request.
        """
        host = self.host
        response = WSGIResponse(request)
        if not host.keeps:
            response.keep_alive = False
        try:
            if request.complete:
                environ = host.environ(request, self.base, self.peer)
            else:
                environ = self._streamed(request, response)
        except ProtocolError as error:
            self._refuse_for(error)
            return False
        host.handle(response, self, environ)
        host.handled += 1
        if response.status >= 500:
            host.errors += 1
        if host.handled >= host.enough:
            host.had_enough()
        if host.reports:
            self._report(request, response, environ, began)
        return response.keep_alive and not self.broken

    def _streamed(self, request: Request, response: WSGIResponse) -> Environ:
        """The environ of a request whose body is on its way."""
        body, request.body = request.body, None
        environ = self.host.environ(request, self.base, self.peer)
        request.body = body
        if self.http.error is not None:
            raise self.http.error
        if request.expect_continue:
            # RFC 9110, 10.1.1: behind a final response nobody knows whether the
            # body comes; the first read changes that.
            response.keep_alive = False
        more = partial(self._receive_body, request, response)
        environ["wsgi.input"] = StreamedInput(request, more)
        return environ

    def _receive_body(self, request: Request, response: WSGIResponse) -> None:
        """
        Wait until more of a body has come.

        Raises:
            BodyError: It never will.
        """
        http = self.http
        if request.expect_continue:
            request.expect_continue = False
            if request.body is None and not response.status:
                response.keep_alive = request.keep_alive and self.host.keeps
                self.write(Response(request).interim(100))
        if http.error is None and not http.eof and not self.broken:
            self.wait = BODY
            self.deadline = self.host.clock() + self.host.service.timeouts.body
            try:
                data = self.sock.recv(_BODY_READ_SIZE)
            except OSError:
                data = b""
            self.deadline = math.inf
            if data:
                http.receive_data(data)
            else:
                http.receive_eof()
        if http.error is not None:
            raise BodyRefused(http.error)
        if self.expired:
            raise BodyTimeout("the body did not come in time (body_timeout)")
        if http.eof or self.broken:
            raise ClientDisconnected("the client has gone before the end of the body")

    def _drain(self, request: Request) -> bool:
        """
        Read what the application left of a body, if that is little and comes soon.

        Returns:
            Whether the next byte is that of another request.
        """
        until = self.host.clock() + self.host.service.timeouts.linger
        if request.expect_continue or request.length - request.body_size > _DRAINED:
            return False
        start = request.body_size
        try:
            while not request.complete and request.body_size - start <= _DRAINED:
                if request.body is not None:
                    request.body.take()
                self.wait, self.deadline = LINGER, until
                http = self.http
                data = self.sock.recv(_BODY_READ_SIZE)
                if not data:
                    return False
                http.receive_data(data)
                if http.error is not None:
                    return False
        finally:
            if request.body is not None:
                request.body.take()
        return request.complete

    def _report(
        self,
        request: Request | None,
        response: Response,
        environ: Environ | None,
        began: float,
    ) -> None:
        """Tell who wants to know; what fails there is not the connection's fault."""
        finished = self.host.service.finished
        if finished is None:
            return
        seconds = self.host.clock() - began
        try:
            finished(request, response, environ, self.peer, seconds)
        except Exception as error:
            self.host.service.log.error("can't log a request", exc_info=error)

    def _refuse_for(self, error: ProtocolError) -> None:
        self.host.service.log.debug("request from %s refused: %s", self.peer[0], error)
        self._refuse(error.status)

    def _refuse(self, status: int) -> None:
        """Answer what broke the protocol, and close."""
        data = refusal(status, self.host.common.lines)
        self.write(data)
        if self.host.reports:
            response = Response(NO_REQUEST)
            response.status = status
            response.sent = len(data.partition(b"\r\n\r\n")[2])
            self._report(None, response, None, self.host.clock())
        self.http.surplus = True
        self.close_slowly()

    # Ending

    def close_slowly(self) -> None:
        """
        See to it that no reset overtakes our last byte (RFC 9112, 9.6).

        A socket that is closed with bytes unread sends RST. So: end our side, and
        read what still comes, for a bounded time.
        """
        http = self.http
        if self.broken or self.expired or http.eof:
            return
        if http.error is None and http.empty_behind and self.request.complete:
            return
        self.wait = LINGER
        self.deadline = self.host.clock() + self.host.service.timeouts.linger
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
            while self.sock.recv(_BODY_READ_SIZE):
                pass

    def __str__(self) -> str:
        """Its request, as the log calls it."""
        return method_and_path(self.request)
