"""The applications with large responses, apart from the small ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.apps import HELLO, answer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any
    from wsgiref.types import StartResponse

MEGABYTE = b"m" * 1_000_000
BIG = b"b" * 20_000_000
PIECE = b"p" * 65_536
PIECES = len(BIG) // len(PIECE)


def megabyte(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    """Answer one megabyte in one chunk."""
    return answer(start_response, MEGABYTE)


def slow(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Answer 20 MB, at once (/big) or in chunks of 64 KiB (/stream), or a constant."""
    path = environ["PATH_INFO"]
    if path == "/big":
        return answer(start_response, BIG)
    if path != "/stream":
        return answer(start_response, HELLO)
    length = str(PIECES * len(PIECE))
    start_response(
        "200 OK", [("Content-Type", "text/plain"), ("Content-Length", length)]
    )
    return (PIECE for _ in range(PIECES))
