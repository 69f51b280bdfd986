"""
One connection of a loop whose application waits itself: for a body, for a reader.

Between requests it costs what any connection of a selector loop does. When a head
is here, a server (a greenlet) runs the application for it, straight on: the body of
the request comes while the application reads it, and no faster, and what it writes
is with the kernel when ``write`` returns. Whoever waits lets others run meanwhile.
"""

import math
import socket
from bisect import bisect_left
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tiamat.drivers.incoming import BODY_READ_SIZE, drain, receive_more
from tiamat.drivers.outgoing import send_part
from tiamat.drivers.queued import QueuedConnection
from tiamat.drivers.transport import IDLE, WRITE, Wait
from tiamat.gateways.faults import method_and_path
from tiamat.gateways.wsgi import WSGIResponse
from tiamat.gateways.wsgi_input import StreamedInput
from tiamat.protocol.errors import ProtocolError
from tiamat.protocol.http1 import NO_REQUEST
from tiamat.protocol.request import Request
from tiamat.system.poller import IN, OUT
from tiamat.system.scoreboard import BOUNDS, LENGTHS
from tiamat.types import Environ

if TYPE_CHECKING:
    from tiamat.drivers.host import Host

_SENDFILE: Final = 1 << 30


class BlockingConnection(QueuedConnection):
    """
    An accepted socket and the protocol state on it, as gateways write to it.

    Attributes:
        began: When the request in the application began; 0.0 is none.
        told: Of which of them, by ``began``, it was told that it takes long.
        read_at: When the last read of a body ended.
        request: The one that is in the application, or was last.
        server: What runs the application for it.
        waiter: Who waits for the socket.
        expired: It kept the waiter waiting too long.
    """

    __slots__ = (
        "began", "expired", "read_at", "request", "server", "told", "waiter",
    )  # fmt: skip

    streams: ClassVar[bool] = True
    loop: "Host"

    def __init__(
        self,
        loop: "Host",
        sock: socket.socket,
        peer: tuple[str, str],
        base: Environ,
    ) -> None:
        super().__init__(loop, sock, peer, base)
        self.began = 0.0
        self.told = 0.0
        self.read_at = 0.0
        self.request = NO_REQUEST
        self.server: Any = None
        self.waiter: Any = None
        self.expired = False

    def __str__(self) -> str:
        """Its request, as the log calls it."""
        return method_and_path(self.request)

    # Waiting

    def wait_for(self, mask: int, wait: Wait, deadline: float) -> None:
        """
        Let others run until the socket is ready, or for nothing.

        Who waits for its client takes nobody's place in the application: else as
        many slow clients as there are places would lock everybody out.
        """
        loop = self.loop
        self.wait = wait
        self.deadline = deadline
        self.waiter = loop.current()
        loop.begin_wait()
        try:
            if self.disarmed or self.mask != mask:
                loop.watch(self, mask)
            loop.rest()
        finally:
            loop.waiting -= 1
            self.waiter = None
            self.deadline = math.inf

    def receive(self, wait: Wait, timeout: float) -> bytes:
        """
        What comes next; nothing is the end.

        It waits first: who reads on and on must let others run, too.
        """
        deadline = self.loop.clock() + timeout
        while True:
            self.wait_for(IN, wait, deadline)
            try:
                return self.sock.recv(BODY_READ_SIZE)
            except BlockingIOError:
                continue
            except OSError:
                return b""

    def expire(self) -> None:
        """Its peer kept us waiting too long: end the wait."""
        if not self.taken:
            super().expire()
        elif self.waiter is not None:
            self.expired = True
            self.deadline = math.inf
            if self.wait is WRITE:
                self.broken = True
            with suppress(OSError):
                self.sock.shutdown(
                    socket.SHUT_RDWR if self.wait is WRITE else socket.SHUT_RD
                )

    # Serving

    def wait_for_more(self) -> None:
        """Nothing complete is here: have its application called, or wait."""
        if not self.http.requests:
            super().wait_for_more()
        elif not self.taken:  # else its server looks
            self.loop.ready.append(self)

    def serve(self, request: Request) -> None:
        """
        Run the application on a request, of which the head is here.

        Hot: once per request.
        """
        loop = self.loop
        response = WSGIResponse(request)
        if not loop.always_keeps and not loop.keeps_alive(self):
            response.keep_alive = False
        began = self.began = loop.now
        self.request = request
        loop.note(began, began, request.head)
        try:
            if request.complete:
                environ = loop.environ(request, self.base, self.peer)
            else:
                environ = self._streamed(request, response)
        except ProtocolError as error:
            self.began = 0.0
            self._refuse_for(error)
            return
        loop.handle(response, self, environ)
        self.began = 0.0
        now = loop.now = loop.clock()
        if now >= loop.refresh_at:
            loop.refresh()
        loop.handled += 1
        seconds = now - began
        loop.seconds += seconds
        loop.tally[response.status // 100 * LENGTHS + bisect_left(BOUNDS, seconds)] += 1
        http = self.http
        if (
            response.keep_alive
            and http.quiet
            and not (loop.reports or http.requests or self.broken)
        ):
            self.wait = IDLE
            self.deadline = now + loop.keepalive
            self.request = NO_REQUEST  # an idle connection keeps nothing of it
            return
        self.closing = not response.keep_alive or self.broken
        if loop.reports:
            self._report((request, response, environ, began))
        self.closing = self.closing or not (request.complete or drain(self, request))
        self.responded()

    def _streamed(self, request: Request, response: WSGIResponse) -> Environ:
        """The environ of a request whose body is on its way."""
        body, request.body = request.body, None
        environ = self.loop.environ(request, self.base, self.peer)
        request.body = body
        if self.http.error is not None:
            raise self.http.error
        if request.expect_continue or not request.near_end:
            # RFC 9110, 10.1.1: behind a final response nobody knows whether the
            # body comes; the first read changes that.
            response.keep_alive = False
        self.body_at = self.read_at = self.began
        more = partial(receive_more, self, request, response)
        environ["wsgi.input"] = StreamedInput(request, more)
        return environ

    # Writing

    def interject(self, data: bytes) -> None:
        """Send a few bytes of our own; nobody waits until they are taken."""
        try:
            self.broken = self.broken or self.sock.send(data) != len(data)
        except OSError:
            self.broken = True

    def _put(self, data: memoryview) -> None:
        """Send what the socket did not take; each piece is a sign of life."""
        loop = self.loop
        timeout = loop.service.timeouts.write
        while data and not self.broken:
            self.wait_for(OUT, WRITE, loop.clock() + timeout)
            try:
                data = data[self.sock.send(data) :]
            except BlockingIOError:
                continue
            except OSError:
                self.broken = True

    def write_file(self, fileno: int, offset: int, count: int) -> None:
        """Have the kernel send a part of a file, and wait until it has."""
        loop = self.loop
        timeout = loop.service.timeouts.write
        while count and not self.broken:
            try:
                sent = send_part(self.sock, fileno, offset, min(count, _SENDFILE))
            except BlockingIOError:
                self.wait_for(OUT, WRITE, loop.clock() + timeout)
                continue
            except OSError:
                self.broken = True
                break
            if not sent:  # the file became shorter
                self.broken = True
            offset += sent
            count -= sent

    def detach(self) -> socket.socket:
        """
        Leave the connection to the application, until that ends.

        The socket is one of whatever ``socket.socket`` is here: in a patched
        process, gevent's.
        """
        self.broken = True
        self.loop.unwatch(self)
        if release := getattr(self.sock, "release", None):  # TLS
            return release(socket.socket)  # type: ignore[no-any-return]
        sock = socket.socket(fileno=self.sock.detach())
        sock.setblocking(True)
        self.sock = sock
        return sock

    # Ending

    def said_farewell(self) -> bool:
        """Whether all is said; a server waits until it is."""
        if self.broken or not self.taken:
            return super().said_farewell()
        if farewell := getattr(self.sock, "farewell", None):
            until = self.loop.clock() + self.loop.service.timeouts.write
            while not farewell():
                self.wait_for(OUT, WRITE, until)
                if self.expired:
                    break
        return True

    def close_slowly(self) -> None:
        """See to it that no reset overtakes our last byte, though a body comes."""
        if not self.request.complete:
            self.http.surplus = True
        super().close_slowly()
