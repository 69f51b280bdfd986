"""
Workers that post messages, and write down what they hear, one line each.

``/?to=all&count=100&first=7`` posts so many numbers; the response says how many are on
their way. A worker writes to ``heard-SLOT``: the sender, the number, and how many
messages it missed before that one.
"""

import asyncio
import os
import threading
from typing import IO, Any
from urllib.parse import parse_qsl

import tiamat
from tiamat.types import Environ, Message, Scope, StartResponse
from tiamat.workers.mailbox import Received

worker = tiamat.current_worker()
heard: IO[str] = open(  # noqa: SIM115 - as long as the process
    f"heard-{worker.slot if worker else 'none'}", "a", buffering=1
)


def note(message: Received) -> None:
    """Write down one message."""
    heard.write(f"{message.sender} {message.data} {message.missed}\n")


def post(query: str) -> str:
    """Post what a request asks for."""
    assert worker is not None
    options = dict(parse_qsl(query))
    if "fork" in options:
        return forked()
    to = options.get("to", "master")
    first = int(options.get("first", 0))
    numbers = range(first, first + int(options.get("count", 1)))
    if "retire" in options:
        worker.retire(options["retire"])
    sent = sum(
        worker.post(
            number, topic="numbers", to=int(to) if to.isdigit() else to, patience=30.0
        )
        for number in numbers
    )
    return f"{sent} from {worker.slot} gen {worker.generation}"


def forked() -> str:
    """What a process says that the application has forked."""
    pid = os.fork()
    if not pid:
        os._exit(0 if tiamat.current_worker() is None else 1)
    return str(os.waitpid(pid, 0)[1])


if worker is not None:
    worker.on_message(note, topic="numbers")

    @worker.on_message(topic="bad")
    def fail(message: Received) -> None:
        """A handler with a mistake."""
        raise RuntimeError(f"{message.data} was bad")

    @worker.on_orphaned
    def orphaned() -> None:
        """The master is gone."""
        heard.write("orphaned\n")


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """For WSGI."""
    body = post(environ["QUERY_STRING"]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: Scope, receive: Any, send: Any) -> None:
    """For ASGI; it hears messages by iteration, and by a coroutine function, too."""
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    query = scope["query_string"].decode()
    body = (await asyncio.to_thread(post, query)).encode()
    length = str(len(body)).encode()
    start: Message = {"type": "http.response.start", "status": 200}
    await send(start | {"headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


async def live(receive: Any, send: Any) -> None:
    """Listen as long as the application lives."""
    await receive()
    assert worker is not None

    @worker.on_message(topic="numbers")
    async def later(message: Received) -> None:
        await asyncio.sleep(0)
        heard.write(f"awaited {message.data}\n")

    listener = asyncio.create_task(listen())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    listener.cancel()
    await send({"type": "lifespan.shutdown.complete"})


async def listen() -> None:
    """Write down every message that comes."""
    assert worker is not None
    async for message in worker.messages("numbers"):
        heard.write(f"iterated {message.data}\n")


def on_a_thread(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Post from a thread of the application's own."""
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(post(environ["QUERY_STRING"])))
    thread.start()
    thread.join()
    start_response("200 OK", [])
    return [said[0].encode()]
