"""Real asynchronous frameworks, through real servers, with real clients."""

import hashlib
import json
import subprocess
import threading
from pathlib import Path

import httpx
import pytest
from conftest import Serve
from running import LIMIT, Server, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

NUMBERS = "".join(f"{number}," for number in range(1000))

WAYS = [(worker, loop) for worker in ("asgi", "h11") for loop in ("uvloop", "asyncio")]


@pytest.fixture(params=WAYS, ids="-".join)
def flags(request: pytest.FixtureRequest) -> list[str]:
    """Each worker on each loop."""
    worker, loop = request.param
    return ["-k", worker, f"--asgi-loop={loop}"]


def client_of(server: Server) -> httpx.Client:
    """One that keeps its connections."""
    host, port = server.address
    return httpx.Client(
        base_url=f"http://{host}:{port}", timeout=LIMIT, trust_env=False
    )


def curl(server: Server, path: str, *options: str) -> str:
    """What curl prints."""
    host, port = server.address
    command = ["curl", "-q", "-sS", "--noproxy", "*", "--max-time", str(LIMIT)]
    url = f"http://{host}:{port}{path}"
    done = subprocess.run([*command, *options, url], capture_output=True, check=False)

    assert 0 == done.returncode, done.stderr.decode()
    return done.stdout.decode()


def url_of(server: Server, path: str) -> str:
    """For WebSockets."""
    host, port = server.address
    return f"ws://{host}:{port}{path}"


