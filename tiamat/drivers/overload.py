"""
Requests that have waited too long in a worker: a 503 instead of the application.

Theory: behind a queue that is older than its clients are patient, an application works
for those who have gone, and whoever is still there waits in vain behind them. An answer
that costs nothing, to those who have waited longest, makes the queue short again.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tiamat.gateways.wsgi import WSGIResponse
from tiamat.types import ASGIApp, Environ, Scope

if TYPE_CHECKING:
    from tiamat.drivers.connection import EventedConnection
    from tiamat.drivers.evented import Handle

_BODY = b"503 Service Unavailable\n"


def dated(base: "type[EventedConnection]") -> "type[EventedConnection]":
    """A connection that knows since when its request waits: ``arrived_at``."""

    class DatedConnection(base):  # type: ignore[valid-type, misc]
        __slots__ = ("arrived_at",)

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.arrived_at = self.loop.now

        def on_received(self, data: bytes) -> None:
            """Take what came."""
            self.arrived_at = self.loop.now
            super().on_received(data)

        def responded(self) -> None:
            """What is pipelined has waited for its client's own requests so far."""
            self.arrived_at = self.loop.now
            super().responded()

    return DatedConnection


def in_time(run: "Handle", turn_away: "Handle", limit: float) -> "Handle":
    """Wrap *run*: what has waited longer than *limit* seconds is turned away."""

    def handle(response: WSGIResponse, connection: Any, environ: Environ) -> None:
        if connection.loop.clock() - connection.arrived_at > limit:
            turn_away(response, connection, environ)
        else:
            run(response, connection, environ)

    return handle


def busy_wsgi(limit: float) -> Callable[[Environ, Any], list[bytes]]:
    """The application of those that are turned away."""
    headers = [(name.decode(), value.decode()) for name, value in _headers(limit)]

    def busy(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("503 Service Unavailable", headers)
        return [_BODY]

    return busy


def busy_asgi(limit: float) -> ASGIApp:
    """The same for ASGI, also for a WebSocket's handshake."""
    headers = _headers(limit)

    async def busy(scope: Scope, receive: Any, send: Any) -> None:
        kind = "http" if scope["type"] == "http" else "websocket.http"
        await send(
            {"type": f"{kind}.response.start", "status": 503, "headers": headers}
        )
        await send({"type": f"{kind}.response.body", "body": _BODY})

    return busy


def _headers(limit: float) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"text/plain"),
        (b"content-length", b"%d" % len(_BODY)),
        (b"retry-after", b"%d" % max(1, math.ceil(limit))),
    ]
