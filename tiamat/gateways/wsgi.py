"""
WSGI: requests ⇄ applications, by PEP 3333.

The gateway knows no socket. It writes through a ``Transport``, which a driver
is: small things, whole buffers, and files by their descriptor.
"""

import io
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any, BinaryIO, Final, Protocol
from urllib.parse import unquote_to_bytes

from tiamat.gateways.wsgi_input import complete_input
from tiamat.protocol.dates import CommonHeaders
from tiamat.protocol.errors import InvalidResponse, ProtocolError
from tiamat.protocol.forwarded import Trust
from tiamat.protocol.request import Request
from tiamat.protocol.response import Response
from tiamat.types import Environ, ExcInfo, WSGIApp

_FILE_CHUNK: Final = 65536

# A body up to this goes into one piece of memory with its head.
_SMALL: Final = 16384

_PER_REQUEST: Final = (
    "RAW_URI", "QUERY_STRING", "PATH_INFO", "REQUEST_METHOD",
    "REMOTE_ADDR", "REMOTE_PORT", "wsgi.input", "wsgi.early_hints",
)  # fmt: skip

# A dictionary of 22 to 42 keys has 64 places (CPython); 21 would have 32.
_ROOM: Final = 22


class Transport(Protocol):
    """Where a response goes; ``broken`` if nobody is left to hear the rest."""

    broken: bool

    def write(self, *buffers: bytes) -> None: ...

    def write_file(self, fileno: int, offset: int, count: int) -> None: ...


class Log(Protocol):
    def debug(self, msg: str, /, *args: object) -> None: ...

    def warning(self, msg: str, /, *args: object) -> None: ...

    def error(self, msg: str, /, *args: object, exc_info: BaseException) -> None: ...


class _EnvironNames(dict[bytes, str]):
    """``b"user-agent"`` → ``"HTTP_USER_AGENT"``; bounded, since clients name them."""

    def __missing__(self, name: bytes) -> str:
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        if len(self) < 1024:
            self[name] = key
        return key


_ENVIRON_NAMES: Final = _EnvironNames()


