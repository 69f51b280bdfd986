"""The small applications. What they import and hold counts as server memory."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would load typing, which is a megabyte
if TYPE_CHECKING:
    from typing import Any
    from wsgiref.types import StartResponse

HELLO = b"Hello, world!"


def answer(start_response: StartResponse, body: bytes) -> list[bytes]:
    """Answer 200 with *body*, as a plain application does."""
    start_response(
        "200 OK",
        [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))],
    )
    return [body]


def hello(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    """Answer a constant: what is left is the server."""
    return answer(start_response, HELLO)


def read_body(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    """Read the whole body and answer its size."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return answer(start_response, b"%d" % len(body))
