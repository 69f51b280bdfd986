"""The small ASGI applications. What they import and hold counts as server memory."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would load typing, which is a megabyte
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

HELLO = b"Hello, world!"
PIECE = b"p" * 1024
PIECES = 100


async def answer(send: Send, body: bytes) -> None:
    """Answer 200 with *body*, as a plain application does."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/plain"),
                (b"content-length", b"%d" % len(body)),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def lifespan(receive: Receive, send: Send) -> None:
    """Start and stop at once."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def hello(scope: Message, receive: Receive, send: Send) -> None:
    """Answer a constant: what is left is the server."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    await answer(send, HELLO)


async def read_body(scope: Message, receive: Receive, send: Send) -> None:
    """Read the whole body and answer its size."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await answer(send, b"%d" % size)


async def stream(scope: Message, receive: Receive, send: Send) -> None:
    """Answer a hundred chunks of 1 KiB, without saying how many there will be."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(PIECES):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Send every message of a WebSocket back; answer plain requests with a constant."""
    kind = scope["type"]
    if kind == "lifespan":
        await lifespan(receive, send)
        return
    if kind == "http":
        await answer(send, HELLO)
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is not None:
            await send({"type": "websocket.send", "text": text})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})
