"""
Answers with what it was told: who has asked, whom, how, and for what.

``app`` is WSGI, ``asgi`` is ASGI; both say it in the same words.
"""

import json
from typing import Any

from tiamat.types import Environ, Scope, StartResponse


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """What the environ says, as JSON."""
    said = {
        "client": environ["REMOTE_ADDR"],
        "scheme": environ["wsgi.url_scheme"],
        "host": environ.get("HTTP_HOST", ""),
        "path": environ["SCRIPT_NAME"] + environ["PATH_INFO"],
        "query": environ["QUERY_STRING"],
        "size": len(environ["wsgi.input"].read()),
    }
    body = json.dumps(said).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: Scope, receive: Any, send: Any) -> None:
    """What the scope says, the same."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    size = 0
    more = True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    said = {
        "client": scope["client"][0],
        "scheme": scope["scheme"],
        "host": dict(scope["headers"]).get(b"host", b"").decode(),
        "path": scope["path"],
        "query": scope["query_string"].decode(),
        "size": size,
    }
    body = json.dumps(said).encode()
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})
