"""gunicorn's helping functions."""

import contextlib
import fcntl
import html
import importlib
import inspect
import io
import os
import random
import re
import socket
import sys
import time
import urllib.parse
from collections.abc import Callable
from importlib import metadata
from types import TracebackType
from typing import Any, Final, NoReturn

from tiamat.compat.gunicorn.errors import AppImportError
from tiamat.config import code
from tiamat.errors import AppError, StartupError
from tiamat.gateways import loader
from tiamat.protocol import dates
from tiamat.system import addresses, process

REDIRECT_TO: Final = os.devnull
GLOB_MAGIC_RE: Final = re.compile(r"[*?[]")

hop_headers = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
    *("te", "trailers", "transfer-encoding", "upgrade", "server", "date"),
}
"""What an application does not say, as gunicorn has it."""

positionals = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)

SYNC: Final = "gunicorn.workers.sync.SyncWorker"


# --- What settings name -------------------------------------------------------


def is_glob_pattern(value: str) -> bool:
    """Whether it stands for more than one file."""
    return GLOB_MAGIC_RE.search(value) is not None


def load_entry_point(distribution: str, group: str, name: str) -> Any:
    """
    What a distribution offers under this name.

    Raises:
        ImportError: nothing.
    """
    for one in metadata.distribution(distribution).entry_points:
        if (one.group, one.name) == (group, name):
            return one.load()
    raise ImportError(f"{distribution} has no entry point {name!r} in {group}")


def load_class(uri: Any, default: str = SYNC, section: str = "gunicorn.workers") -> Any:
    """
    The class behind a name: a dotted one, one of gunicorn's, or ``egg:dist#name``.

    Raises:
        RuntimeError: there is none.
    """
    if inspect.isclass(uri):
        return uri
    try:
        if uri.startswith("egg:"):
            distribution, _, name = uri.removeprefix("egg:").rpartition("#")
            if distribution != "gunicorn":
                return load_entry_point(distribution or name, section, name)
            uri = name
        uri = uri.removeprefix("#")
        if "." not in uri and ":" not in uri:
            # Late: it may have been changed, by plugins that add theirs.
            known = importlib.import_module("gunicorn.workers").SUPPORTED_WORKERS
            uri = known.get(uri, uri)
        if "." not in uri and ":" not in uri:
            return load_entry_point("gunicorn", section, uri)
        return code.imported(uri)
    except Exception as error:
        raise RuntimeError(
            f"class uri {uri!r} invalid or not found: {error}"
        ) from error


def get_arity(f: Callable[..., object]) -> int:
    """How many positional arguments a function takes."""
    parameters = inspect.signature(f).parameters.values()
    return sum(one.kind in positionals for one in parameters)


def import_app(module: str) -> Any:
    """
    The application that ``module:name`` or ``module:factory()`` means.

    Raises:
        AppImportError: the module has no such application.
        Exception: what the module, or the factory, has raised.
    """
    name = module if ":" in module else f"{module}:application"
    try:
        return loader.load(name)
    except AppError as error:
        raise AppImportError(str(error)) from None
    except StartupError as error:
        raise error.__cause__ or ImportError(str(error)) from None


def make_fail_app(msg: str) -> Callable[..., list[bytes]]:
    """An application that answers every request with this text, and 500."""
    body = to_bytestring(msg)

    def app(environ: object, start_response: Callable[..., object]) -> list[bytes]:
        headers = [
            ("Content-Type", "text/plain"),
            ("Content-Length", str(len(body))),
        ]
        start_response("500 Internal Server Error", headers)
        return [body]

    return app


# --- Addresses ----------------------------------------------------------------


def is_ipv6(addr: str) -> bool:
    """Whether it is an address of IPv6."""
    try:
        socket.inet_pton(socket.AF_INET6, addr)
    except (OSError, ValueError):
        return False
    return True


def parse_address(netloc: str, default_port: str = "8000") -> Any:
    """
    An address: ``(host, port)``, the path of a Unix socket, or a descriptor's number.

    Raises:
        RuntimeError: it is none.
    """
    text = netloc or "0.0.0.0"  # noqa: S104 - everywhere, as in gunicorn
    if not re.match(r"unix:|fd://", netloc) and not re.search(r":\d+$", netloc):
        text = f"{text.removesuffix(':')}:{default_port}"
    try:
        place: Any = addresses.parse_address(text)
    except ValueError as error:
        raise RuntimeError(f"{netloc!r} is no address: {error}") from None
    if isinstance(place, addresses.Unix):
        return place.path
    if isinstance(place, addresses.Descriptor):
        return place.number
    return place.host, place.port


# --- Processes and files ------------------------------------------------------


def _setproctitle(title: str) -> None:
    process.set_title(f"gunicorn: {title}")


def get_username(uid: int) -> str:
    """The name of a user."""
    return process.name_of(uid)


def set_owner_process(uid: int, gid: int, initgroups: bool = False) -> None:
    """Run as this user and group from now on; root's other groups are left behind."""
    process.set_privileges(uid, gid, initgroups=initgroups)


def chown(path: Any, uid: int, gid: int) -> None:
    """Give a file to somebody."""
    os.chown(path, uid, gid)


