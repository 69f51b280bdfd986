"""Litestar: validation, dependencies, events, a WebSocket and files."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from litestar import Litestar, Request, get, post, websocket_listener
from litestar.datastructures import State, UploadFile
from litestar.di import Provide
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import File, ServerSentEvent, Stream


def note(word: str) -> None:
    with Path("notes").open("a") as file:
        print(word, file=file)


@dataclass
class Item:
    name: str
    price: float


async def session() -> AsyncGenerator[str, None]:
    note("opened")
    yield "session"
    note("closed")


@post("/items")
async def items(data: Item) -> Item:
    return Item(data.name, data.price * 2)


@get("/session", dependencies={"session": Provide(session)})
async def with_session(session: str, state: State) -> str:
    return f"{session} {state.database}"


@get("/stream")
async def stream() -> Stream:
    async def numbers() -> AsyncGenerator[str, None]:
        for number in range(1000):
            yield f"{number},"

    return Stream(numbers())


@get("/events")
async def events() -> ServerSentEvent:
    async def words() -> AsyncGenerator[str, None]:
        for word in ("one", "two"):
            yield word

    return ServerSentEvent(words())


@get("/file")
async def file() -> File:
    return File(Path(__file__), filename="site.py")


@post("/upload")
async def upload(
    data: Annotated[UploadFile, Body(media_type=RequestEncodingType.MULTI_PART)],
) -> dict[str, int]:
    return {"size": len(await data.read())}


@get("/client")
async def client(request: Request[Any, Any, State]) -> str:
    return f"{request.url.path} {request.client.host if request.client else None}"


@websocket_listener("/ws")
async def talk(data: dict[str, int]) -> dict[str, int]:
    return {"twice": data["number"] * 2}


async def connect(app: Litestar) -> None:
    app.state.database = "connected"
    note("startup")


async def disconnect(app: Litestar) -> None:
    note("shutdown")


app = Litestar(
    [items, with_session, stream, events, file, upload, client, talk],
    on_startup=[connect],
    on_shutdown=[disconnect],
)
