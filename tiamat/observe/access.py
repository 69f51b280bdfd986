"""
A format of access lines, compiled once into a function.

The atoms are gunicorn's. What a client or an application can write into a line is
escaped as Apache does: quotes and backslashes get a backslash, control and
non-ASCII bytes become ``\\xhh``. So a line is one line, and a quoted field ends where
it seems to end.
"""

import os
import re
from binascii import a2b_base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from tiamat.protocol.request import Request
    from tiamat.protocol.response import Response
    from tiamat.types import Environ

    Line: TypeAlias = Callable[
        [Request | None, Response, Environ | None, tuple[str, str], float, float], str
    ]
    """The arguments are the attributes of ``Exchange``, in their order."""


@dataclass(slots=True)
class Exchange:
    """
    One request and its response: what a line can tell of.

    Attributes:
        request: None if it was refused before it was one.
        response: what was sent.
        environ: what the application got, where it got one.
        peer: host and port at the other end; empty on a Unix socket.
        began: when the request began, in seconds since the epoch.
        seconds: how long it took.
    """

    request: "Request | None"
    response: "Response"
    environ: "Environ | None"
    peer: tuple[str, str]
    began: float
    seconds: float


Atom: TypeAlias = Callable[[Exchange], str | int]

NOTHING: Final = "-"

FIELD: Final = re.compile(
    r"%(?:\((?P<atom>[^)]*)\))?(?P<flags>[-+ #0]*\d*(?:\.\d+)?)(?P<kind>.?)", re.DOTALL
)

MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def compile_format(format: str) -> "Line":
    """
    Make a function that writes lines of *format*.

    Raises:
        ValueError: the format can't be read.
    """
    template: list[str] = []
    atoms: list[Atom] = []
    end = 0
    for field in FIELD.finditer(format):
        template.append(format[end : field.start()])
        end = field.end()
        if field["kind"] == "%" and field["atom"] is None:
            template.append("%%")
            continue
        name = field["atom"]
        if name is None or not field["kind"]:
            raise ValueError(
                f"{field[0]!r} at column {field.start() + 1} is no atom;"
                " write %(h)s, or %% for a percent sign"
            )
        atom, conversions = find_atom(name)
        if field["kind"] not in conversions:
            raise ValueError(f"write %({name}){conversions[0]}, not {field[0]!r}")
        template.append(f"%{field['flags']}{field['kind']}")
        atoms.append(atom)
    template.append(format[end:])
    return line_writer("".join(template), tuple(atoms))


def line_writer(template: str, atoms: tuple[Atom, ...]) -> "Line":
    """The function that fills *template* with *atoms*."""

    def line(
        request: "Request | None",
        response: "Response",
        environ: "Environ | None",
        peer: tuple[str, str],
        began: float,
        seconds: float,
    ) -> str:
        """Hot: one call for each atom, one formatting."""
        exchange = Exchange(request, response, environ, peer, began, seconds)
        return template % tuple([atom(exchange) for atom in atoms])

    return line


def unknown_atoms(format: str) -> list[str]:
    """The atoms in a format that stand for nothing: a dash, as with gunicorn."""
    names = [field["atom"] for field in FIELD.finditer(format)]
    return [name for name in names if name and find_atom(name)[0] is nothing]


def nothing(exchange: "Exchange") -> str:
    """What an atom is that nobody knows."""
    return NOTHING


def find_atom(name: str) -> tuple[Atom, str]:
    """The function of an atom, and the conversions that it may have."""
    if name in TEXTS:
        return TEXTS[name], "s"
    if name in NUMBERS:
        return NUMBERS[name], "sd"
    if re.fullmatch(r"\{[^{}]+\}[ioe]", name):
        maker = {"i": request_header, "o": response_header, "e": variable}[name[-1]]
        return maker(name[1:-2]), "s"
    return nothing, "s"


# --- Escaping ---------------------------------------------------------------


def escaped(text: str) -> str:
    """*text* in a form that can't end a quoted field, nor the line."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(map(escaped_character, text))


def escaped_character(character: str) -> str:
    """One character of ``escaped``."""
    if character in '"\\':
        return "\\" + character
    if " " <= character <= "~":
        return character
    raw = character.encode("latin-1" if character < "\u0100" else "utf-8", "replace")
    return "".join(f"\\x{byte:02x}" for byte in raw)


# --- Atoms ------------------------------------------------------------------


def host(exchange: Exchange) -> str:
    """The client's address."""
    return escaped(client_address(exchange.environ, exchange.peer)) or NOTHING


