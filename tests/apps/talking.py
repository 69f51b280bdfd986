"""WebSockets: an echo that writes down how it ended."""

from pathlib import Path
from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Echo under any path, deny under ``/no``, answer requests with a word."""
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"plain"})
    elif scope["type"] == "websocket":
        await receive()
        if scope["path"] == "/no":
            start = {"type": "websocket.http.response.start", "status": 401}
            await send(start)
            await send({"type": "websocket.http.response.body", "body": b"who?"})
            return
        offered = scope["subprotocols"]
        chosen = offered[-1] if offered else None
        await send({"type": "websocket.accept", "subprotocol": chosen})
        await talk(receive, send)


async def talk(receive: Any, send: Any) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
    note(message["code"])


def note(code: int) -> None:
    with Path("ends").open("a") as file:
        file.write(f"{code}\n")
