"""ASGI: requests that take their time, and a lifespan that writes down when."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

START = {"type": "http.response.start", "status": 200, "headers": []}


def note(word: str) -> None:
    with Path("notes").open("a") as file:
        print(word, file=file)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The path says how it is answered; ``/`` with the pid, at once."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        await PATHS.get(scope["path"], answer)(receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    """Beside it a task runs that has to clean up."""
    await receive()
    cleaner = asyncio.create_task(beside(), name="beside")
    await asyncio.sleep(0)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    note("shutdown")
    await send({"type": "lifespan.shutdown.complete"})
    del cleaner


async def beside() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        note("cleaned up")


async def answer(receive: Any, send: Any) -> None:
    await asyncio.sleep(0)
    await send(START)
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})


async def slow(receive: Any, send: Any) -> None:
    """Takes so long that a stop comes meanwhile."""
    note("slow")
    await asyncio.sleep(1)
    note("answered")
    await answer(receive, send)


async def block(receive: Any, send: Any) -> None:
    """The whole loop stands still."""
    note("blocked")
    time.sleep(100)  # noqa: ASYNC251


async def stuck(receive: Any, send: Any) -> None:
    """Never answers, and writes down that it was cancelled."""
    note("stuck")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        note("cancelled")
        raise


async def stuck_late(receive: Any, send: Any) -> None:
    """Begins, and never goes on."""
    await send(START)
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    await stuck(receive, send)


async def stream(receive: Any, send: Any) -> None:
    """Goes on until it is told to end, and then says so."""
    await receive()
    listening = asyncio.ensure_future(receive())
    await send(START)
    while not listening.done():
        await send({"type": "http.response.body", "body": b".", "more_body": True})
        await asyncio.wait((listening,), timeout=0.1)
    note(listening.result()["type"])
    await send({"type": "http.response.body", "body": b"end"})


PATHS = {
    "/block": block,
    "/late": stuck_late,
    "/slow": slow,
    "/stream": stream,
    "/stuck": stuck,
}
