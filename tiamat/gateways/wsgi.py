"""
WSGI: requests ⇄ applications, by PEP 3333.

The gateway knows no socket. It writes through a ``Transport``, which a driver
is: small things, whole buffers, and files by their descriptor.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from tiamat.gateways import faults, wsgi_socket
from tiamat.gateways.wsgi_file import FileWrapper, sendable
from tiamat.gateways.wsgi_input import BodyError
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.response import Response
from tiamat.protocol.status import REASONS
from tiamat.types import Environ, ExcInfo, WSGIApp

# A body up to this goes into one piece of memory with its head.
_SMALL: Final = 16384


class RequestEnded(BaseException):
    """
    Raised inside an application, whose request has taken too long: 503.

    No ``Exception``: applications catch those.
    """


class Transport(Protocol):
    """Where a response goes; ``broken`` if nobody is left to hear the rest."""

    broken: bool

    def write(self, *buffers: bytes) -> None: ...

    def write_file(self, fileno: int, offset: int, count: int) -> None: ...


class WSGIResponse(Response):
    """
    A response that a WSGI application starts.

    Attributes:
        transport: Where it goes.
        common: ``Server`` and ``Date``.
    """

    __slots__ = ("common", "transport")

    transport: Transport
    common: CommonHeaders

    def start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: ExcInfo | None = None,
    ) -> Callable[[bytes], object]:
        if exc_info:
            try:
                if self.status and exc_info[1] is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # a cycle through this frame otherwise
        elif self.said:
            raise AssertionError("start_response called twice without exc_info")
        self.said = status
        self.headers = headers
        return self.write

    def write(self, data: bytes) -> None:
        """Send *data* now, behind the head if that hasn't gone yet."""
        if not isinstance(data, bytes):
            raise TypeError(f"the application wrote {type(data).__name__}, not bytes")
        head = () if self.status else (self.head(-1),)
        buffers = (*head, *self.data(data))
        if buffers:
            self.transport.write(*buffers)

    def early_hints(self, headers: list[tuple[str, str]]) -> None:
        """``wsgi.early_hints``: send a 103 before the response (RFC 8297)."""
        hints = self.interim(103, headers)
        if hints:
            self.transport.write(hints)

    def head(self, size: int) -> bytes:
        """The head; *size* is the body's length where it is known, else -1."""
        return self.start(self.said, self.headers, self.common.lines, size)


class WSGIGateway:
    """
    Runs a WSGI application on complete requests; built once per worker.

    Args:
        app: The application.
        common: ``Server`` and ``Date``, kept fresh by whoever has a clock.
        log: Hears what the application does wrong.
        sendfile: Files of ``wsgi.file_wrapper`` are left to the driver.
        stopping: Whether a SystemExit is the worker's and not the application's.
    """

    def __init__(
        self,
        app: WSGIApp,
        common: CommonHeaders,
        log: faults.Log,
        *,
        sendfile: bool = True,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.app = app
        self.common = common
        self.log = log
        self._sendfile = sendfile
        self._stopping = stopping

    def run(
        self, response: WSGIResponse, transport: Transport, environ: Environ
    ) -> None:
        """
        Call the application and write what it answers, to the end.

        An exception before the head becomes a 500, after it a connection that
        closes; both are logged with method and path.

        Hot: once per request; the straight line is a list of one chunk.
        """
        response.transport = transport
        response.common = self.common
        environ["wsgi.early_hints"] = response.early_hints
        if "HTTP_UPGRADE" in environ:
            wsgi_socket.offer(environ, transport)
        try:
            body = self.app(environ, response.start_response)
            if (
                body.__class__ is list
                and len(body) == 1
                and len(body[0]) <= _SMALL
                and not response.status
            ):
                transport.write(
                    response.whole(
                        response.said, response.headers, self.common.lines, body[0]
                    )
                )
            else:
                self._run_slowly(body, response)
        except BaseException as error:
            if isinstance(error, SystemExit) and self._stopping():
                raise  # a signal handler's, not the application's
            if not (
                wsgi_socket.taken(environ, response)
                and isinstance(error, StopIteration)  # so libraries tell gunicorn
            ):
                self._failed(error, response)
        if response.faulty:
            faults.complain(self.log, response)

    def _run_slowly(self, body: Iterable[bytes], response: WSGIResponse) -> None:
        """Any iterable, which is closed whatever happens (PEP 3333)."""
        try:
            if not (isinstance(body, FileWrapper) and self._send_file(body, response)):
                self._send_chunks(body, response)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()

    def _send_chunks(self, body: Iterable[bytes], response: WSGIResponse) -> None:
        """Several chunks, a large one, or a generator that starts late."""
        transport = response.transport
        size = -1
        if isinstance(body, (list, tuple)) and len(body) < 2:
            size = len(body[0]) if body else 0
        for chunk in body:
            if transport.broken and response.status:
                return  # or who streams for ever would do so for nobody
            if not isinstance(chunk, bytes):
                raise TypeError(
                    f"the application gave {type(chunk).__name__}, not bytes"
                )
            if response.status:
                buffers = response.data(chunk)
                if buffers:
                    transport.write(*buffers)
            elif chunk:
                # PEP 3333: the head waits for the first non-empty string.
                head = response.head(size)
                transport.write(head, *response.data(chunk))
        if not response.status:
            transport.write(response.head(0))
        ending = response.end()
        if ending:
            transport.write(ending)

    def _send_file(self, wrapper: FileWrapper, response: WSGIResponse) -> bool:
        """Let the driver send a real file; False if it isn't one."""
        found = sendable(wrapper.filelike) if self._sendfile else None
        if found is None or response.status:
            return False
        fileno, offset, size = found
        response.transport.write(response.head(size))
        count = response.file(size)
        if count:
            response.transport.write_file(fileno, offset, count)
        response.end()
        return True

    def _failed(self, error: BaseException, response: WSGIResponse) -> None:
        """Log what went wrong, and say so to the client if it can still hear."""
        request = response.request
        status = 503 if isinstance(error, RequestEnded) else 500
        if isinstance(error, BodyError):
            self.log.debug("%s: %s", faults.method_and_path(request), error)
            status = error.status
            response.keep_alive = False
        else:
            faults.report(self.log, request, error)
        if response.status:
            response.keep_alive = False
            return
        text = REASONS[status].encode() + b"\n"
        head = response.start(
            status, [("Content-Type", "text/plain")], self.common.lines, len(text)
        )
        response.transport.write(head, *response.data(text))
