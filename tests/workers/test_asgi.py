"""The ASGI workers, in real processes."""

import signal
import socket

import pytest
from conftest import Serve
from running import Load

APP = """
import asyncio, os

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["pid"] = os.getpid()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        open("shut", "w").close()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await asyncio.sleep(0.001)
    assert scope["state"]["pid"] == os.getpid()
    text = f"{scope['http_version']} {scope['path']} {scope['client'][0]}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})

async def failing(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})

def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [b""]
"""

WAYS = [
    ("-k", "asgi", "--asgi-loop=uvloop"),
    ("-k", "asgi", "--asgi-loop=asyncio"),
    ("-k", "h11", "--asgi-loop=uvloop"),
    ("-k", "h11-async", "--asgi-loop=asyncio"),
    (),
]


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_an_application_is_served_and_shut_down(
    serve: Serve, way: tuple[str, ...], tmp_path: object
) -> None:
    """Each worker on each loop, and the worker that is chosen by itself."""
    server = serve("mine:app", *way, config=f"open('mine.py', 'w').write({APP!r})")

    assert server.get("/x%20y").text == "1.1 /x y 127.0.0.1"
    assert server.stop() == 0
    assert (server.directory / "shut").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_nothing_is_lost_under_load(serve: Serve, number: int) -> None:
    """A reload and a stop, with clients that keep their connections and not."""
    server = serve(
        "mine:app", "-k", "asgi", "-w2", config=f"open('mine.py', 'w').write({APP!r})"
    )
    with Load(server.address) as load:
        load.wait_for_requests()
        if number == signal.SIGHUP:
            server.signal(number)
            server.wait_for_log(r"gen=2 pid=\d+ serves", 2)
            load.wait_for_requests()
        load.stop()
    if number == signal.SIGTERM:
        assert server.stop() == 0

    assert load.losses == []


def test_a_startup_that_fails_ends_with_3_and_the_reason(serve: Serve) -> None:
    """The application's own message is in the log."""
    server = serve(
        "mine:failing", "-k", "asgi", config=f"open('mine.py', 'w').write({APP!r})"
    )

    assert server.wait_for_exit() == 3
    assert "no database" in server.log


def test_a_wsgi_application_is_refused(serve: Serve) -> None:
    """With what to do instead."""
    server = serve(
        "mine:wsgi", "-k", "asgi", config=f"open('mine.py', 'w').write({APP!r})"
    )

    assert server.wait_for_exit() == 4
    assert "WSGI" in server.log


def test_a_blocked_loop_is_noticed(serve: Serve) -> None:
    """Stack and request are in the log before the worker is killed."""
    app = (
        "import time\nasync def app(scope, receive, send):\n"
        "    if scope['type'] == 'http': time.sleep(60)\n    else: raise TypeError\n"
    )
    server = serve(
        "mine:app", "-k", "asgi", "--timeout=2",
        config=f"open('mine.py', 'w').write({app!r})",
    )  # fmt: skip
    server.expect("SIGKILL")
    server.expect("Traceback")
    with socket.create_connection(server.address) as client:
        client.sendall(b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")

        server.wait_for_log("GET /stuck")
        server.wait_for_log("time.sleep")
