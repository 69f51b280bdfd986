"""Tells what it is served with, over WSGI and over ASGI."""

import json
import os
import threading
from typing import Any

from tiamat.types import Environ, StartResponse


def facts(**more: object) -> bytes:
    """What the process knows of itself, and more."""
    known = {
        "pid": os.getpid(),
        "env": dict(os.environ),
        "threads": [thread.name for thread in threading.enumerate()],
    }
    return json.dumps(known | more).encode()


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """WSGI."""
    start_response("200 OK", [("Content-Type", "application/json")])
    print("asked", flush=True)
    body = facts(
        interface="wsgi",
        scheme=environ["wsgi.url_scheme"],
        multithread=environ["wsgi.multithread"],
        multiprocess=environ["wsgi.multiprocess"],
    )
    return [body]


def make() -> Any:
    """A factory."""
    return app


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """ASGI."""
    if scope["type"] != "http":
        raise RuntimeError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    body = facts(interface="asgi", scheme=scope["scheme"])
    await send({"type": "http.response.body", "body": body})
