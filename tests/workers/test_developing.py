"""``--reload``: what is on the disk is served, or why it can't be."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from conftest import Serve
from running import Server, wait_until

from tiamat.errors import StartupError
from tiamat.workers.developing import Failure

WSGI = """
import {module}
def app(environ, start_response):
    start_response("200 OK", [])
    return [{module}.TEXT]
"""

ASGI = """
import {module}
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": {module}.TEXT}})
"""

EVERY_WAY = pytest.mark.parametrize(
    ("app", "flags"),
    [
        (WSGI, ()),
        (WSGI, ("--reload-engine=poll", "-k", "threads")),
        (WSGI, ("-k", "gevent")),
        (ASGI, ("-k", "asgi")),
        pytest.param(ASGI, ("-k", "h11", "--workers=3"), marks=pytest.mark.soak),
    ],
    ids=["auto", "poll-threads", "gevent", "asgi", "h11"],
)


class Site:
    """A server under ``--reload``, and the files of its application."""

    def __init__(self, serve: Serve, tmp_path: Path, app: str, *flags: str) -> None:
        self.directory = tmp_path / "server-0"
        self.directory.mkdir()
        (self.directory / "shop").mkdir()
        self.write("site_app.py", app.format(module="shop.texts"))
        self.write("shop/__init__.py", "")
        self.write("shop/texts.py", "TEXT = b'one'\n")
        self.flags = ("--reload", *flags)
        self.serve = serve

    def start(self) -> Server:
        """Start the server."""
        self.server = self.serve("site_app:app", *self.flags)
        self.server.expect("Traceback")
        return self.server

    def write(self, name: str, text: str) -> None:
        """Change a file as editors do: another one takes its name."""
        new = self.directory / "new~"
        new.write_text(text)
        new.rename(self.directory / name)

    def wait_for(self, text: str) -> None:
        """Wait until this is served."""
        wait_until(lambda: text in self.server.get().text, f"{text} is served")


@EVERY_WAY
def test_a_change_is_served(
    serve: Serve, tmp_path: Path, app: str, flags: tuple[str, ...]
) -> None:
    """The log names the file; a further change is noticed by the new worker."""
    site = Site(serve, tmp_path, app, *flags)
    server = site.start()
    site.wait_for("one")
    site.write("shop/texts.py", "TEXT = b'two'\n")
    server.wait_for_log("changed: shop/texts.py: reloading")
    site.wait_for("two")
    server.wait_for_log("every worker is of generation 2")
    site.write("shop/texts.py", "TEXT = b'three'\n")
    site.wait_for("three")


@EVERY_WAY
def test_what_can_not_be_loaded_is_shown(
    serve: Serve, tmp_path: Path, app: str, flags: tuple[str, ...]
) -> None:
    """At the first start and at a reload; the next change loads again."""
    site = Site(serve, tmp_path, app, *flags)
    site.write("shop/texts.py", "TEXT = b'one' if 1 < 2 else <b>\n")
    site.start()
    answer = site.server.get()
    site.server.wait_for_log("can't boot, and says so to who asks: 'site_app' failed")
    assert 500 == answer.status
    assert "text/html; charset=utf-8" == answer.headers["content-type"]
    assert "SyntaxError" in answer.text
    assert "TEXT = b&#x27;one&#x27; if 1 &lt; 2 else &lt;b&gt;" in answer.text
    site.write("shop/texts.py", "TEXT = b'two'\n")
    site.wait_for("two")
    site.write("shop/texts.py", "TEXT = 1 / 0\n")
    site.wait_for("ZeroDivisionError: division by zero")
    site.write("shop/texts.py", "TEXT = b'three'\n")
    site.wait_for("three")


def test_a_module_that_is_missing_may_come(serve: Serve, tmp_path: Path) -> None:
    """It is none of the files that were there when the application was loaded."""
    site = Site(serve, tmp_path, WSGI.replace("{module}", "soon"))
    server = site.start()
    assert "No module named" in server.get().text
    site.write("soon.py", "TEXT = b'here'\n")
    server.wait_for_log("changed: soon.py: reloading")
    site.wait_for("here")


def test_other_files_may_be_watched_too(serve: Serve, tmp_path: Path) -> None:
    """One that is not there yet, as well; and the configuration file always is."""
    site = Site(serve, tmp_path, WSGI, "--reload-extra-file=page.html")
    site.write("tiamat.conf.py", "workers = 1\n")
    server = site.start()
    site.wait_for("one")
    site.write("page.html", "<p>")
    server.wait_for_log("changed: page.html: reloading")
    server.wait_for_log("every worker is of generation 2")
    site.write("tiamat.conf.py", "workers = 2\n")
    server.wait_for_log("changed: tiamat.conf.py: reloading")
    server.wait_for_log("every worker is of generation 3")

    assert 2 == len(server.workers())


def test_the_gate_is_open(serve: Serve, tmp_path: Path) -> None:
    """Who develops wants to see what the check would find."""
    site = Site(serve, tmp_path, WSGI, "--reload-check=/healthz")
    site.start()
    site.wait_for("one")
    site.write("site_app.py", "def app(environ, start_response): 1 / 0\n")
    site.wait_for("Internal Server Error")

    assert "/healthz" not in site.server.log


def ask(failure: Failure, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """What the page sends on ASGI."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(failure.asgi(scope, receive, send))
    return sent


def test_the_page_is_an_application_of_every_kind() -> None:
    """A lifespan goes well, WebSockets are refused, HEAD has no body."""
    failure = Failure(StartupError("a < b"))
    statuses: list[str] = []

    def start_response(status: str, headers: object, exc_info: object = None) -> Any:
        statuses.append(status)

    lifespan = ask(failure, {"type": "lifespan"})
    assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == [
        message["type"] for message in lifespan
    ]
    assert [{"type": "websocket.close"}] == ask(failure, {"type": "websocket"})
    assert failure.body == ask(failure, {"type": "http"})[1]["body"]
    assert [b""] == failure.wsgi({"REQUEST_METHOD": "HEAD"}, start_response)
    assert [failure.body] == failure.wsgi({"REQUEST_METHOD": "GET"}, start_response)
    assert ["500 Internal Server Error"] * 2 == statuses
    assert b"<p>a &lt; b</p>" in failure.body
