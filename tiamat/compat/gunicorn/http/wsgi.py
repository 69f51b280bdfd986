"""gunicorn's side of WSGI, for code that answers requests on a socket by itself."""

import io
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

import tiamat.compat.gunicorn as package
from tiamat.compat.gunicorn import util
from tiamat.compat.gunicorn.http.errors import (
    ConfigurationProblem,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
)
from tiamat.compat.gunicorn.http.message import TOKEN_RE
from tiamat.gateways import wsgi_file
from tiamat.types import Environ

BLKSIZE: Final = 0x3FFFFFFF
HEADER_VALUE_RE: Final = re.compile(r"[ \t\x21-\x7e\x80-\xff]*")
STATUS_RE: Final = re.compile(r"[0-9]{3}(?: [ \t\x21-\x7e\x80-\xff]*)?")

log = logging.getLogger("gunicorn.http.wsgi")


class FileWrapper(wsgi_file.FileWrapper):
    """Our ``wsgi.file_wrapper``, under gunicorn's names; also as a sequence."""

    def __init__(self, filelike: Any, blksize: int = 8192) -> None:
        super().__init__(filelike, blksize)
        self.blksize = blksize

    def __getitem__(self, key: object) -> bytes:
        try:
            return next(self)
        except StopIteration:
            raise IndexError(key) from None


class WSGIErrorsWrapper(io.RawIOBase):
    """``wsgi.errors``: the standard error."""

    def __init__(self, cfg: Any) -> None:
        self.streams = [sys.stderr]

    def write(self, data: Any) -> None:
        """Write to all streams, and wait for none."""
        for stream in self.streams:
            stream.write(data)
            stream.flush()


def base_environ(cfg: Any) -> Environ:
    """What all requests have in common."""
    return {
        "wsgi.errors": WSGIErrorsWrapper(cfg),
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": cfg.workers > 1,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
        "SERVER_SOFTWARE": package.SERVER_SOFTWARE,
    }


def default_environ(req: Any, sock: Any, cfg: Any) -> Environ:
    """The same, and what the first line says."""
    return base_environ(cfg) | {
        "wsgi.input": req.body,
        "gunicorn.socket": sock,
        "REQUEST_METHOD": req.method,
        "QUERY_STRING": req.query,
        "RAW_URI": req.uri,
        "SERVER_PROTOCOL": "HTTP/" + ".".join(str(part) for part in req.version),
    }


def proxy_environ(req: Any) -> Environ:
    """What a PROXY header has said."""
    info = req.proxy_protocol_info
    if not info or "client_addr" not in info:
        return {}
    return {
        "PROXY_PROTOCOL": info["proxy_protocol"],
        "REMOTE_ADDR": info["client_addr"],
        "REMOTE_PORT": str(info["client_port"]),
        "PROXY_ADDR": info["proxy_addr"],
        "PROXY_PORT": str(info["proxy_port"]),
    }


def create(  # noqa: PLR0913 - gunicorn's
    req: Any,
    sock: Any,
    client: Any,
    server: Any,
    cfg: Any,
    response_class: Any = None,
    response_args: tuple[Any, ...] = (),
) -> tuple[Any, Environ]:
    """The response to a request, and its environ."""
    response = (response_class or Response)(req, sock, cfg, *response_args)
    environ = default_environ(req, sock, cfg)
    for name, value in req.headers:
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    environ["wsgi.url_scheme"] = req.scheme
    if isinstance(client, tuple):
        environ |= {"REMOTE_ADDR": client[0], "REMOTE_PORT": str(client[1])}
    else:
        environ["REMOTE_ADDR"] = util.bytes_to_str(client)
    name, port = server_of(server, environ)
    mount = os.environ.get("SCRIPT_NAME", "")
    if not req.path.startswith(mount):
        raise ConfigurationProblem(f"the path {req.path!r} is not below {mount!r}")
    environ |= {
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "SCRIPT_NAME": mount,
        "PATH_INFO": util.unquote_to_wsgi_str(req.path.removeprefix(mount)),
    }
    return response, environ | proxy_environ(req)


def server_of(server: Any, environ: Environ) -> tuple[str, str]:
    """Name and port of the server; behind a Unix socket, those that the client said."""
    if isinstance(server, tuple):
        return str(server[0]), str(server[1])
    name, _, port = str(environ.get("HTTP_HOST", server)).partition(":")
    usual = {"http": "80", "https": "443"}.get(environ["wsgi.url_scheme"], "")
    return name, port or (usual if "HTTP_HOST" in environ else "")


