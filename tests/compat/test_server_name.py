"""What the server is called, as sites change it that know gunicorn."""

import http.client

import pytest
from conftest import Serve
from running import LIMIT, Server

from tiamat.compat import server_name
from tiamat.compat.gunicorn.http import wsgi

ASSIGNED = "import gunicorn\ngunicorn.SERVER = 'shop'\n"

REPLACED = """
from gunicorn.http import wsgi

class Response(wsgi.Response):
    def default_headers(self, *args, **kwargs):
        lines = super().default_headers(*args, **kwargs)
        return [line for line in lines if not line.startswith("Server:")]

wsgi.Response = Response
"""


def said(server: Server) -> str | None:
    """The header ``Server`` of a response."""
    connection = http.client.HTTPConnection(*server.address, timeout=LIMIT)
    try:
        connection.request("GET", "/")
        return connection.getresponse().getheader("Server")
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("config", "kind", "expected"),
    [
        (ASSIGNED, "sync", "shop"),
        (ASSIGNED, "asgi", "shop"),
        (REPLACED, "sync", None),
        ("import gunicorn", "sync", "tiamat"),
    ],
)
def test_responses_say_it(
    serve: Serve, config: str, kind: str, expected: str | None
) -> None:
    """Or nothing, if that is what was changed."""
    app = {"sync": "apps.varied:app", "asgi": "apps.varied:asgi"}[kind]
    server = serve(app, "-k", kind, config=config)

    assert expected == said(server)


def test_environs_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As SERVER_SOFTWARE."""
    assert "tiamat" == server_name.in_environs("tiamat")

    monkeypatch.setattr("tiamat.compat.gunicorn.SERVER_SOFTWARE", "shop/1")
    assert "shop/1" == server_name.in_environs("tiamat")


def test_a_method_may_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of the class."""

    def default_headers(response: wsgi.Response) -> list[str]:
        return ["HTTP/1.1 200 OK\r\n", "Server: other\r\n"]

    monkeypatch.setattr(wsgi.Response, "default_headers", default_headers)

    assert b"other" == server_name.in_headers(b"tiamat")
