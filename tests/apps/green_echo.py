"""For gevent-websocket: what comes is sent back."""

from typing import Any


def app(environ: Any, start_response: Any) -> list[bytes]:
    """A WebSocket, under its own name in the environ."""
    websocket = environ["wsgi.websocket"]
    while (message := websocket.receive()) is not None:
        websocket.send(message)
    return []
