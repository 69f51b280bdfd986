"""FastAPI: what a site of it does, written down where the client can't see it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, Form, Request, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


def note(word: str) -> None:
    with Path("notes").open("a") as file:
        print(word, file=file)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
    note("startup")
    yield {"database": "connected"}
    note("shutdown")


app = FastAPI(lifespan=lifespan)


class Item(BaseModel):
    name: str
    price: float


async def session() -> AsyncIterator[str]:
    note("opened")
    try:
        yield "session"
    finally:
        note("closed")


Session = Annotated[str, Depends(session)]


@app.post("/items")
async def items(item: Item, request: Request) -> dict[str, object]:
    return {"name": item.name, "twice": item.price * 2, **request.state._state}


@app.get("/thread/{number}")
def thread(number: int) -> dict[str, int]:
    """No coroutine: it runs in a pool of threads."""
    return {"number": number}


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def numbers() -> AsyncIterator[str]:
        for number in range(1000):
            yield f"{number},"
            if not number % 100:
                await asyncio.sleep(0)

    return StreamingResponse(numbers(), media_type="text/plain")


@app.get("/endless")
async def endless(session: Session) -> StreamingResponse:
    """The session is to be closed when the client has gone."""

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"p" * 10_000
            await asyncio.sleep(0)

    return StreamingResponse(pieces())


@app.post("/background", status_code=202)
async def background(tasks: BackgroundTasks) -> str:
    async def later() -> None:
        await asyncio.sleep(0)
        note("background")

    tasks.add_task(later)
    return "accepted"


@app.get("/session")
async def with_session(session: Session, divisor: int = 1) -> float:
    note(session)
    return 1 / divisor


@app.post("/upload")
async def upload(file: UploadFile, title: Annotated[str, Form()]) -> dict[str, object]:
    digest = hashlib.sha256()
    size = 0
    while piece := await file.read(1 << 20):
        digest.update(piece)
        size += len(piece)
    return {"title": title, "size": size, "sha256": digest.hexdigest()}