def unlink(filename: Any) -> None:
    """Remove a file that may be gone."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(filename)


def getcwd() -> str:
    """Where we are, by the shell's name if that is the same place."""
    shell = os.environ.get("PWD", "")
    try:
        return shell if os.path.samefile(shell, os.getcwd()) else os.getcwd()
    except OSError:
        return os.getcwd()


def check_is_writable(path: Any) -> None:
    """
    See that a file can be written to.

    Raises:
        RuntimeError: it can't.
    """
    try:
        os.close(os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o666))
    except OSError as error:
        raise RuntimeError(f"can't write to {path!r}: {error.strerror}") from None


def daemonize(enable_stdio_inheritance: bool = False) -> NoReturn:
    """Nothing that a program could do here: the setting ``daemon`` does it."""
    raise RuntimeError("set daemon = True instead of calling daemonize()")


def seed() -> None:
    """Begin with other random numbers than the process that has forked this one."""
    random.seed()


def close_on_exec(fd: Any) -> None:
    """Keep a descriptor from programs that are started."""
    fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.fcntl(fd, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)


def set_non_blocking(fd: Any) -> None:
    """Have nobody wait on a descriptor."""
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)


def has_fileno(obj: Any) -> bool:
    """Whether it has a descriptor."""
    try:
        obj.fileno()
    except (AttributeError, OSError, io.UnsupportedOperation):
        return False
    return True


# --- Sockets ------------------------------------------------------------------


def close(sock: Any) -> None:
    """Close a socket, whatever its state."""
    with contextlib.suppress(OSError):
        sock.close()


def close_graceful(sock: Any, timeout: float = 2.0, max_drain: int = 65536) -> None:
    """
    Close a connection so that the client gets all of the answer.

    Args:
        sock: the connection.
        timeout: how long to wait for the client to close its end, in seconds.
        max_drain: how many bytes it may send until then.
    """
    deadline = time.monotonic() + timeout
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while max_drain > 0 and (rest := deadline - time.monotonic()) > 0:
            sock.settimeout(rest)
            data = sock.recv(min(max_drain, 8192))
            if not data:
                break
            max_drain -= len(data)
    close(sock)


def write_chunk(sock: Any, data: str | bytes) -> None:
    """Send a chunk of a chunked body."""
    body = to_bytestring(data)
    sock.sendall(b"%X\r\n%b\r\n" % (len(body), body))


def write(sock: Any, data: str | bytes, chunked: bool = False) -> None:
    """Send a part of a body."""
    if chunked:
        write_chunk(sock, data)
    else:
        sock.sendall(to_bytestring(data))


def write_nonblock(sock: Any, data: str | bytes, chunked: bool = False) -> None:
    """Send on a socket that nobody waits on, and wait."""
    timeout = sock.gettimeout()
    sock.setblocking(True)
    try:
        write(sock, data, chunked)
    finally:
        sock.settimeout(timeout)


def write_error(sock: Any, status_int: int, reason: str, mesg: str) -> None:
    """Send a page that says what was wrong, and that the connection ends."""
    page = (
        f"<!doctype html>\n<title>{reason}</title>\n<h1>{reason}</h1>\n"
        f"<p>{html.escape(mesg)}</p>\n"
    ).encode()
    head = (
        f"HTTP/1.1 {status_int} {reason}\r\nConnection: close\r\n"
        f"Content-Type: text/html; charset=utf-8\r\nContent-Length: {len(page)}\r\n\r\n"
    )
    write_nonblock(sock, head.encode("latin-1") + page)


# --- Text ---------------------------------------------------------------------


def http_date(timestamp: float | None = None) -> str:
    """A point in time, as HTTP writes it; now if none is given."""
    return dates.http_date(
        int(time.time() if timestamp is None else timestamp)
    ).decode()


def is_hoppish(header: str) -> bool:
    """Whether it is a header that an application does not send."""
    return header.lower().strip() in hop_headers


def to_bytestring(value: str | bytes, encoding: str = "utf8") -> bytes:
    """
    The bytes of a text.

    Raises:
        TypeError: it is neither a text nor bytes.
    """
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value.encode(encoding)


def bytes_to_str(b: str | bytes) -> str:
    """The text that bytes are."""
    return b if isinstance(b, str) else str(b, "latin1")


def unquote_to_wsgi_str(string: str) -> str:
    """A path of a target as WSGI has it: unquoted, its bytes as Latin-1."""
    return urllib.parse.unquote_to_bytes(string).decode("latin-1")


def split_request_uri(uri: str) -> urllib.parse.SplitResult:
    """The parts of a target; one that begins with ``//`` is a path."""
    if not uri.startswith("//"):
        return urllib.parse.urlsplit(uri)
    parts = urllib.parse.urlsplit(f".{uri}")
    return parts._replace(path=parts.path[1:])


def warn(msg: str) -> None:
    """Say something on the standard error that somebody should look at."""
    print(f"warning: {msg}", file=sys.stderr)


def reraise(
    tp: type[BaseException],
    value: BaseException | None,
    tb: TracebackType | None = None,
) -> NoReturn:
    """Raise an exception again, with the traceback that it had."""
    raise (tp() if value is None else value).with_traceback(tb)