class FileWrapper:
    """
    ``wsgi.file_wrapper``: a file that the server may send by itself.

    PEP 3333, "Optional Platform-Specific File Handling".
    """

    def __init__(self, filelike: BinaryIO, block_size: int = _FILE_CHUNK) -> None:
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data = self.filelike.read(self.block_size)
        if data:
            return data
        raise StopIteration


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
    Runs a WSGI application on complete requests.

    Built once per worker; ``base_environ`` once per listener.
    """

    # Options by keyword, each with its default: a class for them would say less.
    def __init__(  # noqa: PLR0913
        self,
        app: WSGIApp,
        common: CommonHeaders,
        log: Log,
        *,
        script_name: str = "",
        multiprocess: bool = False,
        sendfile: bool = True,
        trust: Trust | None = None,
        refuse_underscores: bool = False,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.app = app
        self.common = common
        self.log = log
        self._sendfile = sendfile
        self._trust = trust
        self._refuses_underscores = refuse_underscores
        self._stopping = stopping
        self._constant: Environ = {
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
            "SERVER_SOFTWARE": common.server.decode() or "tiamat",
            "SCRIPT_NAME": script_name.rstrip("/"),
        }

    def base_environ(self, server_name: str, server_port: str, scheme: str) -> Environ:
        """
        What all requests on one listener have in common, with room for the rest.

        A copy of a dictionary has the room of its original. Each key that a
        request sets stands here already, and some more once stood behind them,
        so that no environ has to grow, which costs as much as all its headers.
        """
        base: Environ = {
            **self._constant,
            "SERVER_NAME": server_name,
            "SERVER_PORT": server_port,
            "wsgi.url_scheme": scheme,
            **dict.fromkeys(_PER_REQUEST),
            "SERVER_PROTOCOL": "HTTP/1.1",
        }
        extra = [f"extra {number}" for number in range(_ROOM - len(base))]
        base.update(dict.fromkeys(extra))
        for _ in extra:
            base.popitem()
        return base

    def environ(
        self, request: Request, base: Environ, peer: tuple[str, str]
    ) -> Environ:
        """
        The environ of *request*.

        Raises:
            ProtocolError: What a trusted proxy says contradicts itself.

        Hot: once per request. What is constant is copied at once; each field is
        one look-up and one decoding.
        """
        environ = base.copy()
        environ["RAW_URI"] = target = request.target.decode("latin-1")
        path, _, environ["QUERY_STRING"] = target.partition("?")
        if "%" in path:
            path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
        environ["PATH_INFO"] = path
        environ["REQUEST_METHOD"] = request.method
        if request.version != "1.1":
            environ["SERVER_PROTOCOL"] = "HTTP/" + request.version
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = peer
        body = request.body
        environ["wsgi.input"] = BytesIO() if body is None else complete_input(body)
        names = _ENVIRON_NAMES
        headers = request.headers
        if len(headers) == len(request.fields):
            for name, value in headers:
                environ[names[name]] = value.decode("latin-1")
        else:
            add_repeated(environ, headers)
        trust = self._trust
        if (
            trust is not None
            and len(headers) > 1
            and not request.fields.keys().isdisjoint(trust.names)
        ):
            self._believe(trust, environ, request)
        if environ["SCRIPT_NAME"]:
            strip_mount(environ)
        return environ

    def _believe(self, trust: Trust, environ: Environ, request: Request) -> None:
        """Take what a trusted proxy says; of others, forget that they said it."""
        trusted = trust.trusted(environ["REMOTE_ADDR"])
        if trusted:
            scheme = trust.scheme(request.fields)
            if scheme is not None:
                environ["wsgi.url_scheme"] = scheme
        for name in trust.forwarders & request.fields.keys():
            value = environ.pop(_ENVIRON_NAMES[name], None)
            if trusted and name in (b"script_name", b"path_info"):
                environ[name.decode().upper()] = value
            elif trusted:
                environ[_ENVIRON_NAMES[name]] = value
            elif self._refuses_underscores:
                raise ProtocolError("a header name with an underscore")

    def run(
        self,
        request: Request,
        response: WSGIResponse,
        transport: Transport,
        environ: Environ,
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
            self._failed(error, response)
        if response.faulty:
            self._complain(response)

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
        if not self._sendfile or response.status:
            return False
        if is_decoder(wrapper.filelike):
            return False
        try:
            fileno = wrapper.filelike.fileno()
            offset = wrapper.filelike.tell()
            status = os.fstat(fileno)
        except (AttributeError, OSError):
            return False
        size = status.st_size - offset
        # Devices and what the kernel makes up in /proc have no size.
        if not stat.S_ISREG(status.st_mode) or size <= 0:
            return False
        response.transport.write(response.head(size))
        count = response.file(size)
        if count:
            response.transport.write_file(fileno, offset, count)
        response.end()
        return True

    def _failed(self, error: BaseException, response: WSGIResponse) -> None:
        """Log what went wrong, and say so to the client if it can still hear."""
        request = response.request
        path = request.target.partition(b"?")[0].decode("latin-1")
        if isinstance(error, InvalidResponse):
            self.log.warning("%s %s: %s", request.method, path, error)
        else:
            self.log.error("error handling %s %s", request.method, path, exc_info=error)
        if response.status:
            response.keep_alive = False
            return
        text = b"Internal Server Error\n"
        head = response.start(
            500, [("Content-Type", "text/plain")], self.common.lines, len(text)
        )
        response.transport.write(head, *response.data(text))

    def _complain(self, response: Response) -> None:
        """What the application got wrong, and nobody was told by the response."""
        request = response.request
        path = request.target.partition(b"?")[0].decode("latin-1")
        where = f"{request.method} {path}"
        if response.excess:
            self.log.warning(
                "%s: %d bytes beyond Content-Length cut", where, response.excess
            )
        if response.missing:
            self.log.warning(
                "%s: %d bytes short of Content-Length, closing", where, response.missing
            )
        if response.dropped:
            names = b", ".join(response.dropped).decode()
            self.log.warning("%s: hop-by-hop header %s not passed on", where, names)


def is_decoder(filelike: object) -> bool:
    """Whether it reads otherwise than its descriptor: gzip.open gives such files."""
    return isinstance(filelike, io.BufferedIOBase) and not isinstance(
        filelike, (io.BufferedReader, io.BufferedRandom)
    )


def add_repeated(environ: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> None:
    """
    Fields of which some came more than once: joined by a comma, cookies by ``; ``.

    RFC 9110, 5.3; RFC 6265, 5.4 has one Cookie field, HTTP/2 splits it.
    """
    for name, value in headers:
        key = _ENVIRON_NAMES[name]
        text = value.decode("latin-1")
        if key in environ:
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        environ[key] = text


def strip_mount(environ: Environ) -> None:
    """PATH_INFO is what is below the mount point, SCRIPT_NAME (PEP 3333)."""
    path = environ["PATH_INFO"]
    mount = environ["SCRIPT_NAME"].rstrip("/")
    if path == mount or path.startswith(mount + "/"):
        environ["PATH_INFO"] = path[len(mount) :]
    else:
        environ["SCRIPT_NAME"] = ""
