"""Two applications that say how they read their request."""

from typing import Any
from zlib import crc32

from tiamat.types import Environ


def reading(method: str, path: bytes, body: bytes) -> str:
    """The value of a response's field ``Reading``."""
    return f"{method} {crc32(path)} {crc32(body)}"


def wsgi(environ: Environ, start_response: Any) -> list[bytes]:
    path = environ["PATH_INFO"].encode("latin-1")
    body = environ["wsgi.input"].read()
    seen = reading(environ["REQUEST_METHOD"], path, body)
    start_response("200 OK", [("Reading", seen), ("Content-Length", "0")])
    return []


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    path = scope["path"].encode()
    seen = reading(scope["method"], path, body).encode()
    headers = [(b"reading", seen), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body"})
