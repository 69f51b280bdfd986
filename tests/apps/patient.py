"""
Reads what it is sent, and answers ``ok``, or half a megabyte under ``/large``.

``app`` is WSGI, ``asgi`` is ASGI.
"""

from typing import Any

from tiamat.types import Environ, StartResponse

LARGE = b"x" * 500_000
OK = b"ok"


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """The application, for WSGI."""
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [LARGE if environ["PATH_INFO"] == "/large" else OK]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """The same for ASGI, without a lifespan."""
    if scope["type"] != "http":
        raise NotImplementedError
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    body = LARGE if scope["path"] == "/large" else OK
    await send({"type": "http.response.body", "body": body})
