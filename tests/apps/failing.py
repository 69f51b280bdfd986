"""ASGI that can't start."""

from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says so in its lifespan."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
