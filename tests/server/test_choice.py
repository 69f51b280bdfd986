"""Workers that their application chooses, through a server's whole life."""

import signal
from pathlib import Path

import pytest
from conftest import Serve
from running import Load, Server

WSGI = """
import threading

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"wsgi " + b"threads" * environ["wsgi.multithread"]]
"""

ASGI = """
async def app(scope, receive, send):
    assert scope["type"] == "http", "no lifespan"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"asgi"})
"""

NEITHER = "def app(scope): pass\n"


def serve_site(serve: Serve, tmp_path: Path, source: str, *flags: str) -> Server:
    """A server of an application that the test may change."""
    (tmp_path / "server-0").mkdir()
    (tmp_path / "server-0" / "site_app.py").write_text(source)
    return serve("site_app:app", *flags)


def change(server: Server, source: str) -> None:
    """Another application, and a reload."""
    (server.directory / "site_app.py").write_text(source)
    server.signal(signal.SIGHUP)


@pytest.mark.parametrize(
    ("before", "after", "text"), [(WSGI, ASGI, "asgi"), (ASGI, WSGI, "wsgi ")]
)
def test_a_reload_may_change_the_interface(
    serve: Serve, tmp_path: Path, before: str, after: str, text: str
) -> None:
    """
    WSGI becomes ASGI, and the other way round, and no client notices.
    """
    server = serve_site(serve, tmp_path, before, "--workers=2")
    server.wait_for_log(r"gen=1 pid=\d+ serves", times=2)
    with Load(server.address) as load:
        change(server, after)
        server.wait_for_log(r"gen=1 pid=\d+ exited", times=2)
    name = "asgi" if text == "asgi" else "sync"

    assert text == server.get().text
    assert [] == load.losses
    server.wait_for_log(rf"gen=2 pid=\d+ goes on as {name}")


def test_a_reload_may_change_the_number_of_threads(
    serve: Serve, tmp_path: Path
) -> None:
    """
    With more than one, the worker is another one.
    """
    server = serve_site(serve, tmp_path, WSGI)
    assert "wsgi " == server.get().text

    server.config_path.write_text("threads = 2\n")
    change(server, WSGI)
    server.wait_for_log(r"gen=1 pid=\d+ exited")

    assert "wsgi threads" == server.get().text
    server.wait_for_log("goes on as threads")


def test_a_reload_that_nobody_serves_changes_nothing(
    serve: Serve, tmp_path: Path
) -> None:
    """
    The candidate is refused, the log names the cure, and the old workers go on.
    """
    server = serve_site(serve, tmp_path, WSGI, "--worker-class=sync")
    server.get()
    change(server, ASGI)
    server.wait_for_log("is an ASGI application, which the sync worker does not serve")
    change(server, NEITHER)
    server.wait_for_log("as applications of ASGI 2 were, which nothing here serves")

    assert "wsgi " == server.get().text
