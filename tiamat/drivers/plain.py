"""
Who speaks plain HTTP to an address with TLS: told so, or sent to https.

No application hears of it, and nothing else is ever said in plain text there.
"""

import socket
import time
from typing import Final

from tiamat.drivers.opening import Opening, Owner
from tiamat.drivers.service import ASGIService, WSGIService
from tiamat.protocol.http1 import NO_REQUEST, Connection
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response
from tiamat.protocol.status import REASONS

_READ_SIZE: Final = 4096

TEXT: Final = b"This address speaks TLS: ask for https://\n"


class PlainHTTP:
    """
    What such connections of a worker have in common.

    Args:
        service: That of the connections with TLS.
        redirect: Send them to https; else they are told what they have done.
    """

    def __init__(
        self, service: WSGIService | ASGIService, *, redirect: bool = False
    ) -> None:
        self.service = service
        self.redirect = redirect

    def begin(self, owner: Owner, opening: Opening) -> None:
        """Somebody does so."""
        PlainConnection(owner, opening, self).begin()

    def answer(self, request: Request | None, peer: tuple[str, str]) -> bytes:
        """The whole response to a request, or to what is none."""
        location = b""
        if self.redirect and request is not None and request.target[:1] == b"/":
            host = request.fields.get(b"host", b"")
            location = b"https://%s%s" % (host, request.target) if host else b""
        response = Response(NO_REQUEST)
        response.keep_alive = False
        response.status = status = 308 if location else 400
        response.sent = len(TEXT)
        if self.service.finished is not None:
            self.service.finished(None, response, None, peer, 0.0)
        return b"HTTP/1.1 %d %s\r\n%s%s%s\r\n%s" % (
            status,
            REASONS[status].encode(),
            self.service.gateway.common.lines,
            b"Location: %s\r\n" % location if location else b"",
            b"Content-Type: text/plain\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n" % len(TEXT),
            TEXT,
        )


class PlainConnection(Opening):
    """One of them: its head is read, answered, and then what follows is, to the end."""

    __slots__ = ("_answered", "_http", "_plain")

    def __init__(self, owner: Owner, opening: Opening, plain: PlainHTTP) -> None:
        super().__init__(
            owner, opening.opener, opening.sock, opening.address, opening.base
        )
        self.deadline = opening.deadline
        service = plain.service
        self._plain = plain
        self._http = Connection(service.limits, service.parser, service.names)
        self._answered = False

    def begin(self) -> None:
        """Look at what is here, and wait for more."""
        self.look()
        if not self.over:
            self._owner.wait_for(self)

    def look(self) -> None:
        """Something came."""
        try:
            data = self.sock.recv(_READ_SIZE)
            if not data:
                self.abort()
            elif not self._answered:
                self._take_head(data)
        except BlockingIOError:
            return
        except OSError:
            self.abort()

    def _take_head(self, data: bytes) -> None:
        http = self._http
        http.receive_data(data)
        if http.requests or http.error is not None or not self._plain.redirect:
            peer = self.address
            named = (peer[0], str(peer[1])) if isinstance(peer, tuple) else ("", "")
            self._answered = True
            request = http.requests[0] if http.requests else None
            self.sock.send(self._plain.answer(request, named))
            # Else a reset would overtake that (RFC 9112, 9.6).
            self.sock.shutdown(socket.SHUT_WR)
            self.deadline = time.monotonic() + self._plain.service.timeouts.linger
