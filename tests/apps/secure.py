"""Tells what it knows of TLS, and gives back what was sent to it."""

import json
import os
from typing import Any

TOLD = ("SSL_", "HTTPS", "wsgi.url_scheme")
LARGE = os.path.abspath("large")
COUNTS = {"complete": 0}


def app(environ: Any, start_response: Any) -> Any:
    """WSGI."""
    path = environ["PATH_INFO"]
    body = b"".join(iter(lambda: environ["wsgi.input"].read(65536), b""))
    COUNTS["complete"] += path == "/body"
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/file":
        return environ["wsgi.file_wrapper"](open(LARGE, "rb"))
    told = {k: v for k, v in environ.items() if k.startswith(TOLD)}
    return [answer(path, body, told)]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """ASGI."""
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": scope["scheme"]})
        await receive()
        return
    path = scope["path"]
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    COUNTS["complete"] += path == "/body"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if path == "/file":
        await send({"type": "http.response.pathsend", "path": LARGE})
        return
    told = {"scheme": scope["scheme"], "tls": scope["extensions"].get("tls")}
    await send(
        {"type": "http.response.body", "body": answer(path, body, told)},
    )


def answer(path: str, body: bytes, told: object) -> bytes:
    """What either has to say."""
    if path == "/told":
        return json.dumps(told).encode()
    if path == "/count":
        return str(COUNTS["complete"]).encode()
    return body or b"hello"
