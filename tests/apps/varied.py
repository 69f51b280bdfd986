"""
Answers with the pid of the worker, after as many seconds as the query says.

``app`` is WSGI, ``asgi`` is ASGI. The file ``import_seconds`` says how long it takes
to import this.
"""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from tiamat.types import Environ, Scope, StartResponse

HEAD = {"type": "http.response.start", "status": 200}

if Path("import_seconds").exists():
    time.sleep(float(Path("import_seconds").read_text()))


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """``/?0.5`` takes half a second; the body has a length, so none may be short."""
    time.sleep(float(environ["QUERY_STRING"] or 0))
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: Scope, receive: Any, send: Any) -> None:
    """The same."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await asyncio.sleep(float(scope["query_string"] or 0))
    body = str(os.getpid()).encode()
    await send(HEAD | {"headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
