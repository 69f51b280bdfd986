"""
What applications do to their process, by the path; any other answers with the pid.

``app`` is WSGI, ``asgi`` is ASGI.
"""

import asyncio
import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Any

from tiamat.types import Environ, Scope, StartResponse

MIB = 1 << 20


def begin(path: str) -> None:
    """Say that a request is here."""
    if path == "/":
        Path("begun").touch()


def leave() -> None:
    """As a script does."""
    sys.exit(0)


def fork() -> None:
    """A process that ends at once, and one that it leaves behind."""
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            time.sleep(0.2)
        os._exit(3)
    os.waitpid(child, 0)


def crash() -> None:
    """C code that follows a null pointer."""
    ctypes.string_at(0)


def eat() -> None:
    """More memory than there is."""
    eaten = []
    while True:
        eaten.append(os.urandom(MIB))


DEEDS = {"/exit": leave, "/fork": fork, "/crash": crash, "/eat": eat}


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """
    The query is how many seconds it takes.

    For ``/?0.5`` the file ``begun`` says that it has begun.
    """
    DEEDS.get(environ["PATH_INFO"], int)()
    if seconds := environ["QUERY_STRING"]:
        begin(environ["PATH_INFO"])
        time.sleep(float(seconds))
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: Scope, receive: Any, send: Any) -> None:
    """The same."""
    if scope["type"] == "lifespan":
        raise NotImplementedError
    DEEDS.get(scope["path"], int)()
    if seconds := scope["query_string"]:
        begin(scope["path"])
        await asyncio.sleep(float(seconds))
    body = str(os.getpid()).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
