"""The headers that are ours, and how they are left out."""

from pathlib import Path

import pytest
from conftest import Serve

WSGI = "apps.pid:app"
ASGI = "site_of_test:app"
SITE = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})
"""


@pytest.mark.parametrize("kind", ["sync", "asgi"])
def test_server_and_date_can_be_left_out(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    """Each by its setting; both are there by default."""
    for number in range(2):
        directory = tmp_path / f"server-{number}"
        directory.mkdir()
        (directory / "site_of_test.py").write_text(SITE)
    app = WSGI if kind == "sync" else ASGI
    headers = serve(app).get().headers
    silent = serve(app, "--no-server-header", config="date_header = False").get()

    assert "tiamat" == headers["server"]
    assert headers["date"].endswith(" GMT")
    assert not {"server", "date"} & set(silent.headers)