def client_address(environ: "Environ | None", peer: tuple[str, str]) -> str:
    """The client's address: the environ's, which middleware may have mended."""
    if environ:
        if address := environ.get("REMOTE_ADDR"):
            return str(address)
        if client := environ.get("client"):  # an ASGI scope
            return str(client[0])
    return peer[0]


def user(exchange: Exchange) -> str:
    """The user of HTTP's basic authentication (RFC 7617)."""
    credentials = header_value(exchange.request, b"authorization")
    scheme, _, encoded = credentials.partition(" ")
    if scheme.lower() != "basic":
        return NOTHING
    try:
        name = a2b_base64(encoded.strip()).partition(b":")[0]
    except ValueError:
        return NOTHING
    return escaped(name.decode("latin-1")) or NOTHING


def when(exchange: Exchange) -> str:
    """When the request began, in the local time zone."""
    return clf_time(int(exchange.began))


def request_line(exchange: Exchange) -> str:
    """Method, target and version."""
    request = exchange.request
    if request is None:
        return NOTHING
    target = request.target.decode("latin-1")
    return escaped(f"{request.method} {target} HTTP/{request.version}")


def method(exchange: Exchange) -> str:
    """The method."""
    return escaped(exchange.request.method) if exchange.request else NOTHING


def url_path(exchange: Exchange) -> str:
    """The decoded path, without the query."""
    if exchange.environ and "PATH_INFO" in exchange.environ:
        return escaped(str(exchange.environ["PATH_INFO"]))
    if exchange.request is None:
        return NOTHING
    path = exchange.request.target.partition(b"?")[0]
    return escaped(unquote_to_bytes(path).decode("latin-1"))


def query(exchange: Exchange) -> str:
    """What follows the question mark; gunicorn too writes nothing if there is none."""
    if exchange.request is None:
        return ""
    return escaped(exchange.request.target.partition(b"?")[2].decode("latin-1"))


def http_version(exchange: Exchange) -> str:
    """The version, as in the request line."""
    return f"HTTP/{exchange.request.version}" if exchange.request else NOTHING


def header_value(request: "Request | None", name: bytes) -> str:
    """The headers called *name* (lower case), joined, or nothing."""
    return request.fields.get(name, b"").decode("latin-1") if request else ""


def request_header(name: str) -> Atom:
    """A header of the request."""
    wanted = name.lower().encode("latin-1", "replace")
    return lambda exchange: escaped(header_value(exchange.request, wanted)) or NOTHING


def response_header(name: str) -> Atom:
    """A header of the response."""
    wanted = name.lower()

    def atom(exchange: Exchange) -> str:
        for field in exchange.response.headers:
            found, value = map(as_text, field)
            if found.lower() == wanted:
                return escaped(value)
        return NOTHING

    return atom


def as_text(text: str | bytes) -> str:
    """A part of a header, which is text in WSGI and bytes in ASGI."""
    return text if isinstance(text, str) else text.decode("latin-1")


def variable(name: str) -> Atom:
    """A variable of the WSGI environ."""

    def atom(exchange: Exchange) -> str:
        value = exchange.environ.get(name) if exchange.environ else None
        return NOTHING if value is None else escaped(str(value))

    return atom


def make_clf_time() -> Callable[[int], str]:
    """A function that writes times, and remembers the last second it wrote."""
    last, text = -1, ""

    def clf_time(second: int) -> str:
        """``[10/Oct/2000:13:55:36 -0700]``, English whatever the locale says."""
        nonlocal last, text
        if second != last:
            from datetime import UTC, datetime  # the master needs none of it

            there = datetime.fromtimestamp(second, UTC).astimezone()
            month = MONTHS[there.month - 1]
            text = there.strftime(f"[%d/{month}/%Y:%H:%M:%S %z]")
            last = second
        return text

    return clf_time


clf_time: Final = make_clf_time()

TEXTS: Final[dict[str, Atom]] = {
    "h": host,
    "l": lambda _: NOTHING,
    "u": user,
    "t": when,
    "r": request_line,
    "m": method,
    "U": url_path,
    "q": query,
    "H": http_version,
    "b": lambda exchange: exchange.response.sent or NOTHING,
    "f": request_header("referer"),
    "a": request_header("user-agent"),
    "L": lambda exchange: f"{exchange.seconds:.6f}",
    "p": lambda _: f"<{os.getpid()}>",
}
"""Atoms that are texts."""

NUMBERS: Final[dict[str, Atom]] = {
    "s": lambda exchange: exchange.response.status,
    "B": lambda exchange: exchange.response.sent,
    "T": lambda exchange: int(exchange.seconds),
    "M": lambda exchange: int(exchange.seconds * 1000),
    "D": lambda exchange: int(exchange.seconds * 1_000_000),
}
"""Atoms that are whole numbers."""