class Response:
    """
    An answer that is written to a socket.

    Attributes:
        status, status_code, headers: what the application said.
        sent: bytes of the body.
        response_length: what Content-Length says; None if nothing does.
        version: the header ``Server``.
    """

    def __init__(self, req: Any, sock: Any, cfg: Any) -> None:
        self.req = req
        self.sock = sock
        self.cfg = cfg
        self.version = package.SERVER
        self.status: str | None = None
        self.status_code: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.headers_sent = self.chunked = self.upgrade = False
        self.must_close: bool = False
        self.response_length: int | None = None
        self.sent = 0

    @property
    def bodiless(self) -> bool:
        """Whether there is no body, whatever the application says (RFC 9110, 6.4.1)."""
        code = self.status_code or 200
        return self.req.method == "HEAD" or code < 200 or code in (204, 304)

    def force_close(self) -> None:
        """Have the connection end behind it."""
        self.must_close = True

    def should_close(self) -> bool:
        """Whether the connection ends behind it."""
        known = self.response_length is not None or self.chunked or self.bodiless
        return bool(self.must_close or self.req.should_close() or not known)

    def start_response(
        self, status: Any, headers: Iterable[Any], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """Take status and headers; a second time only instead of an error's."""
        if exc_info and self.headers_sent:
            util.reraise(*exc_info)
        if self.status is not None and not exc_info:
            raise AssertionError("start_response was called before")
        if not isinstance(status, str):
            raise TypeError(f"the status {status!r} is no text")
        if not STATUS_RE.fullmatch(status):
            raise ValueError(f"{status!r} is no status")
        self.status, self.status_code = status, int(status[:3])
        self.headers = []
        self.process_headers(headers)
        self.chunked = self.is_chunked()
        return self.write

    def process_headers(self, headers: Iterable[Any]) -> None:
        """Take the headers that may be sent; those of the connection are ours."""
        for name, value in headers:
            if not isinstance(name, str) or not isinstance(value, str):
                raise TypeError(f"the header {name!r}: {value!r} is no text")
            if not TOKEN_RE.fullmatch(name):
                raise InvalidResponseHeaderName(repr(name))
            if not HEADER_VALUE_RE.fullmatch(value):
                raise InvalidResponseHeader(repr(name))
            lower, value = name.lower(), value.strip(" \t")
            if lower == "content-length":
                self.response_length = int(value)
            if lower == "connection" and value.lower() == "upgrade":
                self.upgrade = True
            upgrades = lower == "upgrade" and value.lower() == "websocket"
            if upgrades or not util.is_hoppish(name):
                self.headers.append((name, value))

    def is_chunked(self) -> bool:
        """Whether the body is sent in chunks: its length is not known."""
        known = self.response_length is not None or self.bodiless
        return not known and self.req.version > (1, 0)

    def default_headers(self) -> list[str]:
        """The first lines of the answer: status, and headers that it always has."""
        closes = "close" if self.should_close() else "keep-alive"
        lines = [
            "HTTP/{}.{} {}\r\n".format(*self.req.version, self.status),
            f"Server: {self.version}\r\n",
            f"Date: {util.http_date()}\r\n",
            f"Connection: {'upgrade' if self.upgrade else closes}\r\n",
        ]
        return [*lines, "Transfer-Encoding: chunked\r\n"] if self.chunked else lines

    def send_headers(self) -> None:
        """Send the head, once."""
        if not self.headers_sent:
            lines = [f"{name}: {value}\r\n" for name, value in self.headers]
            head = "".join([*self.default_headers(), *lines, "\r\n"])
            util.write(self.sock, util.to_bytestring(head, "latin-1"))
            self.headers_sent = True

    def write(self, arg: bytes) -> None:
        """Send a part of the body, never more than its length says."""
        if not isinstance(arg, bytes):
            raise TypeError(f"{arg!r} is no bytes")
        self.send_headers()
        if self.response_length is not None:
            arg = arg[: max(0, self.response_length - self.sent)]
        if arg and not self.bodiless:
            self.sent += len(arg)
            util.write(self.sock, arg, self.chunked)

    def can_sendfile(self) -> bool:
        """Whether the settings let the kernel send files."""
        return self.cfg.sendfile is not False

    def sendfile(self, respiter: Any) -> bool:
        """Have the kernel send a file; False if it can't, and nothing was sent."""
        found = wsgi_file.sendable(respiter.filelike)
        if self.cfg.is_ssl or not self.can_sendfile() or found is None:
            return False
        _, offset, size = found
        if self.chunked or self.bodiless:
            return False
        self.send_headers()
        if self.response_length is not None:
            size = min(size, self.response_length - self.sent)
        self.sent += self.sock.sendfile(respiter.filelike, offset, size)
        return True

    def write_file(self, respiter: Any) -> None:
        """Send a file."""
        if not self.sendfile(respiter):
            for part in respiter:
                self.write(part)

    def close(self) -> None:
        """Send what is missing to the end."""
        self.send_headers()
        if self.chunked:
            util.write_chunk(self.sock, b"")


DEFAULT_HEADERS: Final = Response.default_headers
"""What sites replace that hide which server it is."""
