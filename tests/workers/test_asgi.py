"""The ASGI workers, in real processes."""

import contextlib
import re
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from conftest import Serve
from running import LIMIT, Load, Server, wait_until

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


STREAMS = """
import asyncio

STATE = {"taken": 0, "sent": 0}
PIECE = bytes(65536)
reading = asyncio.Event()

async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})

async def stream(send, size):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(size // len(PIECE)):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        STATE["sent"] += 1
    await send({"type": "http.response.body"})

async def read(receive, send):
    size = pieces = 0
    more = True
    while more:
        if pieces == 5:
            await reading.wait()
            reading.clear()
        message = await receive()
        more = message["more_body"]
        size += len(message["body"])
        pieces += 1
        STATE["taken"] = pieces
    await answer(send, f"{size}")

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise TypeError
    path, _, size = scope["path"].rpartition("/")
    if path == "/stream":
        await stream(send, int(size))
    elif path == "/upload":
        await read(receive, send)
    else:
        if path == "/go-on":
            reading.set()
        await answer(send, f"{STATE['taken']} {STATE['sent']}")
"""

PASSING = 1 << 26
"""Bytes that pass: much more than any buffer has, and no burden for a test."""

ALLOWED = 1_000_000


def memory(server: Server) -> int:
    """
    Bytes of the one worker that are no file's.

    Not those that are private to it: a page that it has shared with the master is that
    from the first reference that is counted there.
    """
    (worker,) = server.workers()
    rows = Path(f"/proc/{worker}/smaps_rollup").read_text()
    found = re.search(r"^Anonymous: *(\d+) kB", rows, re.MULTILINE)
    assert found is not None
    return 1024 * int(found[1])


def stands(server: Server) -> bool:
    """Whether neither side moves any more; if it should be wrong, nothing fails."""
    seen = {server.get("/state/0").text for _ in range(10)}
    return len(seen) == 1


def grown(server: Server, scenario: Callable[[Callable[[], object]], object]) -> int:
    """
    By how much a worker grows while a scenario is at its pause, and behind it.

    It is played twice before that: what is made once for all requests is there then.
    """
    seen: list[int] = []
    scenario(lambda: None)
    scenario(lambda: None)
    before = memory(server)
    scenario(lambda: seen.append(memory(server)))
    return max(*seen, memory(server)) - before


def fetch(server: Server, pause: Callable[[], object]) -> None:
    """Read a quarter of a stream, pause when it stands still, and read the rest."""
    buffer = bytearray(1 << 18)
    with socket.create_connection(server.address, LIMIT) as sock:
        sock.sendall(b"GET /stream/%d HTTP/1.0\r\n\r\n" % PASSING)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        size = 0
        while count := sock.recv_into(buffer):
            if size < PASSING // 4 <= size + count:
                wait_until(lambda: stands(server), "the stream stands still")
                pause()
            size += count
    assert size == PASSING


def upload(server: Server, pause: Callable[[], object]) -> None:
    """Send as much as is taken, pause when it stands still, and send the rest."""
    piece = bytes(1 << 16)
    sent = 0
    with socket.create_connection(server.address, LIMIT) as sock:

        def send() -> bool:
            nonlocal sent
            with contextlib.suppress(BlockingIOError):
                while sent < PASSING:
                    sent += sock.send(piece[: PASSING - sent])
            return stands(server)

        sock.sendall(b"POST /upload/0 HTTP/1.1\r\nHost: a\r\n")
        sock.sendall(b"Content-Length: %d\r\n\r\n" % PASSING)
        sock.setblocking(False)
        wait_until(send, "the upload stands still")
        assert sent < PASSING
        pause()
        server.get("/go-on/0")
        sock.settimeout(LIMIT)
        send()
        answer = b""
        while not answer.endswith(b"\r\n\r\n%d" % PASSING):
            more = sock.recv(65536)
            assert more, answer
            answer += more


@pytest.mark.soak
@pytest.mark.parametrize("scenario", [fetch, upload])
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_who_stops_costs_less_than_a_megabyte(
    serve: Serve,
    loop: str,
    scenario: Callable[[Server, Callable[[], object]], None],
) -> None:
    """A reader or an application, of a body of any size; all comes when it goes on."""
    server = serve(
        "mine:app", "-k", "asgi", f"--asgi-loop={loop}",
        config=f"open('mine.py', 'w').write({STREAMS!r})",
    )  # fmt: skip

    assert grown(server, partial(scenario, server)) < ALLOWED


def test_max_requests_without_a_loss(serve: Serve) -> None:
    """Workers are replaced at their number, under load, again and again."""
    server = serve(
        "mine:app", "-k", "asgi", "-w2", "--max-requests=40",
        config=f"open('mine.py', 'w').write({APP!r})",
    )  # fmt: skip
    with Load(server.address) as load:
        server.wait_for_log("retires: max_requests", 4)
        load.stop()

    assert load.losses == []
