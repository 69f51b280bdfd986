"""What a worker script may return, and where it is found."""

import asyncio
import socketserver
from pathlib import Path
from typing import Any

import pytest
from apps.servers import kinds

from tiamat.errors import AppError, StartupError
from tiamat.gateways.tcp import kind_of, load, takes_config


class WSGI:
    """As Flask and Django have it."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        raise NotImplementedError


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """An application."""


async def streams(reader: Any, writer: Any) -> None:
    """A handler."""


def wsgi(env: Any, respond: Any) -> Any:
    """An application, too."""


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        (WSGI(), "wsgi"),
        (wsgi, "wsgi"),
        (asgi, "asgi"),
        (streams, "streams"),
        (kinds.handler, "handler"),
        (asyncio.Protocol, "protocol"),
        (lambda: asyncio.Protocol(), "protocol"),
        (kinds.Blocks(), "blocks"),
        (object.__new__(kinds.Serves), "serves"),
        (object.__new__(socketserver.TCPServer), "socketserver"),
    ],
)
def test_kinds_are_told_apart(server: Any, kind: str) -> None:
    """By their class, by what they are called with, by the names of that."""
    assert kind == kind_of(server)


@pytest.mark.parametrize("server", [None, 42, object(), lambda a, b, c, d: None])
def test_what_is_no_server_has_no_kind(server: Any) -> None:
    """It is of no kind."""
    assert kind_of(server) is None


def test_run_may_do_without_the_config() -> None:
    """As a script that needs none of it."""
    assert takes_config(kinds.streams)
    assert not takes_config(kinds.lambda_protocol)


def test_a_script_is_a_file_or_a_module(tmp_path: Path) -> None:
    """Its ``run`` is meant, unless a name is given."""
    path = tmp_path / "worker_script.py"
    path.write_text("def run(config): return 1")

    assert 1 == load(str(path))(None)
    assert load("apps.servers.echo_protocol")(None) is not None
    assert kinds.streams is load("apps.servers.kinds:streams")


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("absent.py", AppError, "there is no worker script 'absent.py'"),
        ("apps.servers.kinds", AppError, "has no function 'run'; a worker script"),
        ("apps.servers.none", StartupError, "no module named"),
    ],
)
def test_what_cannot_be_found_is_told(
    text: str, error: type[Exception], words: str
) -> None:
    """With where it was looked for, or what to write."""
    with pytest.raises(error, match=words):
        load(text)


def test_a_script_that_fails_is_told(tmp_path: Path) -> None:
    """With the line that did."""
    path = tmp_path / "failing_script.py"
    path.write_text("\nimport absent_module\n")

    with pytest.raises(StartupError, match=r"failing_script.py, line 2"):
        load(str(path))
