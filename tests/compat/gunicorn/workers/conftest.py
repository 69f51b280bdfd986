"""What the tests of gunicorn's worker classes have in common."""

from pathlib import Path

import pytest
from conftest import Serve
from running import Server
from theirs_type import Theirs

APP = """
import time

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise LookupError("the application fails")
    if path == "/slow":
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            pass
    start_response("200 OK", [("X-Seen", environ.get("HTTP_X_MARK", "nothing"))])
    return [path.encode()]

async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"asgi"})
"""


@pytest.fixture
def theirs(serve: Serve, tmp_path: Path) -> Theirs:
    """Serve with a class of a module that is written here: ``theirs(code, *flags)``."""

    def start(
        code: str,
        *flags: str,
        kind: str = "theirs:Theirs",
        app: str = "their_app:app",
        **options: str,
    ) -> Server:
        directory = tmp_path / "server-0"
        directory.mkdir()
        (directory / "theirs.py").write_text(code)
        (directory / "their_app.py").write_text(APP)
        kinds = [f"--worker-class={kind}"] if kind else []
        return serve(app, *kinds, *flags, **options)

    return start