def notes(server: Server) -> list[str]:
    """What the application has written down."""
    try:
        return (server.directory / "notes").read_text().splitlines()
    except FileNotFoundError:
        return []


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 50 MB that is not the same everywhere."""
    path = tmp_path_factory.mktemp("upload") / "large.bin"
    block = bytes(range(256)) * 4096
    with path.open("wb") as file:
        for number in range(50):
            file.write(number.to_bytes(4, "big") + block[4:])
    return path


# --- FastAPI ----------------------------------------------------------------------


def test_fastapi(serve: Serve, flags: list[str], large: Path) -> None:
    """
    Validation, threads, streams, background tasks, dependencies with yield, 50 MB.
    """
    server = serve("apps.fastapi_site:app", *flags)
    server.expect("Traceback")  # of the view that divides by zero
    with client_of(server) as client:
        fastapi_answers(client)
        assert NUMBERS == client.get("/stream").text
        assert 202 == client.post("/background").status_code
        wait_until(lambda: "background" in notes(server), "the task behind the answer")
        fastapi_dependencies(client, server)
        uploaded = json.loads(
            curl(server, "/upload", "-F", f"file=@{large}", "-F", "title=Größe")
        )
    digest = hashlib.sha256(large.read_bytes()).hexdigest()

    assert {"title": "Größe", "size": 50 << 20, "sha256": digest} == uploaded
    assert 0 == server.stop()
    assert ("startup", "shutdown") == (notes(server)[0], notes(server)[-1])


def fastapi_answers(client: httpx.Client) -> None:
    """What is right, what is not, and what runs in a thread."""
    right = client.post("/items", json={"name": "ü", "price": 2})
    wrong = client.post("/items", json={"name": "ü", "price": "much"})
    broken = client.post("/items", content=b"{")

    assert {"name": "ü", "twice": 4.0, "database": "connected"} == right.json()
    assert (422, ["body", "price"]) == (
        wrong.status_code, wrong.json()["detail"][0]["loc"],
    )  # fmt: skip
    assert 422 == broken.status_code
    assert {"number": 7} == client.get("/thread/7").json()
    assert 405 == client.get("/items").status_code
    assert "/items" in client.get("/openapi.json").json()["paths"]


def fastapi_dependencies(client: httpx.Client, server: Server) -> None:
    """Closed behind a view that succeeds, that fails, and whose client has gone."""
    assert 1 == client.get("/session").json()
    assert 500 == client.get("/session?divisor=0").status_code
    with client.stream("GET", "/endless") as response:
        next(response.iter_bytes())
    wait_until(lambda: 3 == notes(server).count("closed"), "all sessions are closed")

    assert 3 == notes(server).count("opened")
    assert 1 == server.log.count("ZeroDivisionError: ")
    assert 1 == server.log.count("Traceback")


# --- Starlette ----------------------------------------------------------------------


def test_starlette(serve: Serve, flags: list[str]) -> None:
    """
    Static files whole and in part, events as they happen, WebSocket endpoints.
    """
    server = serve("apps.starlette_site:app", *flags)
    server.expect("Traceback")
    with client_of(server) as client:
        static_files(client)
        assert "01234" == curl(server, "/static/digits.txt", "-r", "10-14")
        assert "0123456789" * 100_000 == curl(server, "/static/digits.txt", "-0")
        several = client.get("/cookie", headers=[("X-A", "1"), ("x-a", "2")])
        assert ("1 2", 2) == (
            several.text, len(several.headers.get_list("set-cookie")),
        )  # fmt: skip
        failed = client.get("/fail")
        assert (500, "Internal Server Error") == (failed.status_code, failed.text)
        events(client)
    with connect(url_of(server, "/ws"), proxy=None) as websocket:
        response = websocket.response
        assert response is not None
        assert "1" == response.headers["x-room"]
        websocket.send('{"a": "ü"}')
        assert {"you said": {"a": "ü"}} == json.loads(websocket.recv(LIMIT))
        websocket.send("no json")
        with pytest.raises(ConnectionClosed) as caught:
            websocket.recv(LIMIT)
    assert caught.value.rcvd is not None
    assert 1003 == caught.value.rcvd.code
    assert "ValueError: on purpose" in server.log


def static_files(client: httpx.Client) -> None:
    """Range and conditional requests, HEAD, compression; files by sendfile."""
    whole = client.get("/static/digits.txt")
    head = client.head("/static/digits.txt")
    same = {"If-None-Match": whole.headers["etag"]}
    unchanged = client.get("/static/digits.txt", headers=same)
    part = client.get("/static/digits.txt", headers={"Range": "bytes=999995-"})
    parts = client.get("/static/digits.txt", headers={"Range": "bytes=0-1,8-9"})
    beyond = client.get("/static/digits.txt", headers={"Range": "bytes=2000000-"})
    zipped = client.get("/zipped/words")

    assert "0123456789" * 100_000 == whole.text
    assert ("1000000", b"") == (head.headers["content-length"], head.content)
    assert (304, b"") == (unchanged.status_code, unchanged.content)
    assert (206, "56789") == (part.status_code, part.text)
    assert "bytes 999995-999999/1000000" == part.headers["content-range"]
    assert (206, True, True) == (
        parts.status_code, "\r\n01\r\n" in parts.text, "\r\n89\r\n" in parts.text,
    )  # fmt: skip
    assert 416 == beyond.status_code
    assert ("gzip", "words " * 1000) == (
        zipped.headers["content-encoding"], zipped.text,
    )  # fmt: skip
    assert 404 == client.get("/static/../starlette_site.py").status_code


def events(client: httpx.Client) -> None:
    """Each is there before the next one happens."""
    with client.stream("GET", "/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in response.iter_lines() if line)
        assert "retry: 100" == next(lines)
        for word in ("one", "two", "three"):
            assert 204 == client.post("/push", content=word).status_code
            assert f"data: {word}" == next(lines)
        client.post("/push", content="end")
        assert [] == list(lines)


# --- Django -------------------------------------------------------------------------


def test_django(serve: Serve, flags: list[str]) -> None:
    """
    Asynchronous views and ORM, views in threads, uploads, streams, conditional GET.
    """
    server = serve("apps.django_site", *flags)
    with client_of(server) as client:
        first = client.get("/visit/W%C3%B6rld")
        second = client.get("/visit/two")
        whole = client.get("/styles")
        same = {"If-None-Match": whole.headers["etag"]}
        unchanged = client.get("/styles", headers=same)
        file = client.get("/file")
        uploaded = client.post(
            "/upload",
            data={"title": "T"},
            files={"file": ("f", b"u" * 3_000_000)},
        )
        stream = client.get("/stream")
        where = client.get("/where?a=b", headers={"X-Forwarded-Proto": "https"})
        missing = client.get("/missing")

    assert {"count": 1, "names": ["Wörld"]} == first.json()
    assert {"count": 2, "names": ["Wörld", "two"]} == second.json()
    assert (200, 304, "") == (
        whole.status_code, unchanged.status_code, unchanged.text,
    )  # fmt: skip
    assert "FileResponse" in file.text
    assert (200, {"size": 3_000_000, "title": "T"}) == (
        uploaded.status_code, uploaded.json(),
    )  # fmt: skip
    assert "yes" == uploaded.cookies["seen"]
    assert NUMBERS == stream.text
    assert f"https://{client.base_url.netloc.decode()}/where?a=b 127.0.0.1" == (
        where.text
    )
    assert 404 == missing.status_code


def test_django_queries_at_the_same_time(serve: Serve, flags: list[str]) -> None:
    """
    Each visitor is counted, whoever waits for the database meanwhile.
    """
    server = serve("apps.django_site", *flags)
    counts: list[int] = []

    def visit() -> None:
        with client_of(server) as client:
            answers = [client.get("/visit/many") for _ in range(5)]
        counts.extend(answer.json()["count"] for answer in answers)

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)

    assert 20 == max(counts)
    assert 20 == len(counts)


# --- Litestar -------------------------------------------------------------------------


def test_litestar(serve: Serve, flags: list[str]) -> None:
    """
    Validation, dependencies with yield, streams, events, files and a listener.
    """
    server = serve("apps.litestar_site:app", *flags)
    with client_of(server) as client:
        right = client.post("/items", json={"name": "ü", "price": 2})
        wrong = client.post("/items", json={"name": "ü"})
        session = client.get("/session")
        uploaded = client.post("/upload", files={"data": ("f", b"u" * 3_000_000)})
        file = client.get("/file")
        events = client.get("/events")
        where = client.get("/client")

        assert (201, {"name": "ü", "price": 4.0}) == (right.status_code, right.json())
        assert 400 == wrong.status_code
        assert "session connected" == session.text
        assert {"size": 3_000_000} == uploaded.json()
        assert "websocket_listener" in file.text
        assert ["data: one", "data: two"] == events.text.split("\r\n\r\n")[:2]
        assert "/client 127.0.0.1" == where.text
        assert NUMBERS == client.get("/stream").text
    with connect(url_of(server, "/ws"), proxy=None) as websocket:
        websocket.send('{"number": 21}')
        assert {"twice": 42} == json.loads(websocket.recv(LIMIT))
    assert 0 == server.stop()
    assert ["startup", "opened", "closed", "shutdown"] == notes(server)


# --- Quart ----------------------------------------------------------------------------


def test_quart(serve: Serve, flags: list[str]) -> None:
    """
    Forms, streams both ways, limits, background tasks, files, WebSockets.
    """
    server = serve("apps.quart_site:app", *flags)
    with client_of(server) as client:
        hello = client.get("/hello/W%C3%B6rld?from=%C3%BCber")
        form = {"title": "T"}
        uploaded = client.post("/upload", data=form, files={"file": b"u" * 200_000})
        counted = client.post("/count", content=iter([b"c" * 100_000] * 9))
        too_much = client.post("/upload", data=form, files={"file": b"u" * 1_000_001})
        part = client.get("/file", headers={"Range": "bytes=3-7"})

        assert "Hello, Wörld of über!" == hello.text
        assert {"size": 200_000, "title": "T"} == uploaded.json()
        assert "900000" == counted.text
        assert 413 == too_much.status_code
        assert (206, "Quart") == (part.status_code, part.text)
        assert NUMBERS == client.get("/stream").text
        assert 202 == client.post("/background").status_code
        wait_until(lambda: "background" in notes(server), "the background task")
    with connect(
        url_of(server, "/ws/room"), proxy=None, subprotocols=[Subprotocol("chat")]
    ) as websocket:
        assert "chat" == websocket.subprotocol
        websocket.send("hi")
        assert "room: 'hi'" == websocket.recv(LIMIT)
    assert 0 == server.stop()
    assert ["startup", "background", "shutdown"] == notes(server)
