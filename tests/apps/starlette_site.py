"""Starlette: static files, server-sent events and a WebSocket endpoint."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

Path("static").mkdir(exist_ok=True)
Path("static/digits.txt").write_text("0123456789" * 100_000)

pushed: "asyncio.Queue[str]" = asyncio.Queue()


def note(word: str) -> None:
    with Path("notes").open("a") as file:
        print(word, file=file)


async def push(request: Request) -> Response:
    """Let the next event go."""
    pushed.put_nowait((await request.body()).decode())
    return Response(status_code=204)


async def events(request: Request) -> Response:
    """Until the event "end"."""

    async def lines() -> AsyncIterator[str]:
        yield "retry: 100\n\n"
        while (word := await pushed.get()) != "end":
            yield f"data: {word}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


async def fail(request: Request) -> Response:
    raise ValueError("on purpose")


async def words(request: Request) -> Response:
    return PlainTextResponse("words " * 1000)


async def cookie(request: Request) -> Response:
    """Two fields of one name, both ways."""
    response = PlainTextResponse(" ".join(request.headers.getlist("x-a")))
    response.set_cookie("one", "1")
    response.set_cookie("two", "2")
    return response


class Upper(WebSocketEndpoint):
    encoding = "json"

    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept(headers=[(b"x-room", b"1")])

    async def on_receive(self, websocket: WebSocket, data: object) -> None:
        await websocket.send_json({"you said": data})

    async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
        note(f"closed with {close_code}")


app = Starlette(
    routes=[
        Mount("/static", StaticFiles(directory="static")),
        Mount("/zipped", routes=[Route("/words", words)], middleware=[
            Middleware(GZipMiddleware),
        ]),
        Route("/push", push, methods=["POST"]),
        Route("/events", events),
        Route("/fail", fail),
        Route("/cookie", cookie),
        WebSocketRoute("/ws", Upper),
    ]
)  # fmt: skip
