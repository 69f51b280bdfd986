"""The wire corpus, and how a case is put to a parser: for the tests of this floor."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import pytest

from tiamat.protocol import parser_h11, parser_httptools
from tiamat.protocol.headers import HeaderMap, Names
from tiamat.protocol.http1 import Connection
from tiamat.protocol.limits import Limits
from tiamat.protocol.parser import ParserFactory, Reading
from tiamat.protocol.request import Request

REQUESTS: Final = Path(__file__).parent / "requests"

PARSERS: Final = {
    "httptools": cast(ParserFactory, parser_httptools.Parser),
    "h11": cast(ParserFactory, parser_h11.Parser),
}

_ESCAPE: Final = re.compile(rb"\\(r|n|t|\\|x[0-9a-f]{2})")
_ESCAPES: Final = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}


def unescape(text: bytes) -> bytes:
    r"""
    What a case file means, as bytes on the wire.

    Each line ends with CR LF, unless a backslash is its last character. ``\r``,
    ``\n``, ``\t``, ``\\`` and ``\x00`` mean what they mean in Python.
    """
    wire = text.replace(b"\\\n", b"").replace(b"\n", b"\r\n")
    return _ESCAPE.sub(
        lambda found: _ESCAPES.get(found[1]) or bytes.fromhex(found[1][1:].decode()),
        wire,
    )


@dataclass(frozen=True)
class Seen:
    """What came out for one request."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: str
    keep_alive: bool
    expect_continue: bool
    complete: bool


@dataclass(frozen=True)
class Verdict:
    """
    What came out in all.

    ``status`` is that of the error, 0 if there was none; ``waits`` says that
    more bytes could follow.
    """

    requests: tuple[Seen, ...]
    status: int
    waits: bool


@dataclass(frozen=True)
class Case:
    """One file of the corpus with what is expected of it."""

    name: str
    wire: bytes
    expected: dict[str, Any]
    limits: Limits = field(default_factory=Limits)

    @property
    def header_map(self) -> HeaderMap:
        return cast(HeaderMap, self.expected.get("header_map", "drop"))

    @property
    def source(self) -> str:
        return cast(str, self.expected.get("source", ""))

    def run(self, parser: str, pieces: Iterable[bytes]) -> Verdict:
        """Put *pieces* to *parser*, under this case's limits."""
        connection = Connection(self.limits, PARSERS[parser], Names(self.header_map))
        return read(connection, pieces)


def read(connection: Connection, pieces: Iterable[bytes]) -> Verdict:
    """Read *pieces* as a driver does: requests are taken as they come."""
    taken = []
    for piece in pieces:
        connection.receive_data(piece)
        while connection.requests:
            taken += connection.requests
            connection.requests.clear()
            connection.resume()
    status = connection.error.status if connection.error else 0
    requests = tuple(
        Seen(
            request.method,
            request.target.decode("latin-1"),
            request.version,
            tuple(
                (n.decode("latin-1"), v.decode("latin-1")) for n, v in request.headers
            ),
            body_of(request, status),
            request.keep_alive,
            request.expect_continue,
            request.complete,
        )
        for request in taken
    )
    return Verdict(requests, status, connection.reading is not Reading.NOTHING)


def body_of(request: Request, status: int) -> str:
    """What came of the body; where an error cut it, how much depends on the cuts."""
    if request.body is None or (status and not request.complete):
        return ""
    return request.body.take().decode("latin-1")


def corpus() -> list[Case]:
    """All of it."""
    return [*cases("valid"), *cases("invalid")]


def some() -> list[Case]:
    """An eighth of it, of every subject: for who reads it over sockets."""
    return corpus()[::8]


def some_or_all() -> list[Any]:
    """The parameters of a test that reads some, and in the full matrix all of it."""
    return [
        pytest.param(some, id="some"),
        pytest.param(corpus, id="all", marks=pytest.mark.soak),
    ]


def cases(kind: str) -> list[Case]:
    """All of ``requests/valid`` or ``requests/invalid``, by name."""
    found = []
    for path in sorted((REQUESTS / kind).glob("*.http")):
        expected = tomllib.loads(path.with_suffix(".toml").read_text())
        limits = Limits(**expected.get("limits", {}))
        found.append(Case(path.stem, unescape(path.read_bytes()), expected, limits))
    return found
