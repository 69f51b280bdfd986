"""aiohttp's own kind of application; it serves what its worker makes of it."""

import asyncio
import os
import time
from pathlib import Path

from aiohttp import web


def note(word: str) -> None:
    with Path("notes").open("a") as file:
        print(word, file=file)


async def answer(request: web.Request) -> web.Response:
    return web.Response(text=str(os.getpid()))


async def slow(request: web.Request) -> web.Response:
    """Takes so long that a stop comes meanwhile."""
    note("slow")
    await asyncio.sleep(1)
    return await answer(request)


async def block(request: web.Request) -> web.Response:
    """The whole loop stands still."""
    note("blocked")
    time.sleep(100)  # noqa: ASYNC251
    return await answer(request)


app = web.Application()
app.add_routes([web.get("/", answer), web.get("/slow", slow), web.get("/block", block)])


async def make() -> web.Application:
    """What is called when the worker runs."""
    return app


async def fail() -> web.Application:
    """What fails then."""
    raise RuntimeError("no database")
