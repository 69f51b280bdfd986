"""Each way to answer that PEP 3333 allows, and some that it does not."""

import sys
import tempfile
from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

from tiamat.types import Environ

PLAIN = [("Content-Type", "text/plain")]
closed = 0


class Closing:
    """An iterable that counts how often it was closed."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"some"
        yield b"thing"

    def close(self) -> None:
        global closed
        closed += 1


def generator(environ: Environ, start_response: Any) -> Iterator[bytes]:
    start_response("201 Created", PLAIN)
    yield b""
    yield b"ab"
    yield b"c"


def closing(environ: Environ, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    return Closing()


def how_often(environ: Environ, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    return [b"%d" % closed]


def write(environ: Environ, start_response: Any) -> list[bytes]:
    put = start_response("200 OK", [*PLAIN, ("Content-Length", "4")])
    put(b"ab")
    return [b"cd"]


def fails(environ: Environ, start_response: Any) -> list[bytes]:
    raise LookupError("on purpose")


def fails_late(environ: Environ, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"begun"
    raise LookupError("on purpose")


def exc_info(environ: Environ, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    try:
        raise LookupError("on purpose")
    except LookupError:
        start_response("503 Busy", PLAIN, sys.exc_info())
    return [b"sorry"]


def nothing(environ: Environ, start_response: Any) -> list[bytes]:
    start_response("204 No Content", [])
    return []


def short(environ: Environ, start_response: Any) -> list[bytes]:
    start_response("200 OK", [*PLAIN, ("Content-Length", "9")])
    return [b"four"]


def long(environ: Environ, start_response: Any) -> list[bytes]:
    start_response("200 OK", [*PLAIN, ("Content-Length", "4")])
    return [b"fourteen"]


def silent(environ: Environ, start_response: Any) -> list[bytes]:
    return [b"start_response was not called"]


def hints(environ: Environ, start_response: Any) -> list[bytes]:
    environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload")])
    start_response("200 OK", PLAIN)
    return [b"hinted"]


def file(environ: Environ, start_response: Any) -> Any:
    opened = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it
    opened.write(b"f" * 100_000)
    opened.seek(50_000)
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](opened)


def large(environ: Environ, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    return [b"l" * 1_000_000]


def lines(environ: Environ, start_response: Any) -> list[bytes]:
    read = environ["wsgi.input"]
    found = [read.readline(), read.readline(2), read.read(3), *read, read.read()]
    start_response("200 OK", PLAIN)
    return [repr(found).encode()]


def words(environ: Environ, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    names = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "HTTP_X_Y")
    return [repr([environ.get(name) for name in names]).encode()]


def kinds(environ: Environ, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    return [b"%d" % environ["wsgi.multithread"]]


@validator
def valid(environ: Environ, start_response: Any) -> list[bytes]:
    data = environ["wsgi.input"].read(2) + environ["wsgi.input"].readline()
    start_response("200 OK", PLAIN)
    return [data]


WAYS = {
    way.__name__: way
    for way in (
        *(generator, closing, how_often, write, fails, fails_late, exc_info, nothing),
        *(short, long, silent, hints, file, large, lines, words, kinds),
    )
} | {"valid": valid}


def app(environ: Environ, start_response: Any) -> Any:
    """The way that the path begins with; else the whole body is heard."""
    way: Any = WAYS.get(environ["PATH_INFO"].strip("/").partition("/")[0])
    if way is not None:
        return way(environ, start_response)
    body = environ["wsgi.input"].read()
    start_response("200 OK", PLAIN)
    return [b"heard %d" % len(body)]
