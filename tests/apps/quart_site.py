"""Quart: forms, streams, background tasks and WebSockets."""

from collections.abc import AsyncIterator
from pathlib import Path

from quart import Quart, Response, request, send_file, websocket


def note(word: str) -> None:
    with Path("notes").open("a") as file:
        print(word, file=file)


app = Quart(__name__)
app.config["MAX_CONTENT_LENGTH"] = 1_000_000


@app.before_serving
async def startup() -> None:
    note("startup")


@app.after_serving
async def shutdown() -> None:
    note("shutdown")


@app.get("/hello/<name>")
async def hello(name: str) -> str:
    return f"Hello, {name} of {request.args['from']}!"


@app.post("/upload")
async def upload() -> dict[str, object]:
    files = await request.files
    form = await request.form
    return {"size": len(files["file"].read()), "title": form["title"]}


@app.post("/count")
async def count() -> str:
    """The body as it comes, and not in one piece."""
    return str(sum([len(piece) async for piece in request.body]))


@app.get("/stream")
async def stream() -> Response:
    async def numbers() -> AsyncIterator[str]:
        for number in range(1000):
            yield f"{number},"

    return Response(numbers(), mimetype="text/plain")


@app.get("/file")
async def file() -> Response:
    return await send_file(__file__, conditional=True)


@app.post("/background")
async def background() -> tuple[str, int]:
    async def later() -> None:
        note("background")

    app.add_background_task(later)
    return "accepted", 202


@app.websocket("/ws/<room>")
async def talk(room: str) -> None:
    await websocket.accept(subprotocol=websocket.requested_subprotocols[0])
    while True:
        await websocket.send(f"{room}: {await websocket.receive()!r}")
