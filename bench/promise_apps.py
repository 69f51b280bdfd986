"""The applications under the promises: they wait, stream without end, read slowly."""

from __future__ import annotations

import asyncio
import time

from bench.apps import HELLO, answer
from bench.asgi_apps import answer as answer_async
from bench.asgi_apps import lifespan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any
    from wsgiref.types import StartResponse

    from bench.asgi_apps import Message, Receive, Send

PIECE = b"p" * 65_536
GIGABYTE = 1 << 30
SLEEP = 0.1  # seconds
SLEEPY = 60  # pieces of a body that are read slowly; the rest as fast as it comes


def wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Sleep (/sleep), stream 20 MB (/stream), read a body, or answer a constant."""
    path = environ["PATH_INFO"]
    if path == "/sleep":
        time.sleep(SLEEP)
    elif path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (PIECE for _ in range(300))
    elif environ["REQUEST_METHOD"] == "POST":
        environ["wsgi.input"].read()
    return answer(start_response, HELLO)


async def asgi(scope: Message, receive: Receive, send: Send) -> None:
    """Stream (/gigabyte, /megabyte), read a body slowly, or answer a constant."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    if scope["path"] == "/gigabyte":
        await stream(send, GIGABYTE)
        return
    if scope["path"] == "/megabyte":
        await stream(send, 1 << 20)
        return
    more = scope["method"] == "POST"
    sleepy = SLEEPY if scope["path"] == "/slow" else 0
    size = 0
    while more:
        message = await receive()
        more = message["type"] == "http.request" and message["more_body"]
        size += len(message.get("body", b""))
        if sleepy:
            sleepy -= 1
            await asyncio.sleep(SLEEP)
    await answer_async(send, b"%d" % size if scope["path"] == "/slow" else HELLO)


async def stream(send: Send, size: int) -> None:
    """Answer *size* bytes in chunks of 64 KiB, until the client is gone."""
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(size // len(PIECE)):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
