"""
Answers /healthz with what the file ``health`` says when the process starts.

A status, "die" or "hang"; 200 if there is no such file. What was asked is noted in the
file ``asked``; other paths answer with the pid. ``app`` is WSGI, ``asgi`` is ASGI.
"""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from tiamat.types import Environ, Scope, StartResponse

HEALTH = Path("health").read_text() if Path("health").exists() else "200"
STATE = ["down"]


def note(*words: object) -> None:
    """Write down what was asked."""
    with Path("asked").open("a") as file:
        print(*words, file=file)


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """The application, for WSGI."""
    if environ["PATH_INFO"] != "/healthz":
        start_response("200 OK", [])
        return [str(os.getpid()).encode()]
    scheme, server = environ["wsgi.url_scheme"], environ["SERVER_NAME"]
    note(scheme, environ["HTTP_HOST"], server, environ["REMOTE_ADDR"])
    if HEALTH == "die":
        os._exit(7)
    while HEALTH == "hang":
        time.sleep(0.01)
    start_response(f"{HEALTH} As Told", [])
    return [b"x" * 100_000]


async def asgi(scope: Scope, receive: Any, send: Any) -> None:
    """The application, for ASGI; its lifespan is up when it is asked."""
    if scope["type"] == "lifespan":
        await receive()
        STATE[0] = "up"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    status, body = 200, str(os.getpid()).encode()
    if scope["path"] == "/healthz":
        host = dict(scope["headers"])[b"host"].decode()
        note(scope["scheme"], host, scope["server"][0], scope["client"][0])
        if HEALTH == "hang":
            await asyncio.sleep(600)
        status, body = int(HEALTH) if STATE == ["up"] else 500, b"x" * 100_000
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})
